# SPDX-License-Identifier: Apache-2.0
"""An installed tree, read from disk: what is at each path."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Item", "Tree", "read_tree"]

_KEPT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file, a directory or a symbolic link.

    Attributes:
        mode: permission bits; 0 for a link.
        size_bytes: of a file.
        content: SHA-256 of a file, target of a link, nothing for a directory.
        data: the bytes of a file that a comparison looks into: scripts and ``.dist-info``.
    """

    kind: Literal["file", "directory", "link"]
    mode: int = 0
    size_bytes: int = 0
    content: str = ""
    data: bytes = b""


Tree = dict[str, Item]
"""Items by path below the environment's prefix."""


def read_tree(root: Path) -> Tree:
    """Return what is below ``root``; links are not followed."""
    return dict(_items(root, ""))


def _items(root: Path, below: str) -> Iterator[tuple[str, Item]]:
    with os.scandir(root / below) as entries:
        for entry in entries:
            path = f"{below}/{entry.name}".lstrip("/")
            if entry.is_symlink():
                yield path, Item(kind="link", content=str(Path(entry.path).readlink()))
                continue
            mode = stat.S_IMODE(entry.stat().st_mode)
            if entry.is_dir():
                yield path, Item(kind="directory", mode=mode)
                yield from _items(root, path)
                continue
            yield path, _file(path, Path(entry.path), mode)


def _file(path: str, place: Path, mode: int) -> Item:
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        wanted = path.startswith("bin/") or ".dist-info/" in path
        file.seek(0)
        data = file.read(_KEPT_BYTES) if wanted else b""
        size = os.fstat(file.fileno()).st_size
    return Item(kind="file", mode=mode, size_bytes=size, content=digest, data=data)
