# SPDX-License-Identifier: Apache-2.0
"""Adds to uv's explanations what only wheelship knows: wheels and indexes that were left aside."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wheelship.lock.errors import IndexUnreachable, Unresolvable
from wheelship.lock.machine import MachineSources
from wheelship.lock.route import Route
from wheelship.wheel.name import normalized

__all__ = ["explained", "words"]


def explained(
    error: Unresolvable | IndexUnreachable, routes: Sequence[Route], machine: MachineSources
) -> Unresolvable | IndexUnreachable:
    """Return ``error`` with what only we know: which wheels and indexes were left aside."""
    notes: list[str] = []
    hint = error.hint
    for route in routes:
        if route.kind == "local" and route.package in words(error.message):
            names = ", ".join(wheel.path.name for wheel in route.wheels)
            notes.append(f"{route.package} was looked for among local wheels only: {names}")
        elif route.kind == "public":
            if route.versions and route.package in words(error.message):
                told = f"the public index has builds of {route.package} that fit for"
                notes.append(f"{told} {route.versions} only")
                notes += [f"not used: {one}" for one in route.unused]
        elif route.package in words(error.message) or str(route.index) in error.message:
            notes.append(f"{route.package} was looked for in {route.index} only")
            notes += [f"not used: {one}" for one in route.unused]
            hint = (
                f"name a directory with a wheel of {route.package} that fits, or another index:\n"
                'find-links = ["wheels"]\ntorch-index = "https://example.org/whl"'
            )
            if route.public:
                hint += "\nor take the builds of the public index that are known to fit:\n"
                hint += 'torch-index = "public"'
    if machine.ignored_indexes and type(error) is Unresolvable:
        notes.append(f"pip's local indexes are not used: {', '.join(machine.ignored_indexes)}")
    note = "\nnote:" + "".join(f"\n  {note}" for note in notes) if notes else ""
    if isinstance(error, IndexUnreachable):
        return IndexUnreachable(error.message + note, hint=hint)
    kind = type(error)
    return kind(error.message + note, explanation=error.explanation, hint=error.hint or hint)


def words(text: str) -> set[str]:
    """Return what could be package names in ``text``, normalised."""
    words = re.findall(r"[A-Za-z][\w.-]*\w|[A-Za-z]", text)
    return {normalized(word) for word in words}
