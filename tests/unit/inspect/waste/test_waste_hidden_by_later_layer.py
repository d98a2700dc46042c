# SPDX-License-Identifier: Apache-2.0
"""Files that a later layer hides."""

from __future__ import annotations

from dataclasses import replace

from wheelship.inspect.model import Expectation, Sizes
from wheelship.inspect.waste.rules import find_waste
from wheelship.testing.inspection import Made, make_contents
from wheelship.testing.waste import waste

BIG = 2_000_000


def test_names_both_layers_of_what_was_deleted() -> None:
    (found,) = waste(
        "hidden-by-later-layer",
        [Made("opt/build/x.tar", BIG), Made("opt/kept", BIG)],
        [Made("opt/build/x.tar", entry="whiteout")],
    )
    assert found.title == "Deleted in a later layer"
    assert "layer 1 (step 0)" in found.reason
    assert "layer 2 (step 1)" in found.reason
    # Hidden bytes are in no container: nothing effective is saved.
    assert found.sizes == Sizes(BIG // 2 + 100, 512 + (BIG + 511) // 512 * 512, 0)


def test_tells_unchanged_content_from_other_content() -> None:
    """The copy that ``chown -R`` makes has another fix than a file that was installed twice."""
    below = [Made("app/model", BIG, content=b"same"), Made("app/lib", BIG, content=b"old")]
    above = [Made("app/model", BIG, content=b"same"), Made("app/lib", BIG, content=b"new")]
    found = {one.title: one for one in waste("hidden-by-later-layer", below, above)}
    assert set(found) == {"Unchanged, and again in a later layer", "Overwritten in a later layer"}
    assert "--chown" in found["Unchanged, and again in a later layer"].fix


def test_has_one_finding_for_each_pair_of_layers() -> None:
    found = waste(
        "hidden-by-later-layer",
        [Made("a", BIG), Made("b", 2 * BIG)],
        [Made("a", entry="whiteout")],
        [Made("b", entry="whiteout")],
    )
    assert [one.paths for one in found] == [("b",), ("a",)]


def test_leaves_alone_what_every_installation_writes_anew() -> None:
    status = "var/lib/dpkg/status"
    assert (
        waste(
            "hidden-by-later-layer",
            [Made(status, BIG, content=b"1")],
            [Made(status, BIG, content=b"2")],
        )
        == []
    )
    deleted = waste("hidden-by-later-layer", [Made(status, BIG)], [Made(status, entry="whiteout")])
    assert [one.title for one in deleted] == ["Deleted in a later layer"]


def test_does_not_count_content_that_another_name_still_shows() -> None:
    found = waste(
        "hidden-by-later-layer",
        [Made("one", BIG), Made("two", entry="hardlink", target="one")],
        [Made("one", entry="whiteout")],
    )
    assert found == []


def test_does_not_count_content_that_is_still_effective() -> None:
    """As of a file whose further name is in another layer: what counts is what is seen."""
    contents = make_contents([Made("one", BIG)], [Made("one", entry="whiteout")])
    (hidden,) = (item for item in contents.items if item.hidden_by is not None)
    seen = replace(hidden, effective_bytes=BIG)
    items = tuple(seen if item is hidden else item for item in contents.items)
    assert find_waste(contents, Expectation()) != ()
    assert find_waste(replace(contents, items=items), Expectation()) == ()
