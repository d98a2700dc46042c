# SPDX-License-Identifier: Apache-2.0
"""Names out of an image, made fit to be shown: they were chosen by whoever made it."""

from __future__ import annotations

from html import escape

from wheelship.report.printable import printable

__all__ = ["NAME_LIMIT", "counted", "html", "shown"]

NAME_LIMIT = 240
"""Characters of a name that are shown; its middle gives way."""


def shown(text: str, limit: int = NAME_LIMIT) -> str:
    """Return ``text`` made :func:`printable`, of no more than ``limit`` characters."""
    if len(text) > limit:
        tail = limit // 3
        text = f"{text[: limit - tail - 1]}…{text[-tail:]}"
    return printable(text)


def html(text: str, limit: int = NAME_LIMIT) -> str:
    """Return ``text`` as it is :func:`shown`, escaped for elements and quoted attributes."""
    return escape(shown(text, limit))


def counted(number: int) -> str:
    """Return ``number`` with its digits in threes, between narrow spaces that break no line."""
    return f"{number:,}".replace(",", "\u202f")
