# SPDX-License-Identifier: Apache-2.0
"""A tree of which only the largest branches are shown still holds every byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.inspect.measure import MEASURES, Measure, measured
from wheelship.inspect.model import Sizes
from wheelship.report.inspection_tree import Branch, PathTree
from wheelship.testing.inspection import Made, make_contents

PART = st.sampled_from(["a", "b", "c", "d"])
MADE = st.builds(
    Made,
    path=st.lists(PART, min_size=1, max_size=5).map("/".join),
    size=st.integers(0, 10**6),
    entry=st.sampled_from(["file", "file", "directory", "symlink", "whiteout"]),
)


def walk(branch: Branch) -> Iterator[Branch]:
    yield branch
    for one in branch.branches:
        yield from walk(one)


@given(
    st.lists(st.lists(MADE, max_size=12, unique_by=lambda one: one.path), max_size=3),
    st.sampled_from(MEASURES),
    st.integers(0, 12),
    st.none() | st.integers(1, 5),
)
def test_every_branch_adds_up(
    layers: list[list[Made]], measure: Measure, count: int, depth: int | None
) -> None:
    contents = make_contents(*layers)
    root = PathTree(contents.items).largest(measure, count=count, depth=depth)
    assert root.sizes == contents.sizes
    shown = list(walk(root))
    assert len(shown) <= count + 1
    for one in shown:
        assert sum((below.sizes for below in one.branches), one.rest) == one.sizes
        assert one.rest_files + sum(below.files for below in one.branches) == one.files
        assert min(one.rest.transfer, one.rest.unpacked, one.rest.effective) >= 0
        sizes = [measured(below.sizes, measure) for below in one.branches]
        assert sizes == sorted(sizes, reverse=True)
        for below in one.branches:
            assert not one.path or below.path.startswith(f"{one.path}/")
            assert depth is None or below.path.count("/") < depth
        below_it = [
            item
            for item in contents.items
            if not one.path
            or item.entry.path == one.path
            or item.entry.path.startswith(f"{one.path}/")
        ]
        if one.is_directory and all(
            item.entry.path != one.path or item.entry.kind == "directory" for item in contents.items
        ):
            assert one.sizes == sum((item.sizes for item in below_it), Sizes())


def test_directories_that_hold_only_the_next_are_one_line() -> None:
    contents = make_contents(
        [
            Made("opt", entry="directory"),
            Made("opt/venv", entry="directory"),
            Made("opt/venv/lib", entry="directory"),
            Made("opt/venv/lib/big", 5000),
            Made("opt/venv/lib/other", 4000),
        ]
    )
    root = PathTree(contents.items).largest("unpacked", count=10)
    assert [one.path for one in root.branches] == ["opt/venv/lib"]
    (lib,) = root.branches
    assert [one.path for one in lib.branches] == ["opt/venv/lib/big", "opt/venv/lib/other"]
    bounded = PathTree(contents.items).largest("unpacked", count=10, depth=2)
    assert [one.path for one in bounded.branches] == ["opt/venv"]
    assert not bounded.branches[0].branches


def test_the_largest_come_first_whatever_holds_them() -> None:
    contents = make_contents(
        [Made("a/x", 100_000), Made("a/y", 90_000), Made("b/z", 150_000), Made("c", 1)]
    )
    root = PathTree(contents.items).largest("effective", count=3)
    assert [one.path for one in walk(root)] == ["", "a", "b", "b/z"]
    assert root.rest.effective == 1
    assert root.branches[0].rest.effective == 190_000


def test_a_name_that_is_file_and_directory_counts_once() -> None:
    contents = make_contents([Made("a", 5000)], [Made("a/b", 7000)])
    root = PathTree(contents.items).largest("unpacked", count=9)
    assert sum((one.sizes for one in root.branches), root.rest) == contents.sizes


@pytest.mark.parametrize("measure", MEASURES)
def test_directories_may_be_deeper_than_python_recurses(measure: Measure) -> None:
    made = [Made("/".join("d" * depth) + "/f", 1000) for depth in range(1, 1500, 3)]
    contents = make_contents(made)
    root = PathTree(contents.items).largest(measure, count=2000)
    branch, depth = root, 0
    while branch.branches:
        branch, depth = branch.branches[0], depth + 1
    assert depth == 500
