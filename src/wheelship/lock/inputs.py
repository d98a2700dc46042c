# SPDX-License-Identifier: Apache-2.0
"""Everything that decides a resolution, as one value: its digest tells whether a lock is current.

Where the machine finds wheels (pip's and uv's own settings) is left out on purpose: a lock is meant
to hold on other machines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from wheelship.fetch.url import file_path, without_credentials
from wheelship.lock.target import Target
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.request.choice import allowed_hashes, chosen_extras, chosen_requirements
from wheelship.request.model import Project, Variant
from wheelship.request.uv import UvSettings, UvSource
from wheelship.variant.accelerator import accelerator_row
from wheelship.variant.model import AcceleratorRow

__all__ = ["LOCK_VERSION", "LockInputs", "lock_inputs"]

_FILE_URL = re.compile(r"@\s*(file:[^\s;]+)")
_DECLARING = ("pyproject.toml", "setup.cfg", "setup.py")

LOCK_VERSION = 1
"""Raised whenever the same inputs would be resolved or written otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInputs:
    """The inputs of a resolution, in plain values; lists are sorted unless their order matters.

    Attributes:
        builds: digest of what the data files say about where builds for the accelerator come from.
        find_links: the project's own; relative to the project where they are inside it.
        sdist: how packages are built that have no wheel, in words; ``("false",)`` = not at all.
        directories: directories that are required, each with the digest of what in it says its
            requirements.
        bases: where the base is no Debian of ours, Python and C library of each platform's.
        overrides, environments, options, metadata, no_binary: what the project tells uv.
        uv_sources: the only place where a package may come from, one line each.
        uv_lock: SHA-256 of the ``uv.lock`` whose versions are used.
        hashes: digest of the hashes in requirements files; empty where there are none.
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
    link_pages: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    uv_sources: tuple[str, ...] = ()
    uv_lock: str = ""
    hashes: str = ""
    sdist: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
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
        """Tell whether each value has the type of its field; ``to_table`` makes no other ones."""
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "version":
                fits = isinstance(value, int)
            elif isinstance(one.default, tuple) or one.name in ("platforms", "requirements"):
                fits = isinstance(value, tuple) and all(isinstance(text, str) for text in value)
            else:
                fits = isinstance(value, str)
            if not fits:
                return False
        return True

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
            elif before != after and name in _CHANGED:
                lines.append(_CHANGED[name])
            elif before != after:
                lines.append(f"{label}: {before or 'none'} → {after or 'none'}")
        return tuple(lines)


_LABELS = {
    "version": "form of the lock",
    "platforms": "platform",
    "requirements": "requirement",
    "bases": "base",
    "uv_sources": "source",
    "options": "setting of uv",
    "no_binary": "no-binary-package",
    "sdist": "build of source",
    "directories": "directory",
    "gpu_targets": "GPU target",
}

_CHANGED = {
    "builds": "the known builds of the accelerator changed",
    "uv_lock": "uv.lock changed",
    "hashes": "the hashes in requirements files changed",
}
"""What is said of digests, which tell a reader nothing."""


def lock_inputs(project: Project, variant: Variant, targets: Iterable[Target] = ()) -> LockInputs:
    """Return what the lock of ``variant`` depends on; ``targets`` count if they are not Debian's.

    Raises:
        UnknownAcceleratorVersion: no data knows the accelerator's version.
    """
    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    own = variant.requirements is not None
    sources, uv = variant.sources, project.uv
    requirements = _sorted(chosen_requirements(project, variant))
    chosen = uv.chosen(chosen_extras(project, variant), variant.groups)
    return LockInputs(
        python=variant.python,
        platforms=tuple(sorted(map(str, variant.platforms))),
        accelerator=str(row),
        builds=_builds(row),
        requirements=requirements,
        constraints=_sorted(variant.constraints if own else project.constraints),
        exclude=_sorted((*variant.exclude_packages, *uv.exclude)),
        index=without_credentials(sources.index or ""),
        extra_indexes=tuple(map(without_credentials, sources.extra_indexes)),
        torch_index=_place(sources.torch_index or "", project.root),
        find_links=tuple(_place(str(path), project.root) for path in sources.find_links),
        bases=tuple(
            f"{one.platform} Python {one.release} glibc 2.{one.glibc}"
            for one in sorted(targets, key=lambda one: one.platform)
            if one.release is not None
        ),
        link_pages=tuple(map(without_credentials, sources.link_pages)),
        overrides=_sorted(uv.overrides),
        environments=uv.environments,
        options=(
            *(f"{name} = {text}" for name, text in uv.options),
            *(("no-index = true",) if uv.no_index else ()),
        ),
        metadata=uv.metadata,
        no_binary=_sorted(uv.no_binary),
        uv_sources=tuple(_source(one, uv, project.root) for one in chosen),
        uv_lock=project.uv_lock,
        hashes=_hashes(project, variant),
        sdist=_build_rules(variant),
        directories=tuple(_directories(requirements, chosen, project.root)),
        gpu_targets=variant.gpu_targets if any(one.devices for one in row.families) else (),
    )


def _build_rules(variant: Variant) -> tuple[str, ...]:
    if variant.sdist is None:
        return ("false",)
    lines: list[str] = []
    for name, rule in sorted(variant.sdist.items()):
        lines += [f"{name} requires {one}" for one in rule.requires]
        lines += [f"{name} setting {key}={one}" for key, texts in rule.settings for one in texts]
        lines += [f"{name} env {key}={text}" for key, text in rule.env]
        lines += [f"{name} network"] if rule.network else []
    return tuple(lines)


def _directories(
    requirements: Iterable[str], sources: Iterable[UvSource], root: Path
) -> Iterator[str]:
    """Yield the directories that are required; what they require in turn is read by uv."""
    urls = {match[1] for one in requirements if (match := _FILE_URL.search(one))}
    places = {path for url in urls if (path := file_path(url)) is not None}
    places |= {Path(text) for one in sources for key, text in one.fields if key == "path"}
    for path in sorted(one for one in places if one.is_dir()):
        found = [path / name for name in _DECLARING if (path / name).is_file()]
        digest = Digest.of(b"".join(one.name.encode() + b"\0" + one.read_bytes() for one in found))
        yield f"{_place(str(path), root)} {digest.hex[:16]}"


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({text.strip() for text in texts}))


def _hashes(project: Project, variant: Variant) -> str:
    hashes = allowed_hashes(project, variant)
    if hashes is None:
        return ""
    return Digest.of(canonical_json({name: sorted(one) for name, one in hashes.items()})).hex[:16]


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


def _source(source: UvSource, uv: UvSettings, root: Path) -> str:
    """Return the line for a source, as ``name: kind place; marker``."""
    place = source.place
    if source.kind == "index" and (index := uv.index(place)) is not None:
        place = f"{place} {_place(index.address, root)}"
    elif source.kind != "source":
        place = _place(place, root)
    marker = f"; {source.marker}" if source.marker else ""
    return f"{source.package}: {source.kind} {place}{marker}"


def _place(text: str, root: Path) -> str:
    """Return an address without credentials, or a directory relative to the project it is in."""
    if "://" in text or not Path(text).is_absolute():
        return without_credentials(text)
    path = Path(os.path.normpath(text))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
