# SPDX-License-Identifier: Apache-2.0
"""Bars and strips say what part something is, to the column."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wheelship.inspect.model import Sizes
from wheelship.report.canvas import Canvas
from wheelship.report.printable import cells
from wheelship.report.share import share
from wheelship.report.size import format_bytes
from wheelship.report.sized_table import Heads, SizedRow, sized_table

WIDE = Canvas(width=80)
PLAIN = Canvas(width=80, unicode=False)


@pytest.mark.parametrize(
    ("part", "whole", "bar", "ascii_bar"),
    [
        (0, 100, "    ", "    "),
        (100, 100, "████", "####"),
        (50, 100, "██  ", "##  "),
        (37, 100, "█▌  ", "##  "),
        (1, 1_000_000, "▏   ", ".   "),
        (5, 0, "    ", "    "),
        (200, 100, "████", "####"),
    ],
)
def test_a_bar_is_as_long_as_its_part(part: int, whole: int, bar: str, ascii_bar: str) -> None:
    assert WIDE.bar(part, whole, 4) == bar
    assert PLAIN.bar(part, whole, 4) == ascii_bar


@given(st.lists(st.integers(0, 10**10), max_size=130), st.integers(1, 200))
def test_a_strip_fills_its_width_and_shows_what_has_room(parts: list[int], width: int) -> None:
    bar, numbers = WIDE.strip(parts, width)
    assert len(bar) == (width if sum(parts) else 0)
    assert len(numbers) <= width
    shown = sum(part > 0 for part in parts)
    changes = sum(one != other for one, other in pairwise(bar))
    assert changes == max(0, min(shown, width) - 1)


def test_a_strip_is_numbered_where_there_is_room() -> None:
    assert WIDE.strip([50, 0, 50], 8) == ("████▓▓▓▓", "0   2")
    assert PLAIN.strip([98, 1, 1], 6) == ("####=+", "0    2")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 100, "0.0 %"),
        (1, 10_000, "<0.1 %"),
        (9_999, 10_000, "99.9 %"),
        (1_000_000 - 1, 1_000_000, "99.9 %"),
        (7, 7, "100 %"),
        (0, 0, "-"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


ROWS = st.lists(
    st.builds(
        SizedRow,
        name=st.text(max_size=300),
        sizes=st.builds(Sizes, *[st.integers(0, 10**13)] * 3),
        stem=st.sampled_from(["", "├ ", "│ └ "]),
        left=st.tuples(st.sampled_from(["python", "debian", ""])),
        right=st.tuples(st.integers(0, 500_000).map("{:,}".format)),
        plain=st.booleans(),
    ),
    max_size=6,
)


@example(
    rows=[SizedRow(name="x" * 40, sizes=Sizes(10**13, 10**13, 10**13), left=("a",), right=("1",))],
    width=66,
    unicode=True,
)
@given(rows=ROWS, width=st.integers(66, 220), unicode=st.booleans())
def test_a_table_fits_its_place_and_cuts_no_number(
    rows: list[SizedRow], width: int, *, unicode: bool
) -> None:
    canvas = Canvas(width=width, unicode=unicode)
    heads = Heads(name="name", left=("type",), right=("files",))
    whole = max([1, *(row.sizes.unpacked for row in rows)])
    lines = sized_table(canvas, heads, rows, measure="unpacked", whole=whole)
    assert len(lines) == len(rows) + 1
    for row, line in zip(rows, lines[1:], strict=True):
        assert cells(line) <= width
        for size in (row.sizes.transfer, row.sizes.unpacked, row.sizes.effective):
            assert f" {format_bytes(size)}" in line
        assert share(row.sizes.unpacked, whole, digits=0 if width < 72 else 1) in line


def test_colour_is_there_only_when_asked_for() -> None:
    row = SizedRow(name="x", sizes=Sizes(1, 2, 3), inks=("blue",))
    for colored in (True, False):
        canvas = Canvas(width=80, colored=colored)
        text = "".join(sized_table(canvas, Heads(name="n"), [row], measure="transfer", whole=1))
        assert ("\x1b[34m" in text) is colored
        assert ("\x1b" in text) is colored
