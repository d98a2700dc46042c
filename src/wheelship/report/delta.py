# SPDX-License-Identifier: Apache-2.0
"""By how much something grew, in words that never say that a change is none."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from wheelship.report.size import format_bytes

__all__ = ["format_delta", "format_percent"]

_MOST_DIGITS = 12
_WHOLE = 100


def format_delta(delta: int) -> str:
    """Return a difference of bytes with its sign: ``+4.2 MB``, ``-12 B``, ``0 B``."""
    sign = "+" if delta > 0 else "-" if delta < 0 else ""
    return sign + format_bytes(abs(delta))


def format_percent(before: int, after: int, *, beside: Decimal | None = None) -> str:
    """Return by what part of itself something grew: ``+1.3 %``, ``-25.0 %``, ``+<0.1 %``.

    Nothing for no change, ``new`` for growth from nothing. It is -100 % only if nothing is left.
    A number ``beside`` which it is shown is told apart from it, with as many digits as that takes.
    """
    if before == after:
        return ""
    if before == 0:
        return "new"
    exact = Fraction(100 * (after - before), before)
    sign = "+" if exact > 0 else "-"
    if beside is not None and exact != Fraction(beside):
        return f"{sign}{_apart(abs(exact), abs(beside)):f} %"
    return f"{sign}{_part(abs(exact), whole=after == 0)} %"


def _part(size: Fraction, *, whole: bool) -> str:
    """Return per cent with a digit after the point; ``whole`` says that nothing is left."""
    shown = _rounded(size, 1)
    if not shown:
        return "<0.1"
    if size < _WHOLE <= shown and not whole:
        return "99.9"
    return f"{_rounded(size, 0)}" if size > _WHOLE else f"{shown}"


def _apart(size: Fraction, beside: Decimal) -> Decimal:
    """Return per cent with as many digits as make it neither nothing nor ``beside``."""
    digits = 1
    while not (shown := _rounded(size, digits)) or (shown == beside and digits < _MOST_DIGITS):
        digits += 1
    return shown


def _rounded(number: Fraction, digits: int) -> Decimal:
    step = Decimal(1).scaleb(-digits)
    scaled = Decimal(round(number * 10**digits)).scaleb(-digits)
    return scaled.quantize(step, rounding=ROUND_HALF_EVEN)
