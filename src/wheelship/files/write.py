# SPDX-License-Identifier: Apache-2.0
"""Writes files in one step: a reader sees the old content or the new, never a part.

The new content is written under another name and renamed. Whoever writes holds a lock on the
unfinished file, so that the next writer can tell what a killed process left behind from what
another one is writing at this moment.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["is_unfinished", "replacing", "write_file"]

_MARK = ".new-"


@contextmanager
def replacing(
    path: Path, *, mode: int = 0o644, synced: bool = False, work: Path | None = None
) -> Iterator[BinaryIO]:
    """Open a new file that becomes ``path`` when the block ends well; else nothing is left.

    ``mode`` holds whatever the umask. ``synced`` waits until the content has reached the disk.
    ``work`` is a directory for unfinished files on the same file system, emptied by its owner;
    without one the unfinished file is a hidden sibling, and what killed processes left of earlier
    ones is removed.

    Raises:
        OSError: the disk refuses.
    """
    if work is None:
        _sweep(path)
    descriptor, name = _create(path.parent if work is None else work, f".{path.name}{_MARK}")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            if synced:
                os.fsync(stream.fileno())
            unfinished.chmod(mode)
            unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_file(
    path: Path, data: bytes, *, mode: int = 0o644, synced: bool = False, work: Path | None = None
) -> None:
    """Make ``data`` the content of ``path`` in one step; see :func:`replacing`."""
    with replacing(path, mode=mode, synced=synced, work=work) as stream:
        stream.write(data)


def is_unfinished(name: str) -> bool:
    """Tell whether a file of this name is the unfinished work of a writer."""
    return name.startswith(".") and _MARK in name


def _create(folder: Path, prefix: str) -> tuple[int, str]:
    while True:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=prefix)
        with suppress(OSError):  # a file system without locks: nobody can sweep there either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # swept before it was locked


def _sweep(path: Path) -> None:
    prefix = f".{path.name}{_MARK}"
    for left in path.parent.iterdir():
        if left.name.startswith(prefix):
            with suppress(OSError):
                lock = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
                finally:
                    os.close(lock)
