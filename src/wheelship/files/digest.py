# SPDX-License-Identifier: Apache-2.0
"""The digest of a file, read in pieces."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from wheelship.oci.digest import Digest

__all__ = ["file_digest", "tree_digest"]


def file_digest(path: Path) -> Digest:
    """Return the digest of a file's bytes.

    Raises:
        OSError: it is not there or cannot be read.
    """
    with path.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def tree_digest(root: Path, *, times: bool = False) -> Digest:
    """Return the digest of what a directory holds: names, kinds, modes, links, bytes of files.

    With ``times``, of the files' and links' sizes, change times and numbers instead of what they
    hold: equal means unchanged, other means that one has to look.

    Raises:
        OSError: something cannot be read.
    """
    found = hashlib.sha256()
    for path, status in sorted(_below(root, "")):
        kind = stat.S_IFMT(status.st_mode)
        found.update(os.fsencode(f"{path}\0{status.st_mode:o}\0"))
        if times:
            if kind != stat.S_IFDIR:
                fact = f"{status.st_size} {status.st_ctime_ns} {status.st_ino}"
                found.update(fact.encode())
        elif kind == stat.S_IFREG:
            found.update(file_digest(root / path).hex.encode())
        elif kind == stat.S_IFLNK:
            found.update(os.fsencode((root / path).readlink()))
    return Digest(found.hexdigest())


def _below(root: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            yield path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from _below(root, f"{path}/")
