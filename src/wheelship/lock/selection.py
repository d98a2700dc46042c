# SPDX-License-Identifier: Apache-2.0
"""A selection in a compact form, to be kept beside what was made from it.

Reading a lock and selecting from it costs the import of ``packaging`` and some ten thousand tags.
The result depends on the lock's bytes, its place and the target alone, so it can be kept under
:func:`selection_key` and read back in a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wheelship.lock.inputs import LOCK_VERSION
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest

__all__ = ["Selection", "load_selection", "selection_key"]

_FORM = 1
"""Raised whenever another selection could be made from the same lock, or its form changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The wheels for one target; ``request`` is the digest the lock says it was made from."""

    request: str
    wheels: tuple[LockedWheel, ...]

    def to_bytes(self) -> bytes:
        """Return the compact form."""
        rows = [
            [
                wheel.name,
                wheel.version,
                wheel.filename,
                wheel.sha256,
                wheel.size_bytes,
                wheel.url,
                None if wheel.path is None else str(wheel.path),
                list(wheel.requires),
            ]
            for wheel in self.wheels
        ]
        return canonical_json({"request": self.request, "wheels": rows})


def selection_key(data: bytes, path: Path, target: Target) -> Digest:
    """Return the key of what the lock with these bytes at ``path`` gives for ``target``."""
    facts = {"form": _FORM, "version": LOCK_VERSION, "target": str(target), "path": str(path)}
    if target.release is not None:
        facts["base"] = f"{target.release} {target.glibc}"
    return Digest.of(canonical_json({**facts, "lock": Digest.of(data).hex}))


def load_selection(data: bytes) -> Selection | None:
    """Read :meth:`Selection.to_bytes`'s result; None where it is not one."""
    try:
        document = json.loads(data)
        return Selection(request=str(document["request"]), wheels=tuple(_rows(document["wheels"])))
    except (ValueError, KeyError, TypeError):
        return None


def _rows(rows: Iterable[list[object]]) -> Iterable[LockedWheel]:
    for name, version, filename, sha256, size, url, path, requires in rows:
        if not isinstance(size, int) or not isinstance(requires, list):
            raise TypeError(f"malformed row of {name}")
        yield LockedWheel(
            name=str(name),
            version=str(version),
            filename=str(filename),
            sha256=str(sha256),
            size_bytes=size,
            url=None if url is None else str(url),
            path=None if path is None else Path(str(path)),
            requires=tuple(map(str, requires)),
        )
