# SPDX-License-Identifier: Apache-2.0
"""Line numbers of the keys in a TOML document, for messages only.

``tomllib`` reports no positions. This scanner runs when there already is something to report, on
text that ``tomllib`` has accepted, so it may be simple: it follows headers, keys and brackets and
skips strings and comments. A key inside an inline table has the line of the table's own key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["key_lines", "line_of"]

_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)
_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_HEADER = re.compile(rf"[ \t]*(?P<array>\[)?\[[ \t]*(?P<key>{_DOTTED})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*(?P<key>{_DOTTED})[ \t]*=")
_PART = re.compile(_KEY)


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line, from 1, on which each key or table header first appears."""
    text = text.replace("\r\n", "\n")
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    position = 0
    number = 1
    while position < len(text):
        header = _HEADER.match(text, position)
        if header is not None:
            table = _parts(header["key"])
            found.setdefault(table, number)
            end = header.end() + (1 if header["array"] else 0)
        else:
            assignment = _ASSIGNMENT.match(text, position)
            if assignment is not None:
                found.setdefault((*table, *_parts(assignment["key"])), number)
            end = position if assignment is None else assignment.end()
        following = _end_of_statement(text, end)
        number += text.count("\n", position, following)
        position = following
    return found


def line_of(path: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> int | None:
    """Return the line of ``path`` or of the nearest table around it, None when there is none."""
    for length in range(len(path), 0, -1):
        if (number := lines.get(path[:length])) is not None:
            return number
    return None


def _end_of_statement(text: str, position: int) -> int:
    """Return where the next statement starts: behind the first line end outside all brackets."""
    depth = 0
    while (token := _TOKEN.search(text, position)) is not None:
        position = token.end()
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif token[0] == "\n" and depth <= 0:
            return position
    return len(text)


def _parts(dotted: str) -> tuple[str, ...]:
    # An escape in a quoted key only costs that key its line number, so it is left as it is.
    parts = _PART.findall(dotted)
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in parts)
