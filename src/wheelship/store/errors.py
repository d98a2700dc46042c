# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between the store, a layout and the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelship.errors import InputError, MachineError
from wheelship.files.write import is_unfinished

__all__ = [
    "DamagedStore",
    "DiskFull",
    "InvalidLayout",
    "LayoutLacksPlatform",
    "NotWritable",
    "disk_errors",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST),
    *(errno.ENAMETOOLONG, errno.ELOOP),
)


class NotWritable(MachineError):
    """A directory that must be written to cannot be."""

    code = "not-writable"


class DiskFull(MachineError):
    """The disk, or the quota on it, is full."""

    code = "disk-full"


class DamagedStore(MachineError):
    """A file of the store is not what was written there."""

    code = "damaged-store"


class InvalidLayout(InputError):
    """The directory is no OCI image layout, or lacks what its index names."""

    code = "invalid-layout"


class LayoutLacksPlatform(InvalidLayout):
    """The layout has the image, but not for the platform."""

    code = "layout-lacks-platform"


_STORE = "--store DIR or WHEELSHIP_STORE"


@contextmanager
def disk_errors(path: Path, instead: str = _STORE) -> Iterator[None]:
    """Turn the operating system's refusals to write below ``path`` into errors with a fix.

    ``instead`` is how the user names another place.

    A refusal that names a path elsewhere is somebody else's: an input that cannot be read, say.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"no space left: {error.strerror}",
                where=str(path),
                hint=f"free some space, or choose another place: {instead}",
            ) from error
        if (error.errno in _REFUSED and _is_below(error, path)) or _cannot_be_made(error, path):
            raise NotWritable(
                f"cannot write: {error.strerror}",
                where=str(error.filename or path),
                hint=f"choose a directory you own: {instead}",
            ) from error
        raise


def _cannot_be_made(error: OSError, path: Path) -> bool:
    """Tell whether ``path`` or a new file cannot be made in spite of all, as below ``/proc``."""
    if error.errno != errno.ENOENT or error.filename is None:
        return False
    name = Path(os.fsdecode(error.filename))
    return path.is_relative_to(name) or is_unfinished(name.name)


def _is_below(error: OSError, path: Path) -> bool:
    name = error.filename  # None for what fails on an open file, which is ours
    if name is None:
        return True
    refused = Path(os.fsdecode(name))
    return refused.is_relative_to(path) or path.is_relative_to(refused)
