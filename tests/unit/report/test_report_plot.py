# SPDX-License-Identifier: Apache-2.0
"""Charts of characters: every value is where it belongs, and no extreme is lost."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.report.plot import axis_of, line_chart, sparkline

_VALUES = st.lists(st.floats(0, 1e19), min_size=1, max_size=300)
_BITS = {(0, 0): 0x01, (1, 0): 0x02, (2, 0): 0x04, (0, 1): 0x08}
_BITS |= {(1, 1): 0x10, (2, 1): 0x20, (3, 0): 0x40, (3, 1): 0x80}


def dots(lines: list[str], columns: int) -> list[list[int]]:
    """Return for each column of dots the heights that are set, 0 the lowest."""
    found: list[list[int]] = [[] for _ in range(2 * columns)]
    for row, line in enumerate(reversed(lines)):
        for at, character in enumerate(line):
            bits = 0 if character == " " else ord(character) - 0x2800
            for (down, across), bit in _BITS.items():
                if bits & bit:
                    found[2 * at + across].append(4 * row + 3 - down)
    return [sorted(one) for one in found]


def test_a_step_is_drawn_as_a_step() -> None:
    assert line_chart([0, 10], (0, 10), columns=6, rows=3, ascii_only=True) == [
        "   ***",
        "   *",
        "***",
    ]
    assert line_chart([0, 10], (0, 10), columns=4, rows=2) == ["  ⡏⠉", "⣀⣀⠇"]


def test_the_only_high_build_of_a_thousand_is_seen() -> None:
    values = [1.0] * 1000
    values[617] = 9.0
    top, *_, bottom = line_chart(values, (1, 9), columns=30, rows=4, ascii_only=True)
    assert top.count("*") == 1
    assert abs(top.index("*") - 617 * 30 / 1000) <= 1
    assert bottom == "*" * 30


@given(values=_VALUES, columns=st.integers(1, 60), rows=st.integers(1, 6))
def test_the_line_goes_through_every_value_and_has_no_gap(
    values: list[float], columns: int, rows: int
) -> None:
    axis = axis_of(values, least_span=1.0)
    drawn = line_chart(values, axis, columns=columns, rows=rows)
    assert len(drawn) == rows
    assert all(len(line) <= columns for line in drawn)
    found = dots(drawn, columns)
    height = 4 * rows - 1
    for at, heights in enumerate(found):
        assert heights == list(range(heights[0], heights[-1] + 1))
        if at:
            assert heights[0] - found[at - 1][-1] <= 1
            assert found[at - 1][0] - heights[-1] <= 1
    for at, value in enumerate(values):
        level = round((value - axis[0]) / (axis[1] - axis[0]) * height)
        first = at * 2 * columns // len(values)
        last = min(2 * columns - 1, math.ceil((at + 1) * 2 * columns / len(values)))
        assert any(level in found[column] for column in range(first, last + 1))


@given(values=_VALUES, span=st.floats(1e-3, 1e19))
def test_the_axis_holds_all_values_and_exaggerates_nothing(
    values: list[float], span: float
) -> None:
    low, high = axis_of(values, least_span=span)
    assert 0 <= low <= min(values)
    assert max(values) <= high
    assert high - low > 0
    assert high - low >= span - 1e-6 * high


@pytest.mark.parametrize(
    ("values", "columns", "line"),
    [([0, 7, 14], 9, "▁▅█"), ([0, 14, 0, 0], 2, "█▁"), ([5], 4, "▃")],
)
def test_a_sparkline_shows_the_most_of_what_shares_a_block(
    values: list[float], columns: int, line: str
) -> None:
    assert sparkline(values, (0, 14), columns=columns) == line
