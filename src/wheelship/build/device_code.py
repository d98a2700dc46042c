# SPDX-License-Identifier: Apache-2.0
"""Looks into the wheels that decide which GPUs an image runs on, and holds them to the request."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from wheelship.build.context import BuildContext
from wheelship.events import Warned
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import ImagePlan
from wheelship.variant.errors import GpuTargetNotCovered
from wheelship.variant.gpu import DeviceCode, parse_target, targets_text, uncovered

__all__ = ["check_device_code", "needs_look"]

_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_SMALLEST_BYTES = 256 * 1024
_READER_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Library:
    """A library with device code, by its path in the wheel; ``bytes`` is how much of it."""

    path: str
    codes: tuple[DeviceCode, ...]
    bytes: int


def needs_look(plan: ImagePlan, context: BuildContext) -> bool:
    """Tell whether a wheel has to be read for :func:`check_device_code`."""
    return any(not context.store.marked(_key(wheel))[0] for wheel in _concerned(plan))


def check_device_code(plan: ImagePlan, context: BuildContext) -> None:
    """Check the wheels' device code against ``plan.gpu_targets``; a wheel is read once and for all.

    The library with most device code must run on all targets. Another one that does not is worth a
    warning: torch 2.13 without its linear algebra still serves a T4.

    Raises:
        GpuTargetNotCovered: no device code runs on a target.
    """
    for wheel in _concerned(plan):
        libraries = _libraries(wheel, context)
        if not libraries:
            continue
        main = max(libraries, key=lambda one: one.bytes)
        if lacking := uncovered(main.codes, plan.gpu_targets):
            left = [one for one in plan.gpu_targets if one not in lacking]
            raise GpuTargetNotCovered(
                f"{wheel.name} {wheel.version} has no code for {', '.join(lacking)}; "
                f"{main.path} has {targets_text(main.codes)}",
                where=wheel.filename,
                hint="choose another version or build of it, or leave the GPU out:\n"
                f"gpu-targets = {json.dumps(left)}",
            )
        for one in libraries:
            if lacking := uncovered(one.codes, plan.gpu_targets):
                context.emit(
                    Warned(
                        "gpu-target-partly-covered",
                        f"{wheel.name} {wheel.version}: {one.path} has no code for "
                        f"{', '.join(lacking)}, only for {targets_text(one.codes)}",
                        hint="what needs that library fails on such a GPU",
                    )
                )


def _concerned(plan: ImagePlan) -> list[LockedWheel]:
    if not any(target.startswith("sm_") for target in plan.gpu_targets):
        return []
    return [wheel for wheel in plan.wheels() if wheel.name in plan.gpu_packages]


def _key(wheel: LockedWheel) -> Digest:
    return Digest.of(canonical_json(["device code", _READER_VERSION, wheel.sha256]))


def _libraries(wheel: LockedWheel, context: BuildContext) -> list[_Library]:
    known, document = context.store.marked(_key(wheel))
    if not known:
        document = _read(wheel, context)
        context.store.mark(_key(wheel), document)
    return [
        _Library(path=row["path"], codes=tuple(map(parse_target, row["codes"])), bytes=row["bytes"])
        for row in document
    ]


def _read(wheel: LockedWheel, context: BuildContext) -> list[dict[str, Any]]:
    from wheelship.build.wheels import open_locked
    from wheelship.wheel.fatbin import FatbinReader

    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        opened = open_locked(wheel, context, stack, waive_record=True)
        for name, member in opened.members.items():
            if member.size_bytes < _SMALLEST_BYTES or not _LIBRARY.search(name):
                continue
            reader = FatbinReader()
            for piece in opened.pieces(name):
                reader.feed(piece)
            if reader.found:
                codes = [str(code) for code in sorted(reader.found)]
                rows.append({"path": name, "codes": codes, "bytes": reader.device_bytes})
    return rows
