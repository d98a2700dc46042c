# SPDX-License-Identifier: Apache-2.0
"""The file of past builds: one line of JSON each, oldest first.

Builds append to it at the same time. Each holds a lock (flock) on the file and adds its lines in
one write at the end, so lines are never mixed, not even where locks do nothing. What a killed
process left unfinished is ended by the next one and skipped by readers.

The file is bounded: when a build would let it grow beyond :data:`MOST_BYTES`, the newer half is
written beside it and takes its place. Whoever waited for the lock of the old file meanwhile notices
that the name stands for another one, and starts again there, so no line is lost.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wheelship.files.write import replacing
from wheelship.history.errors import HistoryUnavailable, InvalidHistory
from wheelship.history.line import (
    BEGINNING,
    UnreadableLine,
    is_ours,
    line_of,
    past_build_of,
)
from wheelship.history.model import PastBuild

__all__ = ["FOLDER", "MOST_BYTES", "append", "read"]

FOLDER = ".wheelship"
"""The directory in a project that is wheelship's own; it keeps itself out of version control."""

MOST_BYTES = 4_000_000
"""Some 10 000 builds."""

_MOST_READ = 4 * MOST_BYTES  # what several files joined by hand may amount to
_LONGEST_LINE = 65_536
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.005
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EPERM})


def append(path: Path, builds: Sequence[PastBuild]) -> None:
    """Add ``builds`` to the history in ``path``, which need not exist.

    Raises:
        InvalidHistory: the file holds something else, and is left alone.
        HistoryUnavailable: it cannot be written.
    """
    lines = b"".join(map(line_of, builds))
    if not lines:
        return
    with _refusals(path):
        real = Path(os.path.realpath(path))
        _make_folder(real.parent)
        with _opened(real) as (descriptor, locked):
            size = os.fstat(descriptor).st_size
            start = os.pread(descriptor, _LONGEST_LINE, 0)
            if start.strip() and not _is_history(start):
                raise InvalidHistory(
                    "is no history of builds, and nothing was added to it",
                    where=str(path),
                    hint="name another file",
                )
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            added = b"\n" + lines if torn else lines
            if locked and size + len(added) > MOST_BYTES:
                _shorten(real, descriptor, lines)
            else:
                _add(descriptor, added, size, locked=locked)


def read(path: Path) -> tuple[PastBuild, ...]:
    """Return what the history in ``path`` holds, in its order; nothing where no file is.

    Lines that are unfinished or of a form to come are left out. Of a file of more than 16 MB the
    end is read.

    Raises:
        InvalidHistory: it has lines, and none of them is a past build.
        HistoryUnavailable: it cannot be read.
    """
    with _refusals(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return ()
        try:
            size = _regular(descriptor, path).st_size
            data = os.pread(descriptor, _MOST_READ, max(0, size - _MOST_READ))
        finally:
            os.close(descriptor)
    if size > _MOST_READ:
        data = data.partition(b"\n")[2]
    lines = [line for line in data.split(b"\n") if line.strip()]
    found = tuple(build for line in lines if (build := _readable(line)) is not None)
    if lines and not found:
        raise InvalidHistory(
            "is no history of builds, or of a newer wheelship",
            where=str(path),
            hint="name the file that `wheelship build` writes: .wheelship/history.jsonl",
        )
    return found


def _readable(line: bytes) -> PastBuild | None:
    try:
        return past_build_of(line)
    except UnreadableLine:
        return None


def _is_history(start: bytes) -> bool:
    """Tell whether a file that begins so is a history, were it the torn beginning of one."""
    lines = start.split(b"\n")
    torn = len(lines) == 1 and start[: len(BEGINNING)] == BEGINNING[: len(start)]
    return torn or any(map(is_ours, lines))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    if folder.name == FOLDER:
        # Only when it is made: who wants the history in version control removes this file.
        (folder / ".gitignore").write_text("*\n", "ascii")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[int, bool]]:
    """Open the file to append; say whether it is locked, which not every file system can."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(path, flags, 0o644)
        try:
            _regular(descriptor, path)
            locked = _lock(descriptor, until)
            if not locked or _is_still(path, descriptor):
                yield descriptor, locked
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return False
        else:
            return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Tell whether ``path`` names the file that was opened; another build may have replaced it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _add(descriptor: int, data: bytes, size: int, *, locked: bool) -> None:
    written = os.write(descriptor, data)
    if written != len(data):  # the disk is full
        if locked:
            os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _shorten(path: Path, descriptor: int, lines: bytes) -> None:
    """Replace the file by its newer half and ``lines``."""
    size = os.fstat(descriptor).st_size
    begin = max(0, size - MOST_BYTES // 2)
    kept = os.pread(descriptor, MOST_BYTES // 2, begin)
    if begin:
        kept = kept.partition(b"\n")[2]
    if kept and not kept.endswith(b"\n"):
        kept += b"\n"
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    with replacing(path, mode=mode) as stream:
        stream.write(kept + lines)


def _regular(descriptor: int, path: Path) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidHistory("is no regular file", where=str(path), hint="name another file")
    return status


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError as error:
        raise HistoryUnavailable(
            "is held by another process", where=str(path), hint=f"fuser {path}"
        ) from error
    except OSError as error:
        raise HistoryUnavailable(
            f"cannot be used: {error.strerror}",
            where=str(path),
            hint="--history FILE names another place, --history none does without",
        ) from error
