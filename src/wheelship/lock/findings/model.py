# SPDX-License-Identifier: Apache-2.0
"""What is looked at, and what is found."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from wheelship.lock.model import Locked
from wheelship.lock.target import Target
from wheelship.variant.compatibility import Compatibility, LinkedBuild
from wheelship.variant.model import AcceleratorRow

__all__ = ["PackageFinding", "Subject", "contains", "exclude_line", "omit_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFinding:
    """One thing that is wrong with one package.

    Attributes:
        code: of the kind; stable, kebab-case (docs/reference/findings.md).
        package / version: normalised name and version of the culprit.
        message: what is wrong, without the package's name.
        way: from a package that nothing else requires to this one.
        hint: a fix to paste.
    """

    code: str
    package: str
    version: str
    message: str
    way: tuple[str, ...]
    hint: str

    def __str__(self) -> str:
        who = f" ({' → '.join(self.way)})" if len(self.way) > 1 else ""
        return f"{self.package} {self.version} {self.message}{who}"

    def to_json(self) -> dict[str, object]:
        """Return the form that stands in ``--json`` output."""
        return {
            "code": self.code,
            "package": self.package,
            "version": self.version,
            "way": list(self.way),
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Wheels for one image, and what they are held against.

    Attributes:
        releases: all releases of the accelerator, ``row`` among them.
        omit: globs of files that are left out, by package.
    """

    wheels: tuple[Locked, ...]
    row: AcceleratorRow
    target: Target
    compatibility: Compatibility
    releases: tuple[AcceleratorRow, ...] = ()
    gpu_targets: tuple[str, ...] = ()
    omit: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def machine(self) -> str:
        """The machine (``x86_64``) that the wheels are for."""
        return self.target.platform.machine

    def wheel(self, name: str) -> Locked | None:
        """Return the wheel of a package, if there is one."""
        return next((one for one in self.wheels if one.name == name), None)

    def finding(self, code: str, wheel: Locked, message: str, hint: str) -> PackageFinding:
        """Return a finding about ``wheel`` with the way to it."""
        return PackageFinding(
            code=code,
            package=wheel.name,
            version=wheel.version,
            message=message,
            way=self.way_to(wheel.name),
            hint=hint,
        )

    def linked(self, wheel: Locked) -> LinkedBuild | None:
        """Return what is known of the libraries that a build without a label is linked to."""
        if wheel.label is not None:
            return None
        rows = (
            row
            for row in self.compatibility.linked
            if row.package == wheel.name
            and self.machine in row.machines
            and contains(row.versions, wheel.version)
        )
        return next(rows, None)

    def is_cured(self, linked: LinkedBuild) -> bool:
        """Tell whether the files that are linked are left out."""
        given = self.omit.get(linked.package, ())
        return bool(linked.omit) and all(
            any(one == glob or fnmatchcase(glob, one) for one in given) for glob in linked.omit
        )

    def fits_otherwise(self, wheel: Locked) -> tuple[str, ...]:
        """Return the releases a build without a label is known to be for, if ours is not one."""
        if wheel.label is not None:
            return ()
        fitting = [str(row) for row in self.releases if self._serves(row, wheel)]
        return () if str(self.row) in fitting else tuple(fitting)

    def is_wrong_build(self, wheel: Locked) -> bool:
        """Tell whether another build of the same package would be the right one."""
        if not self.row.accepts_label(wheel.name, wheel.label) or self.fits_otherwise(wheel):
            return True
        linked = self.linked(wheel)
        return linked is not None and linked.accelerator != self.row.accelerator

    def right_build(self, wheel: Locked) -> str:
        """Return how the right build of a wrong one is asked for."""
        family = self.row.family_of(wheel.name)
        bare = wheel.version.partition("+")[0]
        fitting = family.unlabelled_versions(wheel.name, self.machine) if family else None
        if family is not None and family.labels:
            labelled = f'ask for the right build: "{wheel.name}=={bare}+{family.labels[0]}"'
            public = f', or of the public index "{wheel.name}{fitting}"' if fitting else ""
            return labelled + public
        if fitting is not None:
            return f'ask for the right build: "{wheel.name}{fitting}"'
        return exclude_line(wheel.name)

    def culprit_of(self, name: str) -> Locked | None:
        """Return the first wrong build on the way to ``name``: what it pulls in goes with it."""
        found = (self.wheel(one) for one in self.way_to(name))
        return next((one for one in found if one is not None and self._is_culprit(one)), None)

    def way_to(self, name: str) -> tuple[str, ...]:
        """Return the shortest way to ``name`` from a package that nothing else requires."""
        parents: dict[str, list[str]] = {}
        for wheel in self.wheels:
            for child in wheel.requires:
                parents.setdefault(child, []).append(wheel.name)
        ways: deque[tuple[str, ...]] = deque([(name,)])
        seen = {name}
        while ways:
            way = ways.popleft()
            above = parents.get(way[0], [])
            if not above:
                return way
            for parent in above:
                if parent not in seen:
                    seen.add(parent)
                    ways.append((parent, *way))
        return (name,)

    def _serves(self, row: AcceleratorRow, wheel: Locked) -> bool:
        family = row.family_of(wheel.name)
        fitting = family.unlabelled_versions(wheel.name, self.machine) if family else None
        return fitting is not None and contains(fitting, wheel.version)

    def _is_culprit(self, wheel: Locked) -> bool:
        family = self.row.family_of(wheel.name)
        if family is None or not family.labels:
            return False
        return wheel.label is None or self.is_wrong_build(wheel)


def contains(specifier: str, version: str) -> bool:
    """Tell whether ``version`` meets ``specifier``; prereleases and labels do not matter."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        public = Version(version).public
    except InvalidVersion:
        return False
    return SpecifierSet(specifier).contains(public, prereleases=True)


def exclude_line(*names: str) -> str:
    """Return the line of configuration that leaves packages out."""
    listed = ", ".join(f'"{name}"' for name in names)
    return f"leave out what is not used: exclude = [{listed}]"


def omit_line(package: str, globs: tuple[str, ...]) -> str:
    """Return the line of configuration that leaves files of a package out."""
    listed = ", ".join(f'"{glob}"' for glob in globs)
    return f"leave out the files: omit = {{ {package} = [{listed}] }}"
