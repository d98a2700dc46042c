# SPDX-License-Identifier: Apache-2.0
"""Layering: complete, within its limit, and stable under the changes that happen every day."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from wheelship.lock.model import LockedWheel
from wheelship.plan.layering import HEAVY_BYTES, arrange

NAMES = st.text("abcdefghij-0123456789", min_size=1, max_size=12)
TAGS = st.sampled_from(["py3-none-any", "cp311-cp311-linux_x86_64", "py3-none-linux_x86_64"])
SIZES = st.one_of(st.integers(1, HEAVY_BYTES - 1), st.integers(HEAVY_BYTES, 10**9))
LIMITS = st.integers(7, 100)


@st.composite
def wheels(draw: st.DrawFn) -> LockedWheel:
    name = draw(NAMES)
    return LockedWheel(
        name=name,
        version="1",
        filename=f"{name.replace('-', '_')}-1-{draw(TAGS)}.whl",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        size_bytes=draw(SIZES),
    )


SETS = st.lists(wheels(), max_size=60, unique_by=lambda one: one.name)


@given(SETS, LIMITS)
def test_each_wheel_is_in_one_layer_and_its_bytecode_in_one(
    found: list[LockedWheel], limit: int
) -> None:
    layering = arrange(found, limit)
    grouped = [one for group in layering.groups for one in group]
    assert sorted([*layering.own, *grouped], key=lambda one: one.name) == sorted(
        found, key=lambda one: one.name
    )
    compiled = [one.name for group in layering.bytecode_groups() for one in group]
    assert sorted([*compiled, *layering.own_bytecode]) == sorted(one.name for one in found)
    assert all(layering.groups)
    assert all(one.size_bytes >= HEAVY_BYTES for one in layering.own)


@given(SETS, LIMITS)
def test_the_limit_is_kept(found: list[LockedWheel], limit: int) -> None:
    layering = arrange(found, limit)
    count = len(layering.own) + len(layering.groups)
    count += len(layering.own_bytecode) + len(layering.bytecode_groups())
    assert 5 + count <= limit


@given(SETS, LIMITS, st.randoms(use_true_random=False))
def test_the_order_of_the_lock_does_not_matter(
    found: list[LockedWheel], limit: int, random: Random
) -> None:
    """Equal inputs give an equal plan."""
    shuffled = random.sample(found, len(found))
    assert arrange(shuffled, limit) == arrange(found, limit)


@given(SETS, wheels(), LIMITS)
def test_a_new_light_wheel_moves_no_other(
    found: list[LockedWheel], new: LockedWheel, limit: int
) -> None:
    """DESIGN §10: grouping is stable; adding or removing touches one group."""
    assume(new.name not in {one.name for one in found})
    light = replace(new, size_bytes=min(new.size_bytes, HEAVY_BYTES - 1))
    before, after = arrange(found, limit), arrange([*found, light], limit)
    assert before.own == after.own
    without = [tuple(one for one in group if one != light) for group in after.groups]
    assert [group for group in without if group] == list(before.groups)
    changed = [group for group in after.groups if group not in before.groups]
    assert len(changed) == 1


@given(SETS, LIMITS, st.data())
def test_bumping_a_wheel_that_stays_light_changes_one_layer(
    found: list[LockedWheel], limit: int, data: st.DataObject
) -> None:
    light = [one for one in found if one.size_bytes < HEAVY_BYTES]
    assume(light)
    old = data.draw(st.sampled_from(light))
    new = replace(old, version="2", sha256="0" * 64, size_bytes=old.size_bytes // 2)
    before = arrange(found, limit)
    after = arrange([new if one == old else one for one in found], limit)
    assert before.own == after.own
    assert len(set(after.groups) - set(before.groups)) == 1
    assert len(set(after.bytecode_groups()) - set(before.bytecode_groups())) == 1
