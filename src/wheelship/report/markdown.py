# SPDX-License-Identifier: Apache-2.0
"""Text that others wrote, put into GitHub's Markdown so that it stays text (GFM 6.1 to 6.11)."""

from __future__ import annotations

import html
import re

from wheelship.report.printable import printable, shorten

__all__ = ["code", "markup", "prose", "snippet"]

_SPECIAL = re.compile(r"([\\`*_\[\]#|~$<>&:])")
_RUNS = re.compile(r"`+")
_MENTION = "@<!-- -->"  # the comment keeps GitHub from telling somebody


def code(text: str, width: int) -> str:
    """Return ``text`` as code that may stand in a table, shortened to ``width`` columns.

    In code nothing is a link, a mention or markup; the fence is longer than any in ``text``.
    """
    shown = shorten(printable(text), width).replace("|", "\\|")
    if not shown.strip():
        return " "
    fence = "`" * _fence(shown, 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def prose(text: str) -> str:
    """Return ``text`` as running text on one line, its signs escaped."""
    return _SPECIAL.sub(r"\\\1", printable(" ".join(text.split()))).replace("@", _MENTION)


def markup(text: str) -> str:
    """Return ``text`` where HTML is read and Markdown is not, as in a ``summary``."""
    return html.escape(printable(" ".join(text.split()))).replace("@", _MENTION)


def snippet(text: str) -> list[str]:
    """Return the lines of ``text`` as a block of code."""
    lines = [printable(line) for line in text.splitlines()]
    fence = "`" * max((_fence(line, 3) for line in lines), default=3)
    return [f"{fence}text", *lines, fence]


def _fence(text: str, least: int) -> int:
    return max([least, *(len(run) + 1 for run in _RUNS.findall(text))])
