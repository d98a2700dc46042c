# SPDX-License-Identifier: Apache-2.0
"""Draws a series of values with characters: a line chart of braille dots or ASCII, a sparkline.

One step of the line is one value, so a chart of few values has steps and one of many has spikes:
where several values share a column of dots, the column reaches from their least to their most, and
no extreme is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Axis", "axis_of", "line_chart", "sparkline"]

_DOTS_ACROSS, _DOTS_DOWN = 2, 4
_BRAILLE = 0x2800
# Bits of the dots of a cell, by row from the top and column (Unicode, "Braille Patterns").
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLOCKS = "▁▂▃▄▅▆▇█"
_FINEST = 1e-9  # of a value: below, the edges would be one number

Axis = tuple[float, float]
"""The values at the lower and the upper edge."""


def axis_of(values: Sequence[float], *, least_span: float) -> Axis:
    """Return the edges of a chart of ``values``: its extremes, at least ``least_span`` apart.

    Without that, a change of a few bytes would look like one of half the image.
    """
    low, high = min(values), max(values)
    least_span = max(least_span, high * _FINEST)
    missing = max(0.0, least_span - (high - low))
    low = max(0.0, low - missing / 2)
    return low, max(high + missing / 2, low + least_span)


def line_chart(
    values: Sequence[float], axis: Axis, *, columns: int, rows: int, ascii_only: bool = False
) -> list[str]:
    """Return ``rows`` lines of ``columns`` characters, the upper edge of ``axis`` first."""
    if ascii_only:
        grid = _dots(values, axis, columns, rows)
        return ["".join("*" if one else " " for one in row).rstrip() for row in grid]
    grid = _dots(values, axis, columns * _DOTS_ACROSS, rows * _DOTS_DOWN)
    lines = []
    for top in range(0, rows * _DOTS_DOWN, _DOTS_DOWN):
        cells = []
        for left in range(0, columns * _DOTS_ACROSS, _DOTS_ACROSS):
            bits = sum(
                _BITS[down][across]
                for down in range(_DOTS_DOWN)
                for across in range(_DOTS_ACROSS)
                if grid[top + down][left + across]
            )
            cells.append(chr(_BRAILLE + bits) if bits else " ")
        lines.append("".join(cells).rstrip())
    return lines


def sparkline(values: Sequence[float], axis: Axis, *, columns: int) -> str:
    """Return at most ``columns`` blocks, each the most of the values that share it."""
    columns = min(columns, len(values))
    spans = (_share(values, at, columns) for at in range(columns))
    return "".join(_BLOCKS[_level(max(span), axis, len(_BLOCKS))] for span in spans)


def _share(values: Sequence[float], at: int, columns: int) -> Sequence[float]:
    """Return the values that the column ``at`` of ``columns`` stands for, at least one."""
    first = at * len(values) // columns
    last = -(-(at + 1) * len(values) // columns)
    return values[first:last]


def _level(value: float, axis: Axis, levels: int) -> int:
    low, high = axis
    share = (value - low) / (high - low)
    return min(levels - 1, max(0, round(share * (levels - 1))))


def _dots(values: Sequence[float], axis: Axis, across: int, down: int) -> list[list[bool]]:
    """Return which dots are set, the upper row first."""
    grid = [[False] * across for _ in range(down)]
    before: tuple[int, int] | None = None
    for at in range(across):
        span = _share(values, at, across)
        low, high = _level(min(span), axis, down), _level(max(span), axis, down)
        below, above = low, high
        if before is not None:  # the step from the column before belongs to this one
            below, above = min(low, before[1] + 1), max(high, before[0] - 1)
        for level in range(below, above + 1):
            grid[down - 1 - level][at] = True
        before = low, high
    return grid
