# SPDX-License-Identifier: Apache-2.0
"""Layers upon each other: what is hidden, by which layer, and what content remains."""

from __future__ import annotations

import pytest

from wheelship.archive.untar import InvalidLayer
from wheelship.inspect import tree
from wheelship.inspect.model import Entry
from wheelship.inspect.tree import overlay
from wheelship.testing.contents import entry


def hidden(*layers: list[Entry]) -> dict[str, str]:
    """Return, for each entry that is hidden, ``path@layer`` → by which, and whether deleted."""
    fates = overlay(layers)
    flat = [(number, one) for number, layer in enumerate(layers) for one in layer]
    return {
        f"{one.path}@{number}": f"{by}{' deleted' if fates.deleted[index] else ''}"
        for index, (number, one) in enumerate(flat)
        if (by := fates.hidden_by[index]) >= 0
    }


def test_a_later_file_replaces() -> None:
    assert hidden([entry("a/x"), entry("a/y")], [entry("a/x")]) == {"a/x@0": "1"}


def test_a_whiteout_deletes_what_lower_layers_have_and_all_below() -> None:
    lower = [entry("a", "directory"), entry("a/b/c"), entry("a/d"), entry("ab")]
    assert hidden(lower, [entry("a", "whiteout")]) == {
        "a@0": "1 deleted",
        "a/b/c@0": "1 deleted",
        "a/d@0": "1 deleted",
    }


def test_a_whiteout_hides_nothing_of_its_own_layer_wherever_it_stands() -> None:
    assert hidden([entry("a/x")], [entry("a/y"), entry("a", "whiteout")]) == {"a/x@0": "1 deleted"}
    assert hidden([entry("a/x")], [entry("a", "whiteout"), entry("a/y")]) == {"a/x@0": "1 deleted"}


def test_what_is_deleted_and_made_anew_in_one_layer_is_overwritten() -> None:
    found = hidden([entry("a/x"), entry("a/y")], [entry("a", "whiteout"), entry("a/x")])
    assert found == {"a/x@0": "1", "a/y@0": "1 deleted"}


def test_so_is_a_directory_that_several_layers_have() -> None:
    lower, upper = [entry("a", "directory"), entry("a/x")], [entry("a", "directory")]
    found = hidden(lower, upper, [entry("a", "whiteout"), entry("a", "directory")])
    assert found == {"a@0": "2", "a@1": "2", "a/x@0": "2 deleted"}


def test_what_a_later_layer_makes_anew_was_deleted_all_the_same() -> None:
    found = hidden([entry("a/x")], [entry("a/x", "whiteout")], [entry("a/x")])
    assert found == {"a/x@0": "1 deleted"}


def test_an_opaque_directory_hides_lower_content_but_neither_itself_nor_its_siblings() -> None:
    lower = [entry("a", "directory"), entry("a/x"), entry("b")]
    upper = [entry("a", "directory"), entry("a", "opaque"), entry("a/y")]
    assert hidden(lower, upper) == {"a/x@0": "1 deleted"}


def test_a_whiteout_of_nothing_does_nothing() -> None:
    assert hidden([entry("a")], [entry("b/c", "whiteout"), entry("a/b", "whiteout")]) == {}


def test_a_file_over_a_directory_takes_its_subtree_away() -> None:
    lower = [entry("a", "directory"), entry("a/b", "directory"), entry("a/b/c")]
    assert hidden(lower, [entry("a")]) == {"a@0": "1", "a/b@0": "1", "a/b/c@0": "1"}


@pytest.mark.parametrize("upper", [entry("a", "directory"), entry("a/b")], ids=["entry", "parent"])
def test_a_directory_over_a_file_hides_it(upper: Entry) -> None:
    assert hidden([entry("a")], [upper]) == {"a@0": "1"}


def test_a_directory_over_a_directory_merges_and_both_go_when_it_is_deleted() -> None:
    twice = [[entry("a", "directory"), entry("a/x")], [entry("a", "directory"), entry("a/y")]]
    assert hidden(*twice) == {}
    assert hidden(*twice, [entry("a", "whiteout")]) == {
        "a@0": "2 deleted",
        "a/x@0": "2 deleted",
        "a@1": "2 deleted",
        "a/y@1": "2 deleted",
    }


def test_the_last_of_two_entries_of_one_layer_counts() -> None:
    first, second = entry("a", size=1), entry("a", size=2)
    fates = overlay([[first, second]])
    assert list(fates.hidden_by) == [0, -1]


def test_a_path_below_a_lower_link_replaces_the_link_as_overlayfs_does() -> None:
    lower = [entry("lib", "symlink", target="usr/lib"), entry("usr/lib/x")]
    assert hidden(lower, [entry("lib/x")]) == {"lib@0": "1"}


@pytest.mark.parametrize("target", ["usr/lib", "/usr/lib", "usr/../usr/./lib", "../../usr/lib"])
def test_a_path_below_a_link_of_its_own_layer_goes_through_it(target: str) -> None:
    lower = [entry("usr/lib/x")]
    upper = [entry("lib", "symlink", target=target), entry("lib/x")]
    assert hidden(lower, upper) == {"usr/lib/x@0": "1"}


def test_an_absolute_link_leads_from_the_root() -> None:
    upper = [entry("x/lib", "symlink", target="/usr/lib"), entry("x/lib/x")]
    assert hidden([entry("usr/lib/x"), entry("x/usr/lib/x")], upper) == {"usr/lib/x@0": "1"}


def test_a_path_below_a_file_of_its_own_layer_makes_it_a_directory() -> None:
    assert hidden([entry("d/x"), entry("d"), entry("d/y")]) == {"d/x@0": "0", "d@0": "0"}


def test_a_link_that_leads_to_itself_ends() -> None:
    upper = [entry("a", "symlink", target="a"), entry("a/x")]
    assert hidden([], upper) == {"a@1": "1"}


def test_content_lives_as_long_as_one_of_its_names() -> None:
    lower = [
        entry("a", size=9),
        entry("b", "hardlink", target="a"),
        entry("c", "hardlink", target="b"),
    ]
    assert hidden(lower, [entry("a", "whiteout")]) == {}
    gone = [entry("a", "whiteout")], [entry("b", "whiteout")]
    assert hidden(lower, *gone) == {"b@0": "2 deleted"}
    assert hidden(lower, *gone, [entry("c")]) == {
        "a@0": "3",
        "b@0": "2 deleted",
        "c@0": "3",
    }


def test_a_hard_link_to_nothing_or_to_itself_does_no_harm() -> None:
    assert hidden([entry("b", "hardlink", target="a")], [entry("b", "whiteout")]) == {
        "b@0": "1 deleted"
    }
    twice = [entry("a", size=9), entry("a", "hardlink", target="a")]
    assert list(overlay([twice]).hidden_by) == [-1, -1]


def test_a_path_of_many_steps_needs_no_recursion() -> None:
    deep = "/".join("a" * 100_000)
    assert hidden([entry(deep)], [entry("a", "whiteout")]) == {f"{deep}@0": "1 deleted"}


def test_more_directories_than_any_image_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_DIRECTORIES_MAX", 10)
    assert hidden([entry("a/b/c/d/e/f/g/h/i/j/x")]) == {}
    with pytest.raises(InvalidLayer, match="more than 10 directories"):
        overlay([[entry("a/b/c/d/e/f/g/h/i/j/k/x")]])
