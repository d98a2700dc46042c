# SPDX-License-Identifier: Apache-2.0
"""``wheelship.lock``: the Debian packages of every variant's base, beside the PEP 751 locks.

    {"version": 1, "debian": [<DebianLock>, …]}

One entry serves all variants that ask for the same release, architecture and system packages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wheelship.debian.lock import DebianLock
from wheelship.errors import InputError
from wheelship.files.write import write_file
from wheelship.oci.digest import Digest
from wheelship.store.errors import disk_errors

__all__ = [
    "LOCK_NAME",
    "InvalidLockFile",
    "all_or_nothing",
    "find_debian",
    "read_lock",
    "write_lock",
]

LOCK_NAME = "wheelship.lock"
_VERSION = 1


class InvalidLockFile(InputError):
    """``wheelship.lock`` cannot be read."""

    code = "invalid-lock-file"


def read_lock(path: Path) -> tuple[DebianLock, ...]:
    """Return the entries of the lock; none when there is no file.

    Raises:
        InvalidLockFile: it is malformed, or of a later version.
        InvalidDebianLock: an entry cannot be right.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise InvalidLockFile(f"cannot be read: {error}", where=str(path), hint=_HINT) from error
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise InvalidLockFile(
            "is of a version this release cannot read", where=str(path), hint=_HINT
        )
    entries = document.get("debian")
    if not isinstance(entries, list):
        raise InvalidLockFile("has no list `debian`", where=str(path), hint=_HINT)
    return tuple(DebianLock.from_json(entry) for entry in entries)


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


def write_lock(path: Path, entries: Iterable[DebianLock]) -> Digest:
    """Write the lock in one step, sorted; returns the digest of its bytes.

    Raises:
        NotWritable, DiskFull: the directory refuses.
    """
    ordered = sorted(entries, key=lambda one: (one.release, one.architecture, one.requested))
    document = {"version": _VERSION, "debian": [entry.to_json() for entry in ordered]}
    data = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    with disk_errors(path.parent, "build with --locked where the project is read-only"):
        write_file(path, data, synced=True)
    return Digest.of(data)


@contextmanager
def all_or_nothing(paths: Iterable[Path]) -> Iterator[None]:
    """Put the locks at ``paths`` back as they were when the block fails.

    The locks of wheels and of the base belong together: a failure between them would leave one
    that was never built with the other.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, data in before.items():
            with suppress(OSError):
                if data is None:
                    path.unlink(missing_ok=True)
                elif path.read_bytes() != data:
                    write_file(path, data, synced=True)
        raise
