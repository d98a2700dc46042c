# SPDX-License-Identifier: Apache-2.0
"""A selection in a compact form, to be kept beside what was made from it.

Reading a lock and selecting from it costs the import of ``packaging`` and some ten thousand tags.
The result depends on the lock's bytes, its place and the target alone, so it can be kept under
:func:`selection_key` and read back in a millisecond.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast, get_args

from wheelship.lock.inputs import LOCK_VERSION
from wheelship.lock.model import BuildRequirement, Locked, LockedSource, LockedWheel, SourceKind
from wheelship.lock.target import Target
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest

__all__ = ["Selection", "load_selection", "selection_key"]

_FORM = 2
"""Raised whenever another selection could be made from the same lock, or its form changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The files for one target; ``request`` is the digest the lock says it was made from."""

    request: str
    packages: tuple[Locked, ...]

    def to_bytes(self) -> bytes:
        """Return the compact form."""
        wheels = [_row(one) for one in self.packages if isinstance(one, LockedWheel)]
        sources = [
            [
                one.name,
                one.version,
                one.kind,
                [one.commit, one.revision, one.subdirectory],
                *_place(one),
                [[*_row(each.wheel), list(each.architectures)] for each in one.build],
            ]
            for one in self.packages
            if isinstance(one, LockedSource)
        ]
        return canonical_json({"request": self.request, "wheels": wheels, "sources": sources})


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
        wheels = [_wheel(row) for row in document["wheels"]]
        sources = [_source(row) for row in document["sources"]]
        packages: list[Locked] = [*wheels, *sources]
        packages.sort(key=lambda one: one.name)
        return Selection(request=str(document["request"]), packages=tuple(packages))
    except (ValueError, KeyError, TypeError):
        return None


def _row(wheel: LockedWheel) -> list[object]:
    return [wheel.name, wheel.version, *_place(wheel)]


def _place(file: Locked) -> list[object]:
    path = None if file.path is None else str(file.path)
    return [file.filename, file.sha256, file.size_bytes, file.url, path, list(file.requires)]


def _wheel(row: list[object]) -> LockedWheel:
    name, version, *place = row
    return LockedWheel(name=str(name), version=str(version), **_fields(place))


def _source(row: list[object]) -> LockedSource:
    name, version, kind, commit, *place, build = row
    if kind not in get_args(SourceKind) or not isinstance(build, list):
        raise TypeError(f"malformed row of {name}")
    if not isinstance(commit, list):
        raise TypeError(f"malformed row of {name}")
    commit_id, revision, subdirectory = map(str, commit)
    return LockedSource(
        name=str(name),
        version=str(version),
        kind=cast("SourceKind", kind),
        commit=commit_id,
        revision=revision,
        subdirectory=subdirectory,
        build=tuple(
            BuildRequirement(wheel=_wheel(one), architectures=tuple(map(str, architectures)))
            for *one, architectures in build
        ),
        **_fields(place),
    )


class _Fields(TypedDict):
    filename: str
    sha256: str
    size_bytes: int
    url: str | None
    path: Path | None
    requires: tuple[str, ...]


def _fields(place: list[object]) -> _Fields:
    filename, sha256, size, url, path, requires = place
    if not isinstance(size, int) or not isinstance(requires, list):
        raise TypeError(f"malformed row of {filename}")
    return _Fields(
        filename=str(filename),
        sha256=str(sha256),
        size_bytes=size,
        url=None if url is None else str(url),
        path=None if path is None else Path(str(path)),
        requires=tuple(map(str, requires)),
    )
