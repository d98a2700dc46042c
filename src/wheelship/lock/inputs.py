# SPDX-License-Identifier: Apache-2.0
"""Everything that decides a resolution, as one value: its digest tells whether a lock is current.

Where the machine finds wheels (pip's and uv's own settings) is left out on purpose: a lock is meant
to hold on other machines.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from wheelship.fetch.url import without_credentials
from wheelship.lock.target import Target
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.request.model import Project, Variant
from wheelship.variant.accelerator import accelerator_row
from wheelship.variant.model import AcceleratorRow

__all__ = ["LOCK_VERSION", "LockInputs", "lock_inputs"]

LOCK_VERSION = 1
"""Raised whenever the same inputs would be resolved or written otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInputs:
    """The inputs of a resolution, in plain values; lists are sorted unless their order matters.

    Attributes:
        builds: digest of what the data files say about where builds for the accelerator come from.
        find_links: the project's own; relative to the project where they are inside it.
        bases: where the base is no Debian of ours, Python and C library of each platform's.
        gpu_targets: those of the image, where device code is a matter of packages.
    """

    python: str
    platforms: tuple[str, ...]
    accelerator: str
    builds: str
    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    index: str = ""
    extra_indexes: tuple[str, ...] = ()
    torch_index: str = ""
    find_links: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    gpu_targets: tuple[str, ...] = ()
    version: int = LOCK_VERSION

    @property
    def digest(self) -> Digest:
        """Identifies the inputs."""
        return Digest.of(canonical_json(self.to_table()))

    def to_table(self) -> dict[str, Any]:
        """Return the form that stands in the lock; what is empty is left out."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            name.replace("_", "-"): list(value) if isinstance(value, tuple) else value
            for name, value in sorted(values.items())
            if value not in ((), "")
        }

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self | None:
        """Read :meth:`to_table`'s result; None where it is not one."""
        known = set(cls.__slots__)
        values = {
            name.replace("-", "_"): tuple(value) if isinstance(value, list) else value
            for name, value in table.items()
        }
        required = {"python", "platforms", "accelerator", "builds", "version"}
        if not required <= values.keys() <= known:
            return None
        complete: dict[str, Any] = {"requirements": (), **values}
        inputs = cls(**complete)
        return inputs if inputs._is_well_typed() else None

    def _is_well_typed(self) -> bool:
        lists = [self.platforms, self.requirements, self.constraints, self.exclude]
        lists += [self.extra_indexes, self.find_links, self.bases]
        texts = [self.python, self.accelerator, self.builds, self.index, self.torch_index]
        return (
            all(isinstance(one, tuple) for one in lists)
            and all(isinstance(text, str) for text in (*texts, *(t for one in lists for t in one)))
            and isinstance(self.version, int)
        )

    def differences(self, newer: LockInputs) -> tuple[str, ...]:
        """Say what ``newer`` changes, one line per change."""
        lines: list[str] = []
        for name in self.__slots__:
            label = _LABELS.get(name, name.replace("_", "-"))
            before, after = getattr(self, name), getattr(newer, name)
            if isinstance(before, tuple) and isinstance(after, tuple):
                lines += [f"{label}: + {one}" for one in after if one not in before]
                lines += [f"{label}: - {one}" for one in before if one not in after]
                if before != after and set(before) == set(after):
                    lines.append(f"{label}: another order")
            elif before != after and name == "builds":
                lines.append("the known builds of the accelerator changed")
            elif before != after:
                lines.append(f"{label}: {before or 'none'} → {after or 'none'}")
        return tuple(lines)


_LABELS = {
    "version": "form of the lock",
    "platforms": "platform",
    "requirements": "requirement",
    "bases": "base",
    "gpu_targets": "GPU target",
}


def lock_inputs(project: Project, variant: Variant, targets: Iterable[Target] = ()) -> LockInputs:
    """Return what the lock of ``variant`` depends on; ``targets`` count if they are not Debian's.

    Raises:
        UnknownAcceleratorVersion: no data knows the accelerator's version.
    """
    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    chosen = [project.extras[name] for name in variant.extras]
    chosen += [project.groups[name] for name in variant.groups]
    requirements = [*project.dependencies, *(one for group in chosen for one in group)]
    sources = variant.sources
    return LockInputs(
        python=variant.python,
        platforms=tuple(sorted(map(str, variant.platforms))),
        accelerator=str(row),
        builds=_builds(row),
        requirements=_sorted(requirements),
        constraints=_sorted(project.constraints),
        exclude=_sorted(variant.exclude_packages),
        index=without_credentials(sources.index or ""),
        extra_indexes=tuple(map(without_credentials, sources.extra_indexes)),
        torch_index=_place(sources.torch_index or "", project.root),
        find_links=tuple(_place(str(path), project.root) for path in sources.find_links),
        bases=tuple(
            f"{one.platform} Python {one.release} glibc 2.{one.glibc}"
            for one in sorted(targets, key=lambda one: one.platform)
            if one.release is not None
        ),
        gpu_targets=variant.gpu_targets if any(one.devices for one in row.families) else (),
    )


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({text.strip() for text in texts}))


def _builds(row: AcceleratorRow) -> str:
    families = [
        {
            "name": family.name,
            "packages": sorted(family.packages),
            "labels": family.labels,
            "index": family.index,
            "unlabelled": family.unlabelled,
            **({"plain": family.plain} if family.devices else {}),
            **({"devices": asdict(family.devices)} if family.devices else {}),
        }
        for family in row.families
        if family.index is not None
    ]
    return Digest.of(canonical_json({"families": families})).hex[:16]


def _place(text: str, root: Path) -> str:
    """Return an address without credentials, or a directory relative to the project it is in."""
    if "://" in text or not Path(text).is_absolute():
        return without_credentials(text)
    path = Path(os.path.normpath(text))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
