# SPDX-License-Identifier: Apache-2.0
"""What exceeds a limit, in words."""

from __future__ import annotations

from wheelship.report.size import format_bytes
from wheelship.request.model import Excess

__all__ = ["above_text", "excess_text"]


def excess_text(excess: Excess) -> str:
    """Return by how much a budget is exceeded."""
    return above_text(excess.what, excess.actual, excess.limit, "budget")


def above_text(what: str, actual: int, limit: int, called: str) -> str:
    """Return how far ``actual`` is above ``limit``: bytes, unless ``what`` is ``layers``.

    ``called`` is what a limit on bytes is called.
    """
    if what == "layers":
        return f"{actual} layers, {limit} allowed"
    return (
        f"{format_bytes(actual)} {what}, "
        f"{format_bytes(actual - limit)} above the {called} of {format_bytes(limit)}"
    )
