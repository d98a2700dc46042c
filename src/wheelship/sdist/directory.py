# SPDX-License-Identifier: Apache-2.0
"""A directory that is required as a package: which of its files matter, and their digest."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from wheelship.files.digest import file_digest
from wheelship.oci.digest import Digest
from wheelship.request.ignore import IgnoreRules, is_never_shipped

__all__ = ["copy_directory", "directory_digest"]


def copy_directory(source: Path, target: Path) -> Path:
    """Copy what of ``source`` may matter to a build into the new directory ``target``.

    Left out are caches, environments, results of earlier builds and files that hold secrets, and
    directories that ``.gitignore`` names. Its backend is free to write into the copy.
    """
    target.mkdir()
    for path in _files(source):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / path, target / path, follow_symlinks=False)
    return target


def directory_digest(source: Path) -> Digest:
    """Return the digest of what :func:`copy_directory` would copy: names, permissions, bytes."""
    found = hashlib.sha256()
    for path in _files(source):
        file = source / path
        if file.is_symlink():
            fact = f"link {file.readlink()}"
        else:
            fact = f"{file.stat().st_mode & 0o111:o} {file_digest(file).hex}"
        found.update(os.fsencode(f"{path}\0{fact}\0"))
    return Digest(found.hexdigest())


def _files(root: Path) -> Iterator[str]:
    """Yield paths of files and links, sorted, relative to ``root``."""
    rules = IgnoreRules(root)
    pending = [""]
    found: list[str] = []
    while pending:
        folder = pending.pop()
        names = sorted(path.name for path in (root / folder).iterdir())
        if "pyvenv.cfg" in names:
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if is_never_shipped(path):
                continue
            if (root / path).is_dir() and not (root / path).is_symlink():
                if not rules.ignores_directory(path):
                    pending.append(path)
            elif (root / path).is_file() or (root / path).is_symlink():
                found.append(path)
    yield from sorted(found)
