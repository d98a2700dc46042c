# SPDX-License-Identifier: Apache-2.0
"""A past build as a line: what is written is read, what is not ours is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.history.line import UnreadableLine, is_ours, line_of, past_build_of
from wheelship.history.model import PastBuild
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

_COUNT = st.integers(0, 2**63 - 1)
_NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", fullmatch=True)
BUILDS = st.builds(
    PastBuild,
    time=st.datetimes(timezones=st.just(UTC)).map(
        lambda at: f"{at.replace(tzinfo=None).isoformat()}Z"
    ),
    name=_NAME,
    variant=_NAME,
    platform=st.sampled_from([Platform("amd64"), Platform("arm64")]),
    digest=st.binary(max_size=4).map(Digest.of),
    transfer_bytes=_COUNT,
    unpacked_bytes=_COUNT,
    seconds=st.floats(0, 1e9),
    layers=_COUNT,
    reused=_COUNT,
    fresh_bytes=_COUNT,
)


@given(build=BUILDS)
def test_what_is_written_is_read(build: PastBuild) -> None:
    line = line_of(build)
    assert past_build_of(line) == build
    assert line.count(b"\n") == 1
    assert list(json.loads(line)) == sorted(json.loads(line))


@given(build=BUILDS, data=st.data())
def test_no_part_of_a_line_is_taken_for_one(build: PastBuild, data: st.DataObject) -> None:
    line = line_of(build).rstrip(b"\n")
    length = data.draw(st.integers(0, len(line) - 1))
    with pytest.raises(UnreadableLine):
        past_build_of(line[:length])


@given(junk=st.binary(max_size=200))
def test_nothing_else_is_read(junk: bytes) -> None:
    with pytest.raises(UnreadableLine):
        past_build_of(junk)
    assert not is_ours(junk)


def test_fields_of_later_releases_are_ignored(make: Callable[..., PastBuild]) -> None:
    document = json.loads(line_of(make())) | {"host": "ci-7", "phases": {"layers": 3.5}}
    assert past_build_of(json.dumps(document).encode()) == make()


@pytest.mark.parametrize(
    "changed",
    [
        {"schema": "wheelship.past-build/2"},
        {"schema": "wheelship.past-build"},
        {"schema": None},
        {"name": "\x1b[2J"},
        {"name": "a b"},
        {"name": "a|b"},
        {"name": "<script>"},
        {"variant": ""},
        {"variant": 7},
        {"time": "yesterday"},
        {"time": "2026-11-01T12:00:00"},
        {"time": 1},
        {"time": "0001-01-01T00:00:00+23:59"},
        {"platform": "windows/amd64"},
        {"digest": "sha256:00"},
        {"digest": "md5:00"},
        {"seconds": -1},
        {"seconds": "3"},
        {"seconds": True},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"seconds": 10**400},
        {"transfer_bytes": -1},
        {"transfer_bytes": 1.5},
        {"unpacked_bytes": 2**63},
        {"layers": True},
        {"reused": None},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    changed: dict[str, Any], make: Callable[..., PastBuild]
) -> None:
    document = json.loads(line_of(make())) | changed
    with pytest.raises(UnreadableLine):
        past_build_of(json.dumps(document).encode())


@pytest.mark.parametrize(
    "time", ["20261101\x1b12:00Z", "2026-11-01|12:00Z", "2026-W44-7T14:00:00+02:00"]
)
def test_a_time_is_read_in_one_form(time: str, make: Callable[..., PastBuild]) -> None:
    """ISO 8601 lets any character stand before the hour, as Python reads it, and any zone behind.

    The page sorts builds by their times as text; a terminal and a table show them as they are.
    """
    document = json.loads(line_of(make())) | {"time": time}
    assert past_build_of(json.dumps(document).encode()).time == "2026-11-01T12:00:00Z"


@pytest.mark.parametrize("line", [b"[" * 100_000, b"1" * 5_000, b'{"a":' * 50_000, b"\xff\xfe"])
def test_hostile_json_is_no_line(line: bytes) -> None:
    with pytest.raises(UnreadableLine):
        past_build_of(line)


@pytest.mark.parametrize("key", ["time", "name", "digest", "seconds", "layers"])
def test_a_field_that_lacks_is_noticed(key: str, make: Callable[..., PastBuild]) -> None:
    document = json.loads(line_of(make()))
    del document[key]
    with pytest.raises(UnreadableLine):
        past_build_of(json.dumps(document).encode())


def test_lines_of_other_releases_are_ours(make: Callable[..., PastBuild]) -> None:
    assert is_ours(line_of(make()))
    assert is_ours(b'{"schema": "wheelship.past-build/9"}')
    assert not is_ours(b'{"schema": "wheelship.build/1"}')
