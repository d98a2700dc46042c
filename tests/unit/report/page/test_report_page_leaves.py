# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.inspect.model import Contents, Finding, Owner, Sizes
from wheelship.report.page.leaves import Forest, Limits, grow
from wheelship.report.page.places import Places
from wheelship.testing.inspection import Made, make_contents

TORCH = Owner("python", "torch", "2.13.0")
LIBC = Owner("debian", "libc6", "2.36")
_NAMES = st.sampled_from(["a", "b", "lib", "x.so", "\udcff", "<i>"])
_MADE = st.builds(
    Made,
    path=st.lists(_NAMES, min_size=1, max_size=5).map("/".join),
    size=st.integers(0, 10_000),
    owner=st.sampled_from([TORCH, LIBC, Owner("unknown", "unknown")]),
    kind=st.sampled_from(["data", "python"]),
    entry=st.sampled_from(["file", "directory", "symlink", "whiteout"]),
)
_LIMITS = st.builds(Limits, st.integers(1, 40), st.integers(1, 4), st.integers(1, 3))


def forest_of(contents: Contents, limits: Limits, *findings: Finding) -> Forest:
    return grow(contents, Places(contents.items, findings), limits)


def finding(*paths: str) -> Finding:
    return Finding(code="c", title="t", reason="r", fix="f", sizes=Sizes(), paths=paths)


def paths_of(forest: Forest) -> dict[str, Any]:
    ways = [""]
    for parent, name in forest.directories[1:]:
        ways.append(f"{ways[parent]}/{name}")
    return {f"{ways[leaf.directory]}/{leaf.name}": leaf for leaf in forest.leaves}


@given(layers=st.lists(st.lists(_MADE, max_size=12), min_size=1, max_size=4), limits=_LIMITS)
def test_leaves_add_up_to_the_image_whatever_the_limits(
    layers: list[list[Made]], limits: Limits
) -> None:
    """No byte is lost or invented, in each of the three sizes, by type of owner and by kind."""
    contents = make_contents(*layers)
    forest = forest_of(contents, limits)
    assert sum((one.sizes for one in forest.leaves), Sizes()) == contents.sizes
    assert sum(one.entries for one in forest.leaves) == len(contents.items)
    for of_leaf, of_item in (
        (lambda leaf: forest.kinds[leaf.group.kind], lambda item: item.kind),
        (lambda leaf: forest.owners[leaf.group.owner].type, lambda item: item.owner.type),
        (lambda leaf: leaf.group.state > 0, lambda item: item.hidden_by is not None),
    ):
        wanted, found = defaultdict(Sizes), defaultdict(Sizes)
        for item in contents.items:
            wanted[of_item(item)] += item.sizes
        for leaf in forest.leaves:
            found[of_leaf(leaf)] += leaf.sizes
        assert found == wanted


@given(layers=st.lists(st.lists(_MADE, max_size=12), min_size=1, max_size=3))
def test_parents_stand_before_their_children(layers: list[list[Made]]) -> None:
    """The page's script relies on it."""
    forest = forest_of(make_contents(*layers), Limits(5))
    assert all(parent < at for at, (parent, _) in enumerate(forest.directories) if at)


def test_what_is_small_joins_a_bucket_of_its_directory() -> None:
    """Large files stay what they are."""
    small = [Made(f"opt/torch/{at}.py", 10, TORCH) for at in range(200)]
    contents = make_contents([Made("opt/torch/lib.so", 90_000, TORCH), *small])
    leaves = paths_of(forest_of(contents, Limits(1)))
    assert leaves["/opt/torch/lib.so"].sizes.effective == 90_000
    # Two hundred of them weigh as much as a leaf of its own must.
    assert (leaves["/opt/torch/"].entries, leaves["/opt/torch/"].files) == (200, 200)
    assert leaves["/opt/torch/"].sizes.effective == 2000


def test_a_bucket_too_small_to_be_seen_moves_up() -> None:
    """Thousands of directories with a small file each must not fill the page."""
    scattered = [Made(f"opt/{at}/x", 1, TORCH) for at in range(50)]
    forest = forest_of(make_contents([Made("big", 10_000_000), *scattered]), Limits(1))
    assert forest.directories == ((0, ""),)
    assert [one.entries for one in forest.leaves if one.files and not one.name] == [50]


def test_buckets_keep_apart_what_a_page_tells_apart() -> None:
    """Owner, kind, layer, hidden or not, and finding."""
    first = [
        Made("d/a", 1, TORCH),
        Made("d/b", 1, LIBC),
        Made("d/c", 1, TORCH, "python"),
        Made("d/gone", 1, TORCH),
        Made("d/found", 1, TORCH),
    ]
    second = [Made("d/gone", entry="whiteout"), Made("d/e", 1, TORCH)]
    contents = make_contents([Made("big", 10_000_000), *first], second)
    forest = forest_of(contents, Limits(1), finding("d/found"))
    groups = Counter(one.group for one in forest.leaves if one.files and not one.name)
    assert len(groups) == 6
    assert forest.marks == ((), (0,))


def test_a_finding_that_names_a_directory_marks_all_below() -> None:
    """Rules name directories where everything in them is waste."""
    contents = make_contents([Made("opt/tests/a/b"), Made("opt/testsuite"), Made("opt/c")])
    forest = forest_of(contents, Limits(100), finding("opt/tests"), finding("/opt/c", "opt"))
    marks = {path: forest.marks[leaf.group.mark] for path, leaf in paths_of(forest).items()}
    assert marks["/opt/tests/a/b"] == (0, 1)
    assert marks["/opt/testsuite"] == (1,)
    assert marks["/(manifest)"] == ()


def test_a_path_of_absurd_depth_ends_somewhere() -> None:
    """Whoever walks the tree does so by recursion."""
    contents = make_contents(
        [Made("/".join("a" * 5000), 5), Made("/".join("a" * 5000) + "/d/e", 7)]
    )
    forest = forest_of(contents, Limits(100))
    assert len(forest.directories) <= 41
    assert sum((one.sizes for one in forest.leaves), Sizes()) == contents.sizes


def test_the_smallest_owners_and_layers_are_counted_together() -> None:
    """An image of ten thousand packages still fits."""
    layers = [[Made(f"{at}", 1000 * (9 - at), Owner("python", f"p{at}"))] for at in range(5)]
    forest = forest_of(make_contents(*layers), Limits(100, owners=3, layers=2))
    names = [one.name for one in forest.owners]
    assert names == ["p0", "p1", "p2", "1 smaller ones", "2 smaller ones"]
    assert forest.layer_numbers == ("documents", "0", "1", "3 smaller layers")


@pytest.mark.parametrize("factor", [0.9, 0.001])
def test_scaled_limits_never_reach_zero(factor: float) -> None:
    """The loop that makes a page small enough ends."""
    limits = Limits(60_000)
    for _ in range(200):
        limits = limits.scaled(factor)
    assert limits == Limits(1, 1, 1)
