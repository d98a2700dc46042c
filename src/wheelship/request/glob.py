# SPDX-License-Identifier: Apache-2.0
r"""Shell patterns for paths, as gitignore(5) defines them, as regular expressions.

``*`` and ``?`` stop at ``/``, ``[…]`` is a class, ``\`` takes the next character literally, and a
whole segment ``**`` stands for any number of directories.
"""

from __future__ import annotations

import re

__all__ = ["is_literal", "path_expression", "segment_expression"]

_NEVER = r"(?!)"
_POSIX_CLASSES = {
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
_BRACKET = re.compile(
    r"\[(?P<negated>[!^])?(?P<items>\]?(?:\[:[a-z]*:\]|\\.|[^\]\\])*)\]", re.DOTALL
)
_ITEM = re.compile(
    r"\[:(?P<name>[a-z]*):\]|(?P<low>\\.|[^\\])-(?P<high>\\.|[^\\\]])|(?P<one>\\.|[^\\])",
    re.DOTALL,
)


def is_literal(segment: str) -> bool:
    """Say whether ``segment`` names one file and needs no expression."""
    return not any(character in segment for character in "*?[\\")


def path_expression(pattern: str) -> str:
    """Return the expression of a pattern that is anchored at the root.

    The expression matches the paths the pattern names, not what lies below them, except that a
    trailing ``/**`` names everything inside.
    """
    segments = pattern.split("/")
    last = len(segments) - 1
    parts: list[str] = []
    for index, segment in enumerate(segments):
        if segment != "**":
            parts.append(segment_expression(segment) + ("" if index == last else "/"))
        elif index == last:
            parts.append(".+")
        else:
            parts.append("(?:[^/]+/)*")
    return "".join(parts)


def segment_expression(pattern: str) -> str:
    """Return the expression of a pattern without ``/``."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            position = _behind_stars(pattern, position)
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            match = _BRACKET.match(pattern, position - 1)
            if match is None:
                return _NEVER  # git: an open bracket matches nothing
            parts.append(_class_expression(match))
            position = match.end()
        elif character == "\\":
            if position == len(pattern):
                return _NEVER
            parts.append(re.escape(pattern[position]))
            position += 1
        else:
            parts.append(re.escape(character))
    return "".join(parts)


def _behind_stars(pattern: str, position: int) -> int:
    while position < len(pattern) and pattern[position] == "*":
        position += 1
    return position


def _class_expression(match: re.Match[str]) -> str:
    items: list[str] = []
    for item in _ITEM.finditer(match["items"]):
        if item["name"] is not None:
            items.append(_POSIX_CLASSES.get(item["name"], ""))
        elif item["low"] is not None:
            low, high = item["low"][-1], item["high"][-1]
            if low <= high:
                items.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            items.append(re.escape(item["one"][-1]))
    content = "".join(items)
    if match["negated"]:
        return f"[^/{content}]"
    return f"(?!/)[{content}]" if content else _NEVER
