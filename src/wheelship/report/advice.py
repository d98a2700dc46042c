# SPDX-License-Identifier: Apache-2.0
"""What a finding advises, taken apart: a Dockerfile and wheelship's configuration differ."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Advice", "advice_of", "fitting_advice"]

_WHERE = re.compile(r"(Dockerfile|wheelship): ")


class Advice(NamedTuple):
    """``what`` to do, and ``where``: ``Dockerfile``, ``wheelship``, or empty, which is anywhere."""

    where: str
    what: str


def advice_of(fix: str) -> list[Advice]:
    """Return the parts of a finding's ``fix``; lines without a place belong to the one before."""
    found: list[Advice] = []
    for line in fix.splitlines():
        where = _WHERE.match(line)
        if where is not None:
            found.append(Advice(where[1], line[where.end() :]))
        elif found:
            found[-1] = found[-1]._replace(what=f"{found[-1].what}\n{line}")
        else:
            found.append(Advice("", line))
    return found


def fitting_advice(fix: str, *, ours: bool) -> list[Advice]:
    """Return what of ``fix`` suits an image that wheelship built, or one that it did not."""
    other = "Dockerfile" if ours else "wheelship"
    parts = advice_of(fix)
    return [one for one in parts if one.where != other] or parts
