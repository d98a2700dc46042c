# SPDX-License-Identifier: Apache-2.0
"""What counts as the expected answer."""

from __future__ import annotations

import pytest

from wheelship.engine.check.answer import mismatches
from wheelship.request.model import Json

MATCHING: list[tuple[Json, Json]] = [
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": {"b": [1, {"c": "x"}]}}, {"a": {"b": [1, {"c": "x", "d": 0}], "e": None}}),
    ([], []),
    ({}, {"anything": True}),
    ({"start": 3.0}, {"start": 3.25}),
    ({"start": 3}, {"start": 2.75}),
    ({"text": "ja", "ok": True, "none": None}, {"text": "ja", "ok": True, "none": None}),
]

DIFFERING: list[tuple[Json, Json, list[str]]] = [
    ({"a": 1}, {}, ["$.a is missing"]),
    ({"a": 1}, [1], ["$ is [1], expected an object"]),
    ([1], {"a": 1}, ['$ is {"a": 1}, expected a list']),
    ([1], [1, 2], ["$ has 2 elements, expected 1"]),
    ([{"a": 1}], [{"a": 2}], ["$[0].a is 2, expected 1 ± 0.25"]),
    ({"start": 3.0}, {"start": 3.26}, ["$.start is 3.26, expected 3.0 ± 0.25"]),
    ({"n": 1}, {"n": float("nan")}, ["$.n is nan, expected 1 ± 0.25"]),
    ("a", "b", ['$ is "b", expected "a"']),
    (True, 1, ["$ is 1, expected true"]),
    (1, True, ["$ is true, expected 1"]),
    (0, None, ["$ is null, expected 0"]),
    (None, 0, ["$ is 0, expected null"]),
    ("1", 1, ['$ is 1, expected "1"']),
    (
        {"a": 1, "b": 2},
        {"a": 9, "b": 9},
        ["$.a is 9, expected 1 ± 0.25", "$.b is 9, expected 2 ± 0.25"],
    ),
]


@pytest.mark.parametrize(("expected", "actual"), MATCHING)
def test_answer_matches(expected: Json, actual: Json) -> None:
    assert list(mismatches(expected, actual)) == []


@pytest.mark.parametrize(("expected", "actual", "lines"), DIFFERING)
def test_answer_differs_and_says_where(expected: Json, actual: Json, lines: list[str]) -> None:
    assert list(mismatches(expected, actual)) == lines


def test_long_values_are_shortened() -> None:
    (line,) = mismatches("a", "b" * 500)
    assert line.startswith('$ is "bbb')
    assert len(line) < 120
