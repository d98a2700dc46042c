# SPDX-License-Identifier: Apache-2.0
"""What exceeds a limit, in words."""

from __future__ import annotations

from wheelship.report.size import format_bytes
from wheelship.request.model import Excess

__all__ = ["excess_text"]


def excess_text(excess: Excess) -> str:
    """Return what is too large, and by how much."""
    if excess.what == "layers":
        return f"{excess.actual} layers, {excess.limit} allowed"
    over = format_bytes(excess.actual - excess.limit)
    return (
        f"{format_bytes(excess.actual)} {excess.what}, "
        f"{over} above the budget of {format_bytes(excess.limit)}"
    )
