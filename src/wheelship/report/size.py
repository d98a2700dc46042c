# SPDX-License-Identifier: Apache-2.0
"""Sizes for people: decimal units, always with the unit."""

from __future__ import annotations

__all__ = ["format_bytes"]


def format_bytes(count: int) -> str:
    """Return ``count`` bytes as ``999 B``, ``12.3 kB``, ``317.0 MB`` or ``3.00 GB``."""
    if count < 1000:  # noqa: PLR2004 - the decimal step
        return f"{count} B"
    if count < 999_950:  # noqa: PLR2004 - from here on it would be rounded to 1000.0
        return f"{count / 1000:.1f} kB"
    if count < 999_950_000:  # noqa: PLR2004 - likewise
        return f"{count / 1_000_000:.1f} MB"
    return f"{count / 1_000_000_000:.2f} GB"
