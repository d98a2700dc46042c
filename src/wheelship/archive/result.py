# SPDX-License-Identifier: Apache-2.0
"""What is known of a layer once it is written, and what decides its bytes besides its entries.

Apart from the writer, because a build with nothing to do needs these and none of its machinery.
"""

from __future__ import annotations

from dataclasses import dataclass

from wheelship.oci.digest import Digest

__all__ = ["CODEC", "DEFLATE_LEVEL", "DEFLATE_VERSION", "WRITER_VERSION", "IndexRow", "LayerBytes"]

WRITER_VERSION = 1
"""Part of every layer key; raise it whenever the same entries would give other bytes."""

DEFLATE_VERSION = "0.9.0"
DEFLATE_LEVEL = 6

CODEC = f"splice-gzip/deflate-{DEFLATE_VERSION}-{DEFLATE_LEVEL}"
"""Names the way layer bytes are made; a change of it changes every layer key."""


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One path of a finished layer; ``sha256`` is empty for anything but a regular file."""

    path: str
    mode: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBytes:
    """A finished layer; sizes in bytes."""

    digest: Digest
    diff_id: Digest
    size_bytes: int
    unpacked_bytes: int
    index: tuple[IndexRow, ...]
