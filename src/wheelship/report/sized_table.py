# SPDX-License-Identifier: Apache-2.0
"""Tables of things with three sizes: names give way when there is no room, numbers never do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wheelship.inspect.measure import MEASURES, Measure, measured
from wheelship.inspect.model import Sizes
from wheelship.report.canvas import Canvas, Ink
from wheelship.report.printable import cells
from wheelship.report.share import share
from wheelship.report.size import format_bytes

__all__ = ["Heads", "SizedRow", "sized_table"]

_INDENT = "  "
_GAP = 2
_NARROW = 72  # below, shares are whole percents and there are no bars
_LEAST_NAME = 22  # other columns go before names get less
_LEAST = 8  # columns of a name, though the line gets too long
_LEAST_BAR = 6
_MOST_BAR = 40
_BAR_PART = 4  # a bar gets at most this part of what is left beside the numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedRow:
    """A row.

    Attributes:
        name: shown as far as there is room, shortened in the middle.
        stem: drawn before the name, never shortened.
        left: further words, before the name; right: further numbers, after it.
        inks: colours of name and bar.
        plain: a sum or a remainder: no bar.
    """

    name: str
    sizes: Sizes
    stem: str = ""
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    inks: tuple[Ink, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """What the columns are called; ``left`` and ``right`` as of the rows, least important last."""

    name: str
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Room:
    """How many columns each part of a row gets; 0 leaves it out."""

    left: tuple[int, ...]
    name: int
    bar: int
    share: int
    right: tuple[int, ...]
    sizes: tuple[int, ...]


def sized_table(
    canvas: Canvas,
    heads: Heads,
    rows: Sequence[SizedRow],
    *,
    measure: Measure,
    whole: int,
    measures: Sequence[Measure] = MEASURES,
) -> list[str]:
    """Return the lines of a table, its head first.

    Shares and bars are those of ``whole``, which ``measure`` counts; of the three sizes the columns
    ``measures`` are shown.
    """
    room = _room(canvas, heads, rows, measures)
    head = [
        canvas.fit(text, width) if width else ""
        for text, width in zip(heads.left, room.left, strict=True)
    ]
    head.append(canvas.fit(heads.name, room.name))
    head += [" " * room.bar] if room.bar else []
    head.append("share".rjust(room.share))
    head += [
        text.rjust(width) if width else ""
        for text, width in zip(heads.right, room.right, strict=True)
    ]
    head += [one.rjust(width) for one, width in zip(measures, room.sizes, strict=True)]
    kept = [one for one in head if one]
    lines = [canvas.paint((_INDENT + (" " * _GAP).join(kept)).rstrip(), "dim")]
    return lines + [_line(canvas, room, row, measure, whole, measures) for row in rows]


def _line(
    canvas: Canvas,
    room: _Room,
    row: SizedRow,
    measure: Measure,
    whole: int,
    measures: Sequence[Measure],
) -> str:
    size = measured(row.sizes, measure)
    parts = [
        canvas.fit(text, width) if width else ""
        for text, width in zip(row.left, room.left, strict=True)
    ]
    name = canvas.fit(row.name, room.name - cells(row.stem))
    parts.append(canvas.paint(row.stem, "dim") + canvas.paint(name, *row.inks))
    if room.bar:
        bar = " " * room.bar if row.plain else canvas.bar(size, whole, room.bar)
        parts.append(canvas.paint(bar, *(one for one in row.inks if one not in ("bold", "dim"))))
    parts.append(share(size, whole, digits=0 if canvas.width < _NARROW else 1).rjust(room.share))
    parts += [
        text.rjust(width) if width else ""
        for text, width in zip(row.right, room.right, strict=True)
    ]
    for one, width in zip(measures, room.sizes, strict=True):
        number = format_bytes(measured(row.sizes, one)).rjust(width)
        parts.append(canvas.paint(number, "bold") if one == measure else number)
    return (_INDENT + (" " * _GAP).join(one for one in parts if one)).rstrip()


def _room(
    canvas: Canvas, heads: Heads, rows: Sequence[SizedRow], measures: Sequence[Measure]
) -> _Room:
    sizes = tuple(
        max([len(one), *(len(format_bytes(measured(row.sizes, one))) for row in rows)])
        for one in measures
    )
    narrow = canvas.width < _NARROW
    share_width = len("100 %") if narrow else len("<0.1 %")
    left = [
        max([len(text), *(cells(canvas.show(row.left[at])) for row in rows)])
        for at, text in enumerate(heads.left)
    ]
    right = [
        max([len(text), *(len(row.right[at]) for row in rows)])
        for at, text in enumerate(heads.right)
    ]
    longest = max(
        [len(heads.name), *(cells(row.stem) + cells(canvas.show(row.name)) for row in rows)]
    )
    fixed = len(_INDENT) + share_width + sum(_GAP + one for one in sizes) + _GAP

    def spare() -> int:
        return canvas.width - fixed - sum(_GAP + one for one in (*left, *right) if one)

    for column in (right, left):
        for at in reversed(range(len(column))):
            if spare() < min(longest, _LEAST_NAME):
                column[at] = 0
    beside = max(spare(), _LEAST)
    bar = 0
    if not narrow:
        bar = min(_MOST_BAR, max(beside - longest - _GAP, beside // _BAR_PART))
        bar = bar if bar >= _LEAST_BAR else 0
    name = min(longest, beside - (bar + _GAP if bar else 0))
    return _Room(tuple(left), name, bar, share_width, tuple(right), sizes)
