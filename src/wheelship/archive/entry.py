# SPDX-License-Identifier: Apache-2.0
"""The entries a layer is made of: what ends up in the image's file system, path by path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "EPOCH_SECONDS",
    "Content",
    "Deflated",
    "Directory",
    "Entry",
    "File",
    "Hardlink",
    "InMemory",
    "Streamed",
    "Symlink",
]

EPOCH_SECONDS = 315_532_800
"""Time of every entry: 1980-01-01T00:00:00Z, the earliest that zip tools inside an image accept."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """Content already in hand."""

    data: bytes

    @property
    def size_bytes(self) -> int:
        """Length of the content."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Deflated:
    """A raw DEFLATE stream inside an open file (a zip member), to be spliced or inflated.

    ``read_at(offset, length)`` returns up to ``length`` bytes. ``expected_hash`` is the
    ``(algorithm, hexadecimal digest)`` the inflated content must have, if somebody promised one.
    """

    read_at: Callable[[int, int], bytes]
    offset: int
    compressed_bytes: int
    size_bytes: int
    crc32: int
    expected_hash: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Streamed:
    """Content produced in pieces when it is needed; the pieces must sum up to ``size_bytes``."""

    size_bytes: int
    open: Callable[[], Iterator[bytes]]


Content: TypeAlias = InMemory | Deflated | Streamed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owned:
    """Path and ownership shared by all kinds.

    ``path`` is relative, without ``./`` and without a trailing slash, in UTF-8.
    """

    path: str
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class File(_Owned):
    """A regular file."""

    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory(_Owned):
    """A directory."""

    mode: int = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Symlink(_Owned):
    """A symbolic link; ``target`` is stored as written."""

    target: str
    mode: int = 0o777


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardlink(_Owned):
    """A hard link to ``target``, the path of a file earlier in the same layer (traps §1.1)."""

    target: str


Entry: TypeAlias = File | Directory | Symlink | Hardlink
