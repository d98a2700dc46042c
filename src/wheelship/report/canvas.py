# SPDX-License-Identifier: Apache-2.0
"""What a terminal can show: how wide, which characters, whether in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wheelship.report.printable import cells, printable, shorten

__all__ = ["Canvas", "Ink"]

Ink: TypeAlias = Literal["bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan"]

_CODES: dict[Ink, int] = {
    "bold": 1,
    "dim": 2,
    "red": 31,
    "green": 32,
    "yellow": 33,
    "blue": 34,
    "magenta": 35,
    "cyan": 36,
}
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STRIP = "█▓▒░"
_ASCII_STRIP = "#=+-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Where a text is shown.

    Attributes:
        width: columns; no line is longer, unless cutting it would lose a number or a command.
        unicode: block and line characters are understood; else ASCII alone is used.
        colored: ANSI escapes are understood.
    """

    width: int
    unicode: bool = True
    colored: bool = False

    def show(self, text: str) -> str:
        """Return ``text`` without what this place cannot show."""
        return printable(text, ascii_only=not self.unicode)

    def fit(self, text: str, width: int) -> str:
        """Return ``text`` in exactly ``width`` columns, shortened in the middle or padded."""
        mark = "…" if self.unicode else "..."
        short = shorten(self.show(text), width, mark)
        return short + " " * (width - cells(short))

    def paint(self, text: str, *inks: Ink) -> str:
        """Return ``text`` in colour, where there is colour."""
        if not self.colored or not inks or not text:
            return text
        codes = ";".join(str(_CODES[one]) for one in inks)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def bar(self, part: int, whole: int, width: int) -> str:
        """Return ``width`` columns, filled as ``part`` is of ``whole``; a little is never nothing.

        In block characters the end of the bar is exact to an eighth of a column.
        """
        if part <= 0 or whole <= 0 or width <= 0:
            return " " * max(0, width)
        eighths = max(1, min(8 * width, (8 * width * part + whole // 2) // whole))
        full, rest = divmod(eighths, 8)
        if self.unicode:
            return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
        half = 4
        full += rest >= half
        return ("#" * min(full, width) or ".").ljust(width)

    def strip(self, parts: Sequence[int], width: int) -> tuple[str, str]:
        """Return one bar of all ``parts`` side by side, and a line that numbers them below it.

        Neighbours differ in shade. A part that is not zero has at least one column while there is
        room; a number stands where it fits.
        """
        widths = _columns(parts, width)
        shades = _STRIP if self.unicode else _ASCII_STRIP
        shown = [at for at, columns in enumerate(widths) if columns]
        bar, numbers = "", ""
        for turn, at in enumerate(shown):
            bar += shades[turn % len(shades)] * widths[at]
            # A blank behind each: 1 and 2 side by side would read as 12.
            number = str(at) if len(str(at)) < widths[at] + (at == shown[-1]) else ""
            numbers += number.ljust(widths[at])
        return bar, numbers.rstrip()

    def stem(self, *, last: bool) -> str:
        """Return what leads to a branch of a tree."""
        if self.unicode:
            return "└ " if last else "├ "
        return "` " if last else "| "

    def trunk(self, *, last: bool) -> str:
        """Return what stands below a branch, before its own branches."""
        return "  " if last else ("│ " if self.unicode else "| ")


def _columns(parts: Sequence[int], width: int) -> list[int]:
    """Share ``width`` columns out: what is left by rounding down goes to the largest remainders."""
    whole = sum(parts)
    if whole <= 0 or width <= 0:
        return [0] * len(parts)
    seen = [at for at, part in enumerate(parts) if part > 0]
    seen = sorted(seen, key=lambda at: (-parts[at], at))[:width]
    given = [0] * len(parts)
    for at in seen:
        given[at] = 1
    left = width - len(seen)
    among = sum(parts[at] for at in seen)
    exact = {at: divmod(left * parts[at], among) for at in seen}
    for at, (columns, _) in exact.items():
        given[at] += columns
    spare = left - sum(columns for columns, _ in exact.values())
    for at in sorted(seen, key=lambda at: (-exact[at][1], at))[:spare]:
        given[at] += 1
    return given
