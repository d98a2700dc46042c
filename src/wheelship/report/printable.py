# SPDX-License-Identifier: Apache-2.0
"""Names out of images, made fit to be shown: no name may steer a terminal or break a table."""

from __future__ import annotations

from rich.cells import cell_len

__all__ = ["cells", "printable", "shorten", "well_formed"]

_BYTES = range(0xDC80, 0xDD00)  # how Python writes bytes that are no UTF-8 (PEP 383)
_SURROGATES = range(0xD800, 0xE000)
_ONE_BYTE = 0x100
_TWO_BYTES = 0x10000


def printable(text: str, *, ascii_only: bool = False) -> str:
    r"""Return ``text`` on one line, what cannot be seen as ``\x1b`` or ``\u202e``.

    That is all control characters, marks of writing direction, line ends, unassigned characters
    and bytes that are no UTF-8; with ``ascii_only`` all that is not ASCII, too.
    """
    if text.isprintable() and (text.isascii() or not ascii_only):
        return text
    return "".join(
        one if one.isprintable() and (one.isascii() or not ascii_only) else _escaped(one)
        for one in text
    )


def well_formed(text: str) -> str:
    r"""Return ``text`` as every reader of JSON takes it: bytes that are no UTF-8 as ``\xff``."""
    if not any(ord(one) in _SURROGATES for one in text):
        return text
    return "".join(_escaped(one) if ord(one) in _SURROGATES else one for one in text)


def cells(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes; many Asian characters take two."""
    return len(text) if text.isascii() else cell_len(text)


def shorten(text: str, width: int, mark: str = "…") -> str:
    """Return ``text`` in at most ``width`` columns, with ``mark`` where its middle was.

    The end gets the odd column: of paths and versions it tells more.
    """
    if cells(text) <= width:
        return text
    room = width - cells(mark)
    if room < 2:  # noqa: PLR2004 - one for each side
        return _head(text, width)
    head = _head(text, room // 2)
    tail = _head(text[::-1], room - cells(head))[::-1]
    return head + mark + tail


def _head(text: str, width: int) -> str:
    used = 0
    for at, one in enumerate(text):
        used += cells(one)
        if used > width:
            return text[:at]
    return text


def _escaped(one: str) -> str:
    code = ord(one)
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if code < _ONE_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _TWO_BYTES else f"\\U{code:08x}"
