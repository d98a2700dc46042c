# SPDX-License-Identifier: Apache-2.0
"""Looks into the wheels that decide which GPUs an image runs on, and holds them to the request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelship.build.context import BuildContext
from wheelship.build.linkage import LIBRARY
from wheelship.events import Emit, Warned
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import ImagePlan, WheelsRecipe
from wheelship.store.store import Store
from wheelship.variant.errors import GpuTargetNotCovered
from wheelship.variant.gpu import lacking_targets, parse_target, targets_text

if TYPE_CHECKING:
    from wheelship.build.shelf import WheelShelf
    from wheelship.wheel.reader import Wheel

__all__ = ["check_device_code", "read_device_code", "unread_wheels"]

_SMALLEST_BYTES = 256 * 1024
_READER_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Library:
    """A library with device code, by its path in the wheel; ``bytes`` is how much of it.

    ``codes`` is empty where the code does not tell what it is for.
    """

    path: str
    codes: tuple[str, ...]
    bytes: int


def unread_wheels(plan: ImagePlan, store: Store) -> list[LockedWheel]:
    """Return the wheels that must be read before :func:`check_device_code` can judge."""
    return [wheel for wheel, _ in _concerned(plan) if not store.marked(_key(plan, wheel))[0]]


def read_device_code(plan: ImagePlan, context: BuildContext, shelf: WheelShelf) -> None:
    """Read the wheels of ``plan`` that were never read before, and judge all.

    Raises:
        GpuTargetNotCovered: no device code runs on a target.
        WheelshipError: a wheel cannot be had or is malformed.
    """
    for wheel, waived in _concerned(plan):
        if not context.store.marked(_key(plan, wheel))[0]:
            rows = _read(shelf.wheel(wheel, waive_record=waived), _kind(plan))
            context.store.mark(_key(plan, wheel), rows)
    check_device_code(plan, context.store, context.emit)


def check_device_code(plan: ImagePlan, store: Store, emit: Emit) -> None:
    """Check the wheels' device code, as read before, against ``plan.gpu_targets``.

    The library with most device code must run on all targets. Another one that does not is worth a
    warning: torch 2.13 without its linear algebra still serves a T4.

    Raises:
        GpuTargetNotCovered: no device code runs on a target.
    """
    for wheel, _ in _concerned(plan):
        libraries = _known(store.marked(_key(plan, wheel))[1])
        if not libraries:
            continue
        main = max(libraries, key=lambda one: one.bytes)
        if main.codes and (lacking := lacking_targets(main.codes, plan.gpu_targets)):
            left = [one for one in plan.gpu_targets if one not in lacking]
            raise GpuTargetNotCovered(
                f"{wheel.name} {wheel.version} has no code for {', '.join(lacking)}; "
                f"{main.path} has {_text(main.codes)}",
                where=wheel.filename,
                hint="choose another version or build of it, or leave the GPU out:\n"
                f"gpu-targets = {json.dumps(left)}",
            )
        for one in libraries:
            if one.codes and (lacking := lacking_targets(one.codes, plan.gpu_targets)):
                emit(
                    Warned(
                        "gpu-target-partly-covered",
                        f"{wheel.name} {wheel.version}: {one.path} has no code for "
                        f"{', '.join(lacking)}, only for {_text(one.codes)}",
                        hint="what needs that library fails on such a GPU",
                    )
                )


def _concerned(plan: ImagePlan) -> list[tuple[LockedWheel, bool]]:
    """Return the wheels that decide, each with whether its RECORD is waived."""
    if not plan.gpu_targets:
        return []
    return [
        (wheel, wheel.name in recipe.waived)
        for recipe in (layer.recipe for layer in plan.layers)
        if isinstance(recipe, WheelsRecipe)
        for wheel in recipe.wheels
        if wheel.name in plan.gpu_packages
    ]


def _key(plan: ImagePlan, wheel: LockedWheel) -> Digest:
    kind = _kind(plan)
    return Digest.of(canonical_json(["device code", _READER_VERSION, kind, wheel.sha256]))


def _kind(plan: ImagePlan) -> str:
    return "gfx" if plan.gpu_targets[0].startswith("gfx") else "sm"


def _text(codes: tuple[str, ...]) -> str:
    """Return the codes for people, in order."""
    if any(one.startswith("gfx") for one in codes):
        return ", ".join(sorted(codes, key=lambda one: (len(one), one)))
    return targets_text(map(parse_target, codes))


def _known(rows: list[dict[str, Any]]) -> list[_Library]:
    return [
        _Library(path=row["path"], codes=tuple(row["codes"]), bytes=row["bytes"]) for row in rows
    ]


def _read(wheel: Wheel, kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, member in wheel.members.items():
        if member.size_bytes < _SMALLEST_BYTES or not LIBRARY.search(name):
            continue
        look = _amd if kind == "gfx" else _nvidia
        codes, count = look(wheel.pieces(name))
        if codes or count:
            rows.append({"path": name, "codes": codes, "bytes": count})
    return rows


def _nvidia(pieces: Iterator[bytes]) -> tuple[list[str], int]:
    from wheelship.wheel.fatbin import FatbinReader

    reader = FatbinReader()
    for piece in pieces:
        reader.feed(piece)
    return [str(code) for code in sorted(reader.found)], reader.device_bytes


def _amd(pieces: Iterator[bytes]) -> tuple[list[str], int]:
    """Return no codes for a library with compressed ones: of it nothing can be said."""
    from wheelship.wheel.offload import OffloadReader

    reader = OffloadReader()
    count = 0
    for piece in pieces:
        reader.feed(piece)
        count += len(piece)
    return ([], count) if reader.hidden else (sorted(reader.found), reader.device_bytes)
