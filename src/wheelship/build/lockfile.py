# SPDX-License-Identifier: Apache-2.0
"""``wheelship.lock``: what every variant's base is made of, beside the PEP 751 locks.

    {"version": 1, "debian": [<DebianLock>, …], "images": [<BaseImage>, …],
     "absent": [<AbsentImage>, …]}

One entry serves all variants that ask for the same: of ``debian`` release, architecture and system
packages; of ``images`` reference, platform and Python. ``absent`` says which of these were looked
for, to compile with, and do not exist. A key without entries is left out, but for ``debian``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wheelship.base.model import AbsentImage, BaseImage
from wheelship.debian.lock import DebianLock
from wheelship.errors import InputError
from wheelship.files.write import write_file
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.store.errors import disk_errors

__all__ = [
    "LOCK_NAME",
    "RELOCK",
    "InvalidLockFile",
    "LockFile",
    "all_or_nothing",
    "find_debian",
    "find_image",
    "read_lock",
    "write_lock",
]

LOCK_NAME = "wheelship.lock"
RELOCK = "run `wheelship lock` and commit what it writes"
"""The hint where an entry is missing and may not be made."""

_VERSION = 1


class InvalidLockFile(InputError):
    """``wheelship.lock`` cannot be read."""

    code = "invalid-lock-file"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """All entries."""

    debian: tuple[DebianLock, ...] = ()
    images: tuple[BaseImage, ...] = ()
    absent: tuple[AbsentImage, ...] = ()


def read_lock(path: Path) -> LockFile:
    """Return the entries of the lock; none when there is no file.

    Raises:
        InvalidLockFile: it is malformed, or of a later version.
        InvalidDebianLock, InvalidBaseLock: an entry cannot be right.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return LockFile()
    except (OSError, ValueError) as error:
        raise InvalidLockFile(f"cannot be read: {error}", where=str(path), hint=_HINT) from error
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise InvalidLockFile(
            "is of a version this release cannot read", where=str(path), hint=_HINT
        )
    entries, images = document.get("debian"), document.get("images", [])
    absent = document.get("absent", [])
    if not (isinstance(entries, list) and isinstance(images, list) and isinstance(absent, list)):
        raise InvalidLockFile("has no list `debian`", where=str(path), hint=_HINT)
    return LockFile(
        debian=tuple(DebianLock.from_json(entry) for entry in entries),
        images=tuple(BaseImage.from_json(entry) for entry in images),
        absent=tuple(AbsentImage.from_json(entry) for entry in absent),
    )


_HINT = "remove it and run `wheelship lock`"


def find_debian(
    entries: Iterable[DebianLock], release: str, architecture: str, requested: tuple[str, ...]
) -> DebianLock | None:
    """Return the entry for exactly this base, if there is one."""
    wanted = (release, architecture, tuple(sorted(set(requested))))
    for entry in entries:
        if (entry.release, entry.architecture, entry.requested) == wanted:
            return entry
    return None


def find_image(
    images: Iterable[BaseImage], reference: str, platform: Platform, python: str
) -> BaseImage | None:
    """Return the entry for exactly this base, if there is one."""
    wanted = (reference, platform, python)
    for one in images:
        if (one.reference, one.platform, one.python.minor) == wanted:
            return one
    return None


def write_lock(
    path: Path,
    entries: Iterable[DebianLock],
    images: Iterable[BaseImage] = (),
    absent: Iterable[AbsentImage] = (),
) -> Digest:
    """Write the lock in one step, sorted; returns the digest of its bytes.

    Raises:
        NotWritable, DiskFull: the directory refuses.
    """
    ordered = sorted(entries, key=lambda one: (one.release, one.architecture, one.requested))
    document = {"version": _VERSION, "debian": [entry.to_json() for entry in ordered]}
    if sorted_images := sorted(
        images, key=lambda one: (one.reference, one.platform, one.python.minor)
    ):
        document["images"] = [one.to_json() for one in sorted_images]
    if sorted_absent := sorted(set(absent)):
        document["absent"] = [one.to_json() for one in sorted_absent]
    data = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    with disk_errors(path.parent, "build with --locked where the project is read-only"):
        write_file(path, data, synced=True)
    return Digest.of(data)


@contextmanager
def all_or_nothing(paths: Iterable[Path], *, keep: bool = True) -> Iterator[None]:
    """Put the locks at ``paths`` back as they were when the block fails; without ``keep``, always.

    The locks of wheels and of the base belong together: a failure between them would leave one
    that was never built with the other.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    except BaseException:
        _put_back(before)
        raise
    if not keep:
        _put_back(before)


def _put_back(files: Mapping[Path, bytes | None]) -> None:
    for path, data in files.items():
        with suppress(OSError):
            if data is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != data:
                write_file(path, data, synced=True)
