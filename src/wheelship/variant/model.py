# SPDX-License-Identifier: Apache-2.0
"""What one release of an accelerator means for a resolution and for the image's environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["AcceleratorRow", "Family"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Packages that are published once per accelerator under one name, told apart by local label.

    Attributes:
        name: of the framework, such as ``torch``.
        packages: normalised names.
        labels: local version labels (``cu130``) of builds that fit, the usual one first.
        index: address of the index that serves exactly those builds, or None.
        unlabelled: per machine (``x86_64``), by package, the versions whose builds *without* a
            label (those of the public index) fit as well, as a version specifier.
        gpu_targets: what all builds of this release have code for; empty where it is not known.
    """

    name: str
    packages: frozenset[str]
    labels: tuple[str, ...]
    index: str | None
    unlabelled: Mapping[str, Mapping[str, str]]
    gpu_targets: tuple[str, ...] = ()

    def unlabelled_versions(self, package: str, machine: str) -> str | None:
        """Return the specifier of the fitting builds without a label, None where none fits."""
        return self.unlabelled.get(machine, {}).get(package)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorRow:
    """One release of one accelerator.

    Attributes:
        accelerator: ``cpu``, ``cuda`` or ``rocm``.
        version: of the release (``13.0``); None where the accelerator has no releases.
        machines: the machines (``uname -m``) it exists for.
        environment: variables of images, those shared by all accelerators included.
        families: the frameworks known to publish one build per accelerator.
        forbidden: name patterns of packages that belong to another accelerator.
        allowed: names that match a pattern of ``forbidden`` without belonging to it.
        foreign_labels: regular expressions of the local labels of other accelerators.
    """

    accelerator: str
    version: str | None
    machines: tuple[str, ...]
    environment: Mapping[str, str]
    families: tuple[Family, ...]
    forbidden: tuple[str, ...]
    allowed: frozenset[str]
    foreign_labels: tuple[str, ...]

    def __str__(self) -> str:
        return self.accelerator if self.version is None else f"{self.accelerator} {self.version}"

    def family_of(self, package: str) -> Family | None:
        """Return the family that the normalised name belongs to."""
        return next((one for one in self.families if package in one.packages), None)

    def forbids(self, package: str) -> bool:
        """Tell whether the normalised name is another accelerator's package."""
        return package not in self.allowed and any(
            fnmatchcase(package, pattern) for pattern in self.forbidden
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
        if family is not None and family.labels:
            return label in family.labels
        return not any(re.fullmatch(pattern, label) for pattern in self.foreign_labels)
