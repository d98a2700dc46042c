# SPDX-License-Identifier: Apache-2.0
"""Names out of an image, made fit to be shown: they were chosen by whoever made it."""

from __future__ import annotations

from html import escape

__all__ = ["NAME_LIMIT", "counted", "html", "shown"]

NAME_LIMIT = 240
"""Characters of a name that are shown; its middle gives way."""


def shown(text: str, limit: int = NAME_LIMIT) -> str:
    r"""Return ``text`` with what cannot be seen written out, and no longer than ``limit``.

    Control characters, marks that turn the direction of writing, white space other than a blank,
    and bytes that are no UTF-8 (surrogates) become ``\x1b``, ``\u202e`` and their like; the result
    can be encoded.
    """
    if len(text) > limit:
        tail = limit // 3
        text = f"{text[: limit - tail - 1]}…{text[-tail:]}"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _written_out(one) for one in text)


def html(text: str, limit: int = NAME_LIMIT) -> str:
    """Return ``text`` as it is :func:`shown`, escaped for elements and quoted attributes."""
    return escape(shown(text, limit))


def counted(number: int) -> str:
    """Return ``number`` with its digits in threes, between narrow spaces that break no line."""
    return f"{number:,}".replace(",", "\u202f")


def _written_out(one: str) -> str:
    code = ord(one)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - a byte, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:  # noqa: PLR2004 - the last that two digits can say
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - likewise four
