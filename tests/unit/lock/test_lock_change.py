# SPDX-License-Identifier: Apache-2.0
"""What changed between two locks, why, and by how many bytes."""

from __future__ import annotations

from wheelship.lock.change import LockEntry, PackageChange, compare_locks


def locked(name: str, version: str, size: int = 0, *requires: str, on: str = "amd64") -> LockEntry:
    return LockEntry(
        platform=f"linux/{on}", name=name, version=version, size_bytes=size, requires=requires
    )


def test_versions_of_all_platforms_are_compared_together() -> None:
    old = [locked("same", "1"), locked("bumped", "1"), locked("gone", "3"), locked("split", "1")]
    new = [
        locked("same", "1"),
        locked("bumped", "2"),
        locked("new", "4"),
        locked("split", "1"),
        locked("split", "2", on="arm64"),
    ]
    change = compare_locks(old, new)
    assert [(one.name, one.new) for one in change.added] == [("new", "4")]
    assert [(one.name, one.old) for one in change.removed] == [("gone", "3")]
    assert [(one.name, one.old, one.new) for one in change.changed] == [
        ("bumped", "1", "2"),
        ("split", "1", "1, 2"),
    ]
    assert change
    assert not compare_locks(old, old[::-1])


def test_a_change_names_who_requires_it_and_what_it_weighs() -> None:
    old = [locked("app", "1", 10, "helper"), locked("helper", "1", 100)]
    new = [
        locked("app", "1", 10, "helper"),
        locked("more", "1", 5, "helper"),
        locked("helper", "2", 130),
        locked("app", "1", 10, "helper", on="arm64"),
        locked("helper", "2", 70, on="arm64"),
    ]
    change = compare_locks(old, new)
    assert change.changed == (
        PackageChange(
            name="helper",
            old="1",
            new="2",
            via=("app", "more"),
            growth_bytes={"linux/amd64": 30, "linux/arm64": 70},
        ),
    )
    assert change.added[0].via == ()
    assert change.bytes == {"linux/amd64": (110, 145), "linux/arm64": (None, 80)}


def test_a_removed_package_names_who_required_it() -> None:
    change = compare_locks(
        [locked("app", "1", 0, "old"), locked("old", "1", 7)], [locked("app", "1")]
    )
    assert change.removed[0].via == ("app",)
    assert change.removed[0].growth_bytes == {"linux/amd64": -7}
