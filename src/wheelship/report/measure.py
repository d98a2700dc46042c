# SPDX-License-Identifier: Apache-2.0
"""Which of the three sizes a report sorts by and draws, and how it says what part something is."""

from __future__ import annotations

from wheelship.inspect.measure import MEASURES, Measure
from wheelship.inspect.measure import measured as of

__all__ = ["MEASURES", "Measure", "of", "share"]


def share(part: int, whole: int, *, digits: int = 1) -> str:
    """Return ``part`` of ``whole`` in percent; what is not all is never ``100 %``, a little not 0.

    ``part`` may be anything from 0 to ``whole``; of nothing the share is ``-``.
    """
    if whole <= 0:
        return "-"
    if part >= whole:
        return "100 %"
    step = 10**digits
    count = (100 * step * part + whole // 2) // whole
    if count == 0 and part > 0:
        return f"<{1 / step:.{digits}f} %"
    return f"{min(count, 100 * step - 1) / step:.{digits}f} %"
