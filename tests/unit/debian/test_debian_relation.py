# SPDX-License-Identifier: Apache-2.0
"""Relations and versions (Debian Policy §7.1, §5.6.12)."""

from __future__ import annotations

import pytest

from wheelship.debian.errors import IndexMismatch
from wheelship.debian.relation import (
    Provided,
    Relation,
    newest_first,
    parse_provides,
    parse_relations,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("libc6", [["libc6"]]),
        ("libc6 (>= 2.36)", [["libc6 (>= 2.36)"]]),
        ("libc6(>=2.36)", [["libc6 (>= 2.36)"]]),
        ("a | b (<< 1:2~rc1-3) , c", [["a", "b (<< 1:2~rc1-3)"], ["c"]]),
        ("python3:any (>= 3.11), g++", [["python3 (>= 3.11)"], ["g++"]]),
        ("a [amd64 arm64]", [["a"]]),
        ("a,\n b", [["a"], ["b"]]),
    ],
)
def test_relations_are_read(text: str, expected: list[list[str]]) -> None:
    groups = parse_relations(text, where="x")
    assert [[str(one) for one in group] for group in groups] == expected


@pytest.mark.parametrize(
    "text", ["A", "a (", "a (>= )", "a (=> 1)", "a (> 1)", "a b", "a | ", "-a"]
)
def test_what_is_no_relation_is_refused(text: str) -> None:
    with pytest.raises(IndexMismatch, match="unreadable relation"):
        parse_relations(text, where="x")


def test_provisions_keep_their_version() -> None:
    expected = (Provided("libssl3", "3.5.9-1"), Provided("mail"))
    assert parse_provides("libssl3 (= 3.5.9-1), mail", where="x") == expected


@pytest.mark.parametrize(
    ("operator", "allowed"),
    [("<<", [0]), ("<=", [0, 1]), ("=", [1]), (">=", [1, 2]), (">>", [2])],
)
def test_operators(operator: str, allowed: list[int]) -> None:
    relation = Relation("a", operator, "1.0-1")
    versions = ["1.0~rc1-1", "1.0-1", "1:0.1"]
    assert [at for at, one in enumerate(versions) if relation.allows(one)] == allowed


def test_an_unversioned_provision_satisfies_no_version() -> None:
    """Policy §7.5: such relationships may not be satisfied by an unversioned provision."""
    assert not Relation("a", ">=", "0").allows(None)
    assert Relation("a").allows(None)


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    versions = ["1.0", "1:0.1", "1.0-1", "1.0~rc1", "1.0-1+b1", "1.0+dfsg", "1.0-1~bpo12+1", "1.0a"]
    assert newest_first(versions) == [
        "1:0.1",
        "1.0+dfsg",
        "1.0a",
        "1.0-1+b1",
        "1.0-1",
        "1.0-1~bpo12+1",
        "1.0",
        "1.0~rc1",
    ]
