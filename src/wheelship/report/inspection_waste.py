# SPDX-License-Identifier: Apache-2.0
"""What an image could do without, as text for a terminal: short, or with all that is known."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from wheelship.inspect.measure import measured
from wheelship.inspect.model import Finding, Sizes
from wheelship.report.advice import fitting_advice
from wheelship.report.canvas import Canvas
from wheelship.report.inspection_view import InspectionView
from wheelship.report.printable import cells
from wheelship.report.size import format_bytes

__all__ = ["waste_lines"]

_SHOWN_PATHS = 3
_REASON_LINES = 2
_MARGIN = "  "
_AMOUNT = 11  # "~999.9 MB", and "not counted"
_INDENT = " " * (len(_MARGIN) + _AMOUNT + 2)
_LEAST = 20


def waste_lines(
    view: InspectionView, canvas: Canvas, *, top: int, verbose: bool = False
) -> Iterator[str]:
    """Yield the ``top`` largest findings.

    Each has two lines at most on why, one on where, and the advice that suits whoever built the
    image; with ``verbose`` all three sizes, the whole reason, more places and all advice.
    """
    found = view.findings
    if not found:
        yield canvas.paint("waste", "bold") + ": none found"
        return
    first, *more = wrapped(f"waste: {view.wasted}", canvas.width)
    yield canvas.paint("waste", "bold") + first.removeprefix("waste")
    yield from (_MARGIN + line for line in more)
    for one in found[:top]:
        yield from _title(view, canvas, one)
        yield from _whole(view, canvas, one) if verbose else _short(view, canvas, one)
    if len(found) > top:
        more_than_one = len(found) - top > 1
        yield f"{_MARGIN}and {len(found) - top} smaller one{'s' * more_than_one}"
    if not verbose:
        yield _MARGIN + canvas.paint("all sizes, places and advice: --verbose", "dim")


def wrapped(text: str, width: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` columns."""
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _room(canvas: Canvas) -> int:
    return max(canvas.width - len(_INDENT), _LEAST)


def _title(view: InspectionView, canvas: Canvas, one: Finding) -> Iterator[str]:
    size = "not counted"
    if one.sizes != Sizes():
        size = f"{'~' * one.estimate}{format_bytes(measured(one.sizes, view.measure))}"
    first, *more = wrapped(f"{canvas.show(one.title)} ({one.code})", _room(canvas)) or [""]
    amount = canvas.paint(f"{size:>{_AMOUNT}}", "yellow", "bold")
    yield f"{_MARGIN}{amount}  {canvas.paint(first, 'bold')}"
    yield from (_INDENT + canvas.paint(line, "bold") for line in more)


def _short(view: InspectionView, canvas: Canvas, one: Finding) -> Iterator[str]:
    room = _room(canvas)
    lines = textwrap.wrap(
        _reason(canvas, one, room),
        room,
        break_on_hyphens=False,
        max_lines=_REASON_LINES,
        placeholder=" …" if canvas.unicode else " ...",
    )
    yield from (_INDENT + line for line in lines)
    if one.paths:
        others = f" and {one.place_count - 1:,} more" if one.place_count > 1 else ""
        place = canvas.fit(view.place(one.paths[0]), room - len(others)).rstrip()
        yield _INDENT + canvas.paint(f"{place}{others}", "dim")
    for where, what in fitting_advice(one.fix, ours=view.ours):
        yield from _pasted(canvas, f"{where or 'fix'}: ", what)


def _whole(view: InspectionView, canvas: Canvas, one: Finding) -> Iterator[str]:
    room, about = _room(canvas), "~" * one.estimate
    sizes = ", ".join(
        f"{about}{format_bytes(measured(one.sizes, measure))} {measure}"
        for measure in view.measures
    )
    for text in (sizes if one.sizes != Sizes() else "", _reason(canvas, one, room)):
        yield from (_INDENT + line for line in wrapped(text, room))
    for path in one.paths[:_SHOWN_PATHS]:
        yield _INDENT + canvas.paint(canvas.fit(view.place(path), room).rstrip(), "dim")
    if one.place_count > _SHOWN_PATHS:
        yield _INDENT + canvas.paint(f"and {one.place_count - _SHOWN_PATHS:,} more", "dim")
    yield from _pasted(canvas, "fix: ", one.fix)


def _reason(canvas: Canvas, one: Finding, room: int) -> str:
    """Return why; of a path that would have to be broken the middle gives way."""
    most = room - len(" ...")
    words = canvas.show(one.reason).split()
    return " ".join(canvas.fit(word, most) if cells(word) > most else word for word in words)


def _pasted(canvas: Canvas, lead: str, text: str) -> Iterator[str]:
    """Yield the lines of what may be there to be pasted, and is never wrapped therefore."""
    for at, line in enumerate(text.splitlines()):
        before = canvas.paint(lead, "cyan") if at == 0 else " " * len(lead)
        yield f"{_INDENT}{before}{canvas.show(line)}"
