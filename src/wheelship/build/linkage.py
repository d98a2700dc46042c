# SPDX-License-Identifier: Apache-2.0
"""Looks into wheels for libraries that are linked to another accelerator's (DESIGN §7).

Neither a wheel's name nor its label need say so: torchaudio 2.11 of the public index is such a
case, and fails at import in a CPU image. What is read of a wheel is kept, so each is read once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from wheelship.build.context import BuildContext
from wheelship.build.errors import LinkedToForeignLibraries
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import ImagePlan, WheelsRecipe
from wheelship.store.store import Store

if TYPE_CHECKING:
    from wheelship.build.shelf import WheelShelf
    from wheelship.wheel.reader import Wheel

__all__ = ["LIBRARY", "check_linkage", "linkage_known", "read_linkage"]

LIBRARY = re.compile(r"\.so(\.\d+)*$")
"""How the names of shared libraries end."""

_READER_VERSION = 1

Rows: TypeAlias = dict[str, list[str]]
"""By path in the wheel, the libraries of interest that it is linked to."""


def linkage_known(plan: ImagePlan, store: Store) -> bool:
    """Tell whether the plan was judged good before, so that nothing is to be done."""
    return store.marked(_verdict(plan))[0]


def read_linkage(plan: ImagePlan, context: BuildContext, shelf: WheelShelf) -> None:
    """Read the wheels of ``plan`` that were never read before, and judge all.

    Raises:
        LinkedToForeignLibraries: a library needs another accelerator's.
        WheelshipError: a wheel cannot be had or is malformed.
    """
    for recipe, wheel in _concerned(plan):
        key = _key(plan, wheel)
        if not context.store.marked(key)[0]:
            opened = shelf.wheel(wheel, waive_record=wheel.name in recipe.waived)
            context.store.mark(key, _read(opened, plan.foreign_libraries))
    check_linkage(plan, context.store)


def check_linkage(plan: ImagePlan, store: Store) -> None:
    """Judge the wheels by what was read of them; files that are left out do not count.

    Raises:
        LinkedToForeignLibraries: with every file, what it needs, and how to leave it out.
    """
    lines: list[str] = []
    cures: list[str] = []
    for recipe, wheel in _concerned(plan):
        rows: Rows = store.marked(_key(plan, wheel))[1] or {}
        omit = recipe.omit_of(wheel)
        left = {
            path: names
            for path, names in rows.items()
            if not any(fnmatchcase(_installed(path), glob) for glob in omit)
        }
        lines += [
            f"  {wheel.name} {wheel.version}: {path} needs {', '.join(names)}"
            for path, names in sorted(left.items())
        ]
        if left:
            cures.append(f"{wheel.name} = {json.dumps(sorted(map(_installed, left)))}")
    if lines:
        raise LinkedToForeignLibraries(
            f"libraries of another accelerator are needed in variant {plan.variant}:\n"
            + "\n".join(lines),
            hint="choose builds without them, or leave these files out if the package works so:\n"
            f"omit = {{ {', '.join(cures)} }}",
        )
    store.mark(_verdict(plan))


def _concerned(plan: ImagePlan) -> Iterator[tuple[WheelsRecipe, LockedWheel]]:
    """Yield the wheels with compiled code whose build does not say what it is for."""
    for layer in plan.layers:
        if isinstance(layer.recipe, WheelsRecipe) and plan.foreign_libraries:
            for wheel in layer.recipe.wheels:
                if not wheel.tags.endswith("-any") and wheel.name not in plan.trusted:
                    yield layer.recipe, wheel


def _patterns(libraries: Mapping[str, tuple[str, ...]]) -> list[str]:
    return sorted({name for names in libraries.values() for name in names})


def _key(plan: ImagePlan, wheel: LockedWheel) -> Digest:
    facts = ["linkage", _READER_VERSION, wheel.sha256, _patterns(plan.foreign_libraries)]
    return Digest.of(canonical_json(facts))


def _verdict(plan: ImagePlan) -> Digest:
    rows = [[one.sha256, list(recipe.omit_of(one))] for recipe, one in _concerned(plan)]
    patterns = _patterns(plan.foreign_libraries)
    return Digest.of(canonical_json(["linked", _READER_VERSION, patterns, sorted(rows)]))


def _read(wheel: Wheel, libraries: Mapping[str, tuple[str, ...]]) -> Rows:
    from wheelship.wheel.needed import NeededReader

    rows: Rows = {}
    patterns = _patterns(libraries)
    for name in wheel.members:
        if not LIBRARY.search(name):
            continue
        reader = NeededReader(patterns)
        for piece in wheel.pieces(name):
            reader.feed(piece)
        if needed := reader.finish():
            rows[name] = list(needed)
    return rows


def _installed(path: str) -> str:
    """Return a path in a wheel as it is below site-packages."""
    return re.sub(r"^[^/]+\.data/(?:platlib|purelib)/", "", path)
