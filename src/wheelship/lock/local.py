# SPDX-License-Identifier: Apache-2.0
"""Wheels in local directories: which there are, which fit, and pages by which uv finds them.

uv is given pages with the hashes of the wheels rather than the directories: to learn the hash of a
wheel in a directory it unpacks the wheel into its cache (torch: 6.3 s and 711 MB instead of 1.2 s
and none).
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.lock.target import Target
from wheelship.variant.model import AcceleratorRow

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version

__all__ = ["LocalWheel", "find_local_wheels", "local_wheel", "misfit", "write_index", "write_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWheel:
    """A wheel file; ``name`` is normalised."""

    path: Path
    name: str
    version: Version
    tags: frozenset[Tag]

    def fits(self, target: Target) -> bool:
        """Tell whether the target can load it; its accelerator is another question."""
        return not self.tags.isdisjoint(target.tags())


def find_local_wheels(directories: Iterable[Path]) -> tuple[LocalWheel, ...]:
    """Return the wheels directly in ``directories``; of equal file names the first one counts.

    A directory that is not there is empty; a file whose name is no wheel's is none.
    """
    found: dict[str, LocalWheel] = {}
    for directory in directories:
        try:
            names = sorted(path.name for path in directory.iterdir())
        except OSError:
            continue
        for filename in names:
            if filename.endswith(".whl") and filename not in found:
                wheel = _named(directory / filename)
                if wheel is not None:
                    found[filename] = wheel
    return tuple(found.values())


def local_wheel(path: Path) -> LocalWheel | None:
    """Return the wheel at ``path``; None where there is no file, or its name is no wheel's."""
    return _named(path) if path.is_file() else None


def _named(path: Path) -> LocalWheel | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return None
    return LocalWheel(path=path.absolute(), name=name, version=version, tags=tags)


def misfit(wheel: LocalWheel, row: AcceleratorRow, target: Target) -> str | None:
    """Return why ``wheel`` cannot be used for the accelerator on the target; None when it can."""
    if not wheel.fits(target):
        return f"is not for {target}"
    family = row.family_of(wheel.name)
    if family is None or not family.labels:
        return None
    if (plain := family.plain_versions(wheel.name)) is not None:
        return None if _meets(wheel.version, plain) else f"is not of {row}"
    label = wheel.version.local
    if label is None:
        fitting = family.unlabelled_versions(wheel.name, target.platform.machine)
        if fitting is None or not _meets(wheel.version, fitting):
            return f"has no label, so it is no build for {row}"
    elif label not in family.labels:
        return f"is a build for {label}, not for {row}"
    return None


def write_index(
    directory: Path, wheels: Sequence[LocalWheel], sha256_of: Callable[[Path], str]
) -> str:
    """Write an index of ``wheels`` (PEP 503) into ``directory`` and return its address."""
    for name in {wheel.name for wheel in wheels}:
        page = directory / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_page(page, [wheel for wheel in wheels if wheel.name == name], sha256_of)
    return directory.as_uri()


def write_page(page: Path, wheels: Sequence[LocalWheel], sha256_of: Callable[[Path], str]) -> str:
    """Write a flat page of links to ``wheels`` and return its address."""
    links = [
        f'<a href="{html.escape(wheel.path.as_uri())}#sha256={sha256_of(wheel.path)}">'
        f"{html.escape(wheel.path.name)}</a><br>\n"
        for wheel in wheels
    ]
    page.write_text("<!DOCTYPE html>\n" + "".join(links), "utf-8")
    return page.as_uri()


def _meets(version: Version, specifier: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(version, prereleases=True)
