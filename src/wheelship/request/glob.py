# SPDX-License-Identifier: Apache-2.0
r"""Shell patterns for paths, as gitignore(5) defines them, as regular expressions.

``*`` and ``?`` stop at ``/``, ``[…]`` is a class that never matches ``/``, ``\`` takes the next
character literally, and a whole segment ``**`` stands for any number of directories.
"""

from __future__ import annotations

import re

__all__ = ["escaped", "is_literal", "path_expression"]

_NEVER = r"(?!)"
_SPECIAL = "*?[\\"
_DIRECTORIES = re.compile(r"(?:(?<=/)|\A)\*\*+(?:/|\Z)")
_STARS = re.compile(r"\*+")
_NAMED_CLASS = re.compile(r"\[:([a-z]*):\]")
_NAMED_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


def is_literal(text: str) -> bool:
    """Say whether ``text`` matches itself alone."""
    return not any(character in text for character in _SPECIAL)


def escaped(text: str) -> str:
    """Return the pattern that matches ``text`` alone."""
    return "".join(f"\\{one}" if one in _SPECIAL else one for one in text)


def path_expression(pattern: str) -> str:
    r"""Return the expression of a pattern that is anchored at the root.

    It matches the paths that the pattern names, not what lies below them; a trailing ``/**`` names
    everything inside. A pattern with an open bracket or a lone ``\`` at its end matches nothing.
    """
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if (directories := _DIRECTORIES.match(pattern, position)) is not None:
            parts.append("(?:[^/]+/)*" if directories[0].endswith("/") else ".+")
            position = directories.end()
        elif (stars := _STARS.match(pattern, position)) is not None:
            parts.append("[^/]*")
            position = stars.end()
        elif character == "?":
            parts.append("[^/]")
            position += 1
        elif character == "[":
            expression, position = _class_expression(pattern, position + 1)
            parts.append(expression)
        elif character == "\\" and position + 1 == len(pattern):
            return _NEVER
        else:
            position += character == "\\"
            parts.append(re.escape(pattern[position]))
            position += 1
    return "".join(parts)


def _class_expression(pattern: str, position: int) -> tuple[str, int]:
    """Return the class that starts behind the bracket before ``position``, and where it ends."""
    negated = pattern[position : position + 1] in ("!", "^")
    position += negated
    items: list[str] = []
    first = True
    while position < len(pattern) and (first or pattern[position] != "]"):
        first = False
        named = _NAMED_CLASS.match(pattern, position)
        if named is not None:
            if named[1] not in _NAMED_CLASSES:
                return _NEVER, len(pattern)
            items.append(_NAMED_CLASSES[named[1]])
            position = named.end()
            continue
        low, position = _character(pattern, position)
        if pattern[position : position + 1] == "-" and pattern[position + 1 : position + 2] not in (
            "",
            "]",
        ):
            high, position = _character(pattern, position + 1)
            items.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
        else:
            items.append(re.escape(low))
    if position >= len(pattern):
        return _NEVER, position
    content = "".join(items)
    if negated:
        return f"[^/{content}]", position + 1
    return f"(?!/)[{content}]" if content else _NEVER, position + 1


def _character(pattern: str, position: int) -> tuple[str, int]:
    """Return the character at ``position``, or the one behind a backslash, and what follows."""
    position += pattern[position] == "\\" and position + 1 < len(pattern)
    return pattern[position], position + 1
