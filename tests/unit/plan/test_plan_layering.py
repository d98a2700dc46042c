# SPDX-License-Identifier: Apache-2.0
"""Which wheels get a layer of their own, and which share one (DESIGN §10)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from wheelship.lock.model import LockedWheel
from wheelship.plan.layering import GROUPS, HEAVY_BYTES, Layering, arrange


def wheel(name: str, size: int = 1000, tags: str = "py3-none-any") -> LockedWheel:
    return LockedWheel(
        name=name,
        version="1.0",
        filename=f"{name.replace('-', '_')}-1.0-{tags}.whl",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        size_bytes=size,
    )


def names(layering: Layering) -> list[list[str]]:
    return [[one.name for one in group] for group in layering.groups]


def layers(layering: Layering) -> int:
    """Return how many layers the image gets at most: five fixed ones, wheels, bytecode."""
    wheels = len(layering.own) + len(layering.groups)
    return 5 + wheels + len(layering.own_bytecode) + len(layering.bytecode_groups())


LIGHT = [wheel(f"light-{number}") for number in range(60)]
HEAVY = [wheel(f"heavy-{number}", HEAVY_BYTES + number, "cp311-cp311-linux") for number in range(5)]


def test_heavy_wheels_come_first_largest_on_top() -> None:
    """Order: heavy wheels, one layer each; the largest begins to download first."""
    layering = arrange([*LIGHT, *HEAVY], 40)
    assert [one.name for one in layering.own] == [f"heavy-{n}" for n in (4, 3, 2, 1, 0)]
    assert layering.own_bytecode == {one.name for one in HEAVY}


@pytest.mark.parametrize(("size", "own"), [(HEAVY_BYTES - 1, 0), (HEAVY_BYTES, 1)])
def test_a_wheel_is_heavy_from_two_megabytes_on(size: int, own: int) -> None:
    assert len(arrange([wheel("a", size)], 40).own) == own


def test_light_wheels_are_grouped_by_name_alone() -> None:
    layering = arrange(LIGHT, 40)
    assert layering.own == ()
    assert len(layering.groups) == GROUPS - GROUPS // 4
    assert all(group == sorted(group) for group in names(layering))
    assert sorted(name for group in names(layering) for name in group) == sorted(
        one.name for one in LIGHT
    )


def test_wheels_for_one_platform_do_not_spoil_the_groups_of_pure_ones() -> None:
    """Pure wheels and their bytecode are the same layers in the images of all architectures."""
    binary = {
        machine: [wheel(f"bin-{n}", tags=f"cp311-cp311-linux_{machine}") for n in range(9)]
        for machine in ("x86_64", "aarch64")
    }
    ours, others = (arrange([*LIGHT, *found], 40) for found in binary.values())
    assert len(ours.groups) == GROUPS
    pure = [group for group in ours.groups if group[0].filename.endswith("-any.whl")]
    assert len(pure) == GROUPS - GROUPS // 4
    assert [group for group in others.groups if group in ours.groups] == pure
    assert set(pure) <= set(ours.bytecode_groups()) & set(others.bytecode_groups())
    assert pure == list(arrange(LIGHT, 40).groups), "what joins elsewhere moves none of them"


def test_nothing_gives_no_groups() -> None:
    layering = arrange([], 40)
    assert (layering.own, layering.groups, layering.bytecode_groups()) == ((), (), ())


def test_libraries_have_no_bytecode_layer_of_their_own() -> None:
    """``py3-none-manylinux…`` wheels hold a handful of modules; these join a group."""
    library = wheel("nvidia-cublas", 500_000_000, "py3-none-manylinux_2_27_x86_64")
    code = wheel("torch", 800_000_000, "cp311-cp311-manylinux_2_28_x86_64")
    pure = wheel("sympy", 6_000_000)
    layering = arrange([library, code, pure, LIGHT[0]], 40)
    assert [one.name for one in layering.own] == ["torch", "nvidia-cublas", "sympy"]
    assert layering.own_bytecode == {"torch", "sympy"}
    grouped = {one.name for group in layering.bytecode_groups() for one in group}
    assert grouped == {"nvidia-cublas", "light-0"}


@pytest.mark.parametrize("limit", range(7, 60))
def test_the_limit_is_kept(limit: int) -> None:
    """Docker refuses the 126th layer; the default budget is 40 (DESIGN §10)."""
    heavy = [
        wheel(f"h-{number}", 9_000_000 + number, "py3-none-linux" if number % 3 else "cp311-x-y")
        for number in range(50)
    ]
    layering = arrange([*LIGHT, *heavy], limit)
    assert layers(layering) <= limit
    if limit >= 5 + 2 * GROUPS:
        assert layers(layering) >= limit - 1, "heavy wheels get all the layers there are"


@pytest.mark.parametrize("limit", [1, 5, 6])
def test_an_impossible_limit_gives_one_group(limit: int) -> None:
    layering = arrange([*LIGHT, *HEAVY], limit)
    assert (len(layering.own), len(layering.groups), len(layering.bytecode_groups())) == (0, 1, 1)


def test_bumping_a_light_wheel_touches_its_group_only() -> None:
    """Bumping one light package changes one small group."""
    before = arrange([*LIGHT, *HEAVY], 40)
    bumped = [replace(one, version="2.0", sha256="0" * 64) for one in LIGHT[:1]]
    after = arrange([*bumped, *LIGHT[1:], *HEAVY], 40)
    different = [
        pair for pair in zip(before.groups, after.groups, strict=True) if len(set(pair)) > 1
    ]
    assert len(different) == 1
    assert before.own == after.own
