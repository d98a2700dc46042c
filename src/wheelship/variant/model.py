# SPDX-License-Identifier: Apache-2.0
"""What one release of an accelerator means for a resolution and for the image's environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

__all__ = ["AcceleratorRow", "DevicePackages", "Driver", "Family"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The oldest driver of the machine that serves images of a release; ``source`` says so."""

    name: str
    minimum: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePackages:
    """Device code that is published in packages of its own, one per GPU target.

    Attributes:
        extra: of the packages that have device code; ``device-{target}``.
        packages: those that have such extras; normalised names.
        distribution: what the extra brings; ``amd-{package}-device-{target}``.
        targets: for which there are such packages.
    """

    extra: str
    packages: tuple[str, ...]
    distribution: str
    targets: tuple[str, ...]

    def extras_of(self, package: str, targets: Iterable[str]) -> tuple[str, ...]:
        """Return the extras by which ``package`` gets device code for ``targets``."""
        if package not in self.packages:
            return ()
        return tuple(self.extra.format(target=one) for one in targets)

    def distribution_of(self, package: str, target: str) -> str:
        """Return the distribution with the device code of ``package`` for one target."""
        return self.distribution.format(package=package, target=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Packages of one framework, as this accelerator's release needs them.

    Some frameworks publish one build per accelerator under one name, told apart by a local label
    (torch); others have names of their own for each (onnxruntime-gpu), and neither label nor index.

    Attributes:
        name: of the framework, such as ``torch``.
        packages: normalised names, or patterns of them.
        labels: local version labels (``cu130``) of builds that fit, the usual one first.
        index: address of the index that serves exactly those builds, or None.
        unlabelled: per machine (``x86_64``), by package, the versions whose builds *without* a
            label (those of the public index) fit as well, as a version specifier.
        plain: packages whose label, if they have one, does not tell what they are for, by name or
            pattern, with the versions that fit; only ``index`` has them.
        gpu_targets: what all builds of this release have code for; empty where it is not known.
        devices: packages of device code, where there are such.
        instead: packages that run but leave the accelerator idle, and what to ask for instead.
        libraries: by package, the system libraries it is linked to and no wheel brings.
    """

    name: str
    packages: tuple[str, ...]
    labels: tuple[str, ...] = ()
    index: str | None = None
    unlabelled: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)
    gpu_targets: tuple[str, ...] = ()
    devices: DevicePackages | None = None
    instead: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def holds(self, package: str) -> bool:
        """Tell whether the normalised name is one of the family's."""
        return any(fnmatchcase(package, pattern) for pattern in self.packages)

    def unlabelled_versions(self, package: str, machine: str) -> str | None:
        """Return the specifier of the fitting builds without a label, None where none is known."""
        return self.unlabelled.get(machine, {}).get(package)

    def plain_versions(self, package: str) -> str | None:
        """Return the specifier of a package that never carries a label; None for others."""
        found = (text for name, text in self.plain.items() if fnmatchcase(package, name))
        return next(found, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorRow:
    """One release of one accelerator.

    Attributes:
        accelerator: ``cpu``, ``cuda`` or ``rocm``.
        version: of the release (``13.0``); None where the accelerator has no releases.
        machines: the machines (``uname -m``) it exists for.
        environment: variables of images, those shared by all accelerators included.
        driver: what the machine that runs the image must have; None where nothing.
        families: the frameworks known to publish one build per accelerator.
        forbidden: name patterns of packages that belong to another accelerator.
        allowed: names that match a pattern of ``forbidden`` without belonging to it.
        idle: packages that are harmless and useless with this accelerator, with the reason.
        foreign_labels: regular expressions of the local labels of other accelerators.
        foreign_libraries: by accelerator, name patterns of the shared libraries of all others.
        majors_in_names: regular expressions of package names; the group is a major version of the
            accelerator.
        majors_in_versions: packages whose own major version is the accelerator's.
    """

    accelerator: str
    version: str | None
    machines: tuple[str, ...]
    environment: Mapping[str, str]
    families: tuple[Family, ...]
    forbidden: tuple[str, ...]
    allowed: frozenset[str]
    foreign_labels: tuple[str, ...]
    driver: Driver | None = None
    idle: Mapping[str, str] = field(default_factory=dict)
    foreign_libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    majors_in_names: tuple[str, ...] = ()
    majors_in_versions: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.accelerator if self.version is None else f"{self.accelerator} {self.version}"

    def family_of(self, package: str) -> Family | None:
        """Return the family that the normalised name belongs to."""
        return next((one for one in self.families if one.holds(package)), None)

    def forbids(self, package: str) -> bool:
        """Tell whether the normalised name is another accelerator's package."""
        return (
            package not in self.allowed
            and self.family_of(package) is None
            and any(fnmatchcase(package, pattern) for pattern in self.forbidden)
        )

    def accepts_label(self, package: str, label: str | None) -> bool:
        """Tell whether a build of ``package`` with this local label fits.

        A package of a family must carry one of its labels; whether a build without any fits is a
        question of its version (:meth:`Family.unlabelled_versions`), so it is accepted here. Any
        other package only must not carry the label of another accelerator.
        """
        if label is None:
            return True
        family = self.family_of(package)
        if family is not None and family.labels and family.plain_versions(package) is None:
            return label in family.labels
        return not any(re.fullmatch(pattern, label) for pattern in self.foreign_labels)

    def major_of(self, package: str, version: str) -> str | None:
        """Return the major version of the accelerator that a package is for, where it tells."""
        for pattern in self.majors_in_names:
            if found := re.fullmatch(pattern, package):
                return found[1]
        return version.partition(".")[0] if package in self.majors_in_versions else None
