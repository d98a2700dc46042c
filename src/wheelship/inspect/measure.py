# SPDX-License-Identifier: Apache-2.0
"""Which of the three sizes is meant, and sums in all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from wheelship.inspect.model import Sizes

__all__ = ["MEASURES", "Measure", "measured", "total"]

Measure: TypeAlias = Literal["transfer", "unpacked", "effective"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""In the order in which bytes come to a machine."""


def measured(sizes: Sizes, measure: Measure) -> int:
    """Return that one of the sizes, in bytes."""
    match measure:
        case "transfer":
            return sizes.transfer
        case "unpacked":
            return sizes.unpacked
        case "effective":
            return sizes.effective


def total(sizes: Iterable[Sizes]) -> Sizes:
    """Return the sum; there may be half a million."""
    transfer = unpacked = effective = 0
    for one in sizes:
        transfer += one.transfer
        unpacked += one.unpacked
        effective += one.effective
    return Sizes(transfer, unpacked, effective)
