# SPDX-License-Identifier: Apache-2.0
"""The Debian part of a lock: whatever is read back is safe to use."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from wheelship.debian.errors import InvalidDebianLock
from wheelship.debian.lock import DebianLock, LockedSuite
from wheelship.testing.deb import make_deb

LOCK = DebianLock(
    release="bookworm",
    architecture="amd64",
    suites=(LockedSuite(name="bookworm", archive="main", date="2026-07-01T12:00:00Z"),),
    packages=(
        make_deb("curl", "1:2~x+y-3").locked(group="system", requested=True),
        make_deb("libc6").locked(),
        make_deb("tzdata", architecture="all").locked(),
    ),
)


def _document() -> Any:
    return copy.deepcopy(LOCK.to_json())


def test_a_lock_survives_json() -> None:
    again = DebianLock.from_json(json.loads(json.dumps(LOCK.to_json())))
    assert again == LOCK
    assert again.requested == ("curl",)
    assert again.size_bytes == sum(one.size_bytes for one in LOCK.packages)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../libc6"),
        ("name", "LIBC6"),
        ("version", "1 2"),
        ("version", "1/2"),
        ("architecture", "arm64"),
        ("archive", "backports"),
        ("filename", "pool/../../etc/passwd.deb"),
        ("filename", "/pool/x.deb"),
        ("filename", "http://example.org/x.deb"),
        ("filename", "pool/x.deb?y"),
        ("filename", "pool/x.deb\n"),
        ("sha256", "0" * 63),
        ("sha256", "G" * 64),
        ("size_bytes", 0),
        ("size_bytes", "12"),
        ("size_bytes", True),
        ("source", ""),
        ("group", "other"),
        ("requested", 1),
        ("requested", "yes"),
        ("unknown", "x"),
    ],
)
def test_a_value_that_cannot_be_right_is_named(key: str, value: object) -> None:
    document = _document()
    document["packages"][1][key] = value
    with pytest.raises(InvalidDebianLock, match=key) as caught:
        DebianLock.from_json(document)
    assert caught.value.hint == "make the lock anew: wheelship lock"


@pytest.mark.parametrize("key", sorted(_document()["packages"][0]))
def test_a_missing_key_is_named(key: str) -> None:
    document = _document()
    del document["packages"][0][key]
    with pytest.raises(InvalidDebianLock, match=rf"debian\.packages\[0\]\.{key}"):
        DebianLock.from_json(document)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.pop("release"), "debian.release"),
        (lambda one: one.update(release="Book Worm"), "release"),
        (lambda one: one.update(extra=1), "unknown key 'extra'"),
        (lambda one: one.update(packages={}), "debian.packages must be a list"),
        (lambda one: one.update(packages=[1]), r"debian.packages\[0\] must be a table"),
        (lambda one: one["packages"].reverse(), "not sorted"),
        (lambda one: one["packages"].append(one["packages"][-1]), "twice"),
        (lambda one: one["suites"][0].update(date="yesterday"), "date"),
        (lambda one: one["suites"][0].update(archive="x"), "archive"),
    ],
)
def test_a_document_of_another_shape_is_refused(change: Any, message: str) -> None:
    document = _document()
    change(document)
    with pytest.raises(InvalidDebianLock, match=message):
        DebianLock.from_json(document)


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_table_is_refused(document: object) -> None:
    with pytest.raises(InvalidDebianLock, match="debian must be a table"):
        DebianLock.from_json(document)
