# SPDX-License-Identifier: Apache-2.0
"""Looks into the wheels that decide which GPUs an image runs on, and holds them to the request."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from wheelship.build.context import BuildContext
from wheelship.events import Emit, Warned
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import ImagePlan, WheelsRecipe
from wheelship.store.store import Store
from wheelship.variant.errors import GpuTargetNotCovered
from wheelship.variant.gpu import DeviceCode, parse_target, targets_text, uncovered

if TYPE_CHECKING:
    from wheelship.build.shelf import WheelShelf
    from wheelship.wheel.reader import Wheel

__all__ = ["check_device_code", "read_device_code", "unread_wheels"]

_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_SMALLEST_BYTES = 256 * 1024
_READER_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Library:
    """A library with device code, by its path in the wheel; ``bytes`` is how much of it."""

    path: str
    codes: tuple[DeviceCode, ...]
    bytes: int


def unread_wheels(plan: ImagePlan, store: Store) -> list[LockedWheel]:
    """Return the wheels that must be read before :func:`check_device_code` can judge."""
    return [wheel for wheel, _ in _concerned(plan) if not store.marked(_key(wheel))[0]]


def read_device_code(plan: ImagePlan, context: BuildContext, shelf: WheelShelf) -> None:
    """Read the wheels of ``plan`` that were never read before, and judge all.

    Raises:
        GpuTargetNotCovered: no device code runs on a target.
        WheelshipError: a wheel cannot be had or is malformed.
    """
    for wheel, waived in _concerned(plan):
        if not context.store.marked(_key(wheel))[0]:
            rows = _read(shelf.wheel(wheel, waive_record=waived))
            context.store.mark(_key(wheel), rows)
    check_device_code(plan, context.store, context.emit)


def check_device_code(plan: ImagePlan, store: Store, emit: Emit) -> None:
    """Check the wheels' device code, as read before, against ``plan.gpu_targets``.

    The library with most device code must run on all targets. Another one that does not is worth a
    warning: torch 2.13 without its linear algebra still serves a T4.

    Raises:
        GpuTargetNotCovered: no device code runs on a target.
    """
    for wheel, _ in _concerned(plan):
        libraries = _known(store.marked(_key(wheel))[1])
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
                emit(
                    Warned(
                        "gpu-target-partly-covered",
                        f"{wheel.name} {wheel.version}: {one.path} has no code for "
                        f"{', '.join(lacking)}, only for {targets_text(one.codes)}",
                        hint="what needs that library fails on such a GPU",
                    )
                )


def _concerned(plan: ImagePlan) -> list[tuple[LockedWheel, bool]]:
    """Return the wheels that decide, each with whether its RECORD is waived."""
    if not any(target.startswith("sm_") for target in plan.gpu_targets):
        return []
    return [
        (wheel, wheel.name in recipe.waived)
        for recipe in (layer.recipe for layer in plan.layers)
        if isinstance(recipe, WheelsRecipe)
        for wheel in recipe.wheels
        if any(fnmatchcase(wheel.name, name) for name in plan.gpu_packages)
    ]


def _key(wheel: LockedWheel) -> Digest:
    return Digest.of(canonical_json(["device code", _READER_VERSION, wheel.sha256]))


def _known(rows: list[dict[str, Any]]) -> list[_Library]:
    return [
        _Library(path=row["path"], codes=tuple(map(parse_target, row["codes"])), bytes=row["bytes"])
        for row in rows
    ]


def _read(wheel: Wheel) -> list[dict[str, Any]]:
    from wheelship.wheel.fatbin import FatbinReader

    rows: list[dict[str, Any]] = []
    for name, member in wheel.members.items():
        if member.size_bytes < _SMALLEST_BYTES or not _LIBRARY.search(name):
            continue
        reader = FatbinReader()
        for piece in wheel.pieces(name):
            reader.feed(piece)
        if reader.found:
            codes = [str(code) for code in sorted(reader.found)]
            rows.append({"path": name, "codes": codes, "bytes": reader.device_bytes})
    return rows
