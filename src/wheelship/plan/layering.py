# SPDX-License-Identifier: Apache-2.0
"""Which wheels get a layer of their own, and which share one (DESIGN §10).

Heavy wheels get their own layers, largest first, while the limit allows. Light ones fall into a
fixed number of groups by a hash of their name, so that a package that is added, removed or bumped
touches one group and never moves its neighbours to another. Wheels for one platform have groups of
their own: those of pure wheels are then the same layers in the images of all architectures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from wheelship.lock.model import LockedWheel

__all__ = ["GROUPS", "HEAVY_BYTES", "Layering", "arrange"]

GROUPS = 8
"""Groups of light wheels. With 8, bumping one of 37 packages moves 1-2 MB; fewer move more,
more would leave too few of the 40 layers to the heavy wheels of a CUDA image."""

HEAVY_BYTES = 2_000_000
"""Compressed size from which a wheel is worth a layer of its own."""

_FIXED_LAYERS = 5  # base, system packages, python, application, configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Layering:
    """``own`` in layer order (largest first); ``groups`` by ascending group number, none empty.

    ``own_bytecode`` are the names whose bytecode is a layer of its own; the bytecode of all
    others joins the group they fall into, one of ``group_count``.
    """

    own: tuple[LockedWheel, ...]
    groups: tuple[tuple[LockedWheel, ...], ...]
    own_bytecode: frozenset[str]
    group_count: int

    def bytecode_groups(self) -> tuple[tuple[LockedWheel, ...], ...]:
        """Return the wheels whose bytecode shares a layer, group by group."""
        rest = [wheel for wheel in self.own if wheel.name not in self.own_bytecode]
        light = [wheel for group in self.groups for wheel in group]
        return _grouped([*rest, *light], self.group_count)


def arrange(wheels: Iterable[LockedWheel], limit: int) -> Layering:
    """Divide ``wheels`` so that the image stays within ``limit`` layers.

    Each group takes a layer for its wheels and one for their bytecode. Only a limit that does not
    even leave room for one group is exceeded.
    """
    ordered = sorted(wheels, key=lambda wheel: (-wheel.size_bytes, wheel.name))
    group_count = max(1, min(GROUPS, (limit - _FIXED_LAYERS) // 2))
    left = limit - _FIXED_LAYERS - 2 * group_count
    own: list[LockedWheel] = []
    with_bytecode: set[str] = set()
    for wheel in ordered:
        cost = 1 if _binary_only(wheel) else 2
        if wheel.size_bytes < HEAVY_BYTES or cost > left:
            break
        own.append(wheel)
        left -= cost
        if cost > 1:
            with_bytecode.add(wheel.name)
    return Layering(
        own=tuple(own),
        groups=_grouped(ordered[len(own) :], group_count),
        own_bytecode=frozenset(with_bytecode),
        group_count=group_count,
    )


def _grouped(
    wheels: Iterable[LockedWheel], group_count: int
) -> tuple[tuple[LockedWheel, ...], ...]:
    groups: dict[int, list[LockedWheel]] = {}
    for_platform = group_count // 4  # with the usual 8: 6 for pure wheels, 2 for the others
    for wheel in sorted(wheels, key=lambda wheel: wheel.name):
        if for_platform and not _is_pure(wheel):
            number = group_count - for_platform + _group_of(wheel.name, for_platform)
        else:
            number = _group_of(wheel.name, group_count - for_platform)
        groups.setdefault(number, []).append(wheel)
    return tuple(tuple(groups[number]) for number in sorted(groups))


def _group_of(name: str, group_count: int) -> int:
    """Return the group of a normalised package name."""
    return hashlib.sha256(name.encode()).digest()[0] % group_count


def _is_pure(wheel: LockedWheel) -> bool:
    """Tell a wheel that is the same on all platforms."""
    return wheel.filename.endswith("-any.whl")


def _binary_only(wheel: LockedWheel) -> bool:
    """Tell a wheel that carries libraries (``py3-none-manylinux…``): its modules are a handful."""
    _, _, tags = wheel.filename.removesuffix(".whl").rpartition("-")
    abi = wheel.filename.removesuffix(".whl").split("-")[-2]
    return abi == "none" and tags != "any"
