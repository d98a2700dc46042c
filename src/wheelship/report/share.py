# SPDX-License-Identifier: Apache-2.0
"""What part of a whole something is, in words."""

from __future__ import annotations

__all__ = ["share"]


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
