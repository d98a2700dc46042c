# SPDX-License-Identifier: Apache-2.0
"""Laws of comparing an answer with what was expected of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wheelship.engine.check.answer import mismatches

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_everything_matches_itself(value: Any) -> None:
    assert list(mismatches(value, json.loads(json.dumps(value)))) == []


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), JSON))
def test_more_keys_in_the_answer_do_no_harm(expected: dict[str, Any], more: dict[str, Any]) -> None:
    assert list(mismatches(expected, more | expected)) == []


@given(st.dictionaries(st.text(), JSON, min_size=1), st.data())
def test_a_missing_key_is_always_found(expected: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(expected)))
    actual = {name: value for name, value in expected.items() if name != key}
    assert list(mismatches(expected, actual)) == [f"$.{key} is missing"]


@given(st.lists(JSON), JSON)
def test_a_longer_list_is_always_found(expected: list[Any], more: Any) -> None:
    assert list(mismatches(expected, [*expected, more])) != []


@given(
    st.floats(min_value=-1e6, max_value=1e6),
    st.floats(min_value=-1, max_value=1),
)
def test_numbers_match_within_a_quarter_and_not_beyond(value: float, difference: float) -> None:
    found = list(mismatches(value, value + difference))
    assert (not found) == (abs(value - (value + difference)) <= 0.25)
