# SPDX-License-Identifier: Apache-2.0
"""What ``omit`` leaves out of packages: how much it is, and which patterns match nothing.

The patterns are part of a layer's key, so they are known for every image; how much they match is
counted when the layer is made, and remembered for each wheel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelship.events import Emit, Warned
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import ImagePlan, WheelsRecipe
from wheelship.store.store import Store

if TYPE_CHECKING:
    from wheelship.build.shelf import WheelShelf

__all__ = ["Omission", "count_omissions", "omissions", "warn_of_omissions"]

_FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """What one pattern leaves out of a package; files and bytes are None where nobody counted.

    A file that several patterns match is counted for the first of them.
    """

    package: str
    version: str
    pattern: str
    files: int | None
    size_bytes: int | None


def count_omissions(recipe: WheelsRecipe, shelf: WheelShelf, store: Store) -> None:
    """Count what is left out of the wheels of a layer and remember it."""
    from wheelship.wheel.environment import Environment
    from wheelship.wheel.install import omitted_files

    environment = Environment(python=recipe.python)
    for wheel in recipe.wheels:
        if patterns := recipe.omit_of(wheel):
            opened = shelf.wheel(wheel, waive_record=wheel.name in recipe.waived)
            counts = {pattern: [0, 0] for pattern in patterns}
            for pattern, size_bytes in omitted_files(opened, environment, patterns):
                counts[pattern][0] += 1
                counts[pattern][1] += size_bytes
            store.mark(_key(wheel, patterns), counts)


def omissions(plan: ImagePlan, store: Store) -> tuple[Omission, ...]:
    """Return what is left out of the packages of ``plan``, in the order of its layers."""
    return tuple(_omissions(plan, store))


def warn_of_omissions(found: tuple[Omission, ...], emit: Emit) -> None:
    """Say which patterns leave nothing out; perhaps a new version moved its files."""
    for one in found:
        if one.files == 0:
            message = f"{one.pattern!r} matches no file of {one.package} {one.version}"
            emit(Warned("omit-without-effect", message, hint="correct the pattern, or remove it"))


def _omissions(plan: ImagePlan, store: Store) -> Iterator[Omission]:
    for layer in plan.layers:
        recipe = layer.recipe
        if not isinstance(recipe, WheelsRecipe) or not recipe.omit:
            continue
        for wheel in recipe.wheels:
            patterns = recipe.omit_of(wheel)
            _, counts = store.marked(_key(wheel, patterns)) if patterns else (False, None)
            for pattern in patterns:
                files, size_bytes = (counts or {}).get(pattern, (None, None))
                yield Omission(
                    package=wheel.name,
                    version=wheel.version,
                    pattern=pattern,
                    files=files,
                    size_bytes=size_bytes,
                )


def _key(wheel: LockedWheel, patterns: tuple[str, ...]) -> Digest:
    return Digest.of(canonical_json(["omitted", _FORM, wheel.sha256, list(patterns)]))
