# SPDX-License-Identifier: Apache-2.0
"""The store: can it be written to, is there room, and can builds link out of it?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from wheelship.doctor.model import Finding, Patient
from wheelship.report.size import format_bytes

__all__ = ["check_store"]

_SCARCE_BYTES = 1_000_000_000
_AMPLE_BYTES = 10_000_000_000
"""A CUDA image takes three gigabytes of wheels, as many of layers, and its output where nothing
can be linked."""

_ELSEWHERE = "keep it elsewhere: export WHEELSHIP_STORE=/path/with/room"


def check_store(patient: Patient) -> Iterable[Finding]:
    """Look at the store, or at where it would be made: nothing is made there now."""
    place = _existing(patient.store)
    if not place.is_dir():
        yield Finding(
            code="store",
            status="problem",
            what=f"{patient.store}: {place} is no directory",
            hint=_ELSEWHERE,
        )
        return
    reason = _refusal(place)
    if reason is not None:
        yield Finding(
            code="store",
            status="problem",
            what=f"{patient.store} cannot be written to: {reason}",
            hint=f'sudo chown -R "$USER" {place}\nor {_ELSEWHERE}',
        )
        return
    free = shutil.disk_usage(place).free
    size = f"{format_bytes(_size(patient.store))}, " if place == patient.store else "empty, "
    what = f"{patient.store}: {size}{format_bytes(free)} free"
    if free < _AMPLE_BYTES:
        yield Finding(
            code="store-room",
            status="problem" if free < _SCARCE_BYTES else "warning",
            what=f"{what}; a CUDA image needs about {format_bytes(_AMPLE_BYTES)}",
            hint=f'wheelship cache prune --keep "5 GB"\nor {_ELSEWHERE}',
        )
    else:
        yield Finding(code="store", status="ok", what=what)
    if patient.request is not None:
        yield _links(place, patient.request.project.root)


def _links(store: Path, root: Path) -> Finding:
    """Layouts hold hard links into the store where both lie on one file system."""
    dist = _existing(root / "dist")
    if store.stat().st_dev == dist.stat().st_dev:
        return Finding(
            code="store-links",
            status="ok",
            what=f"{root / 'dist'} is on the store's file system: layers are linked, not copied",
        )
    return Finding(
        code="store-links",
        status="warning",
        what=f"{root / 'dist'} is on another file system than the store: layers are copied there",
        hint=f"to save the room: export WHEELSHIP_STORE={root.parent / '.wheelship'}",
    )


def _existing(path: Path) -> Path:
    """Return the path, or the nearest directory above it that there is."""
    return next(one for one in (path, *path.parents) if os.path.lexists(one))


def _refusal(place: Path) -> str | None:
    """Return why no file can be made in ``place``, None where one can."""
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"wheelship doctor")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _size(store: Path) -> int:
    total = 0
    for top, _, names in os.walk(store):
        for name in names:
            try:
                total += os.lstat(Path(top, name)).st_size
            except OSError:  # a build removed it meanwhile
                continue
    return total
