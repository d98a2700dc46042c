# SPDX-License-Identifier: Apache-2.0
"""The results as an SVG plot."""

from __future__ import annotations

from document import Document

__all__ = ["draw"]


def draw(document: Document) -> str:
    """Return the plot."""
    return str(len(document.results))
