# SPDX-License-Identifier: Apache-2.0
"""Packages that are built against one version of another, as torchaudio against torch."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.lock.findings.model import PackageFinding, Subject, contains

__all__ = ["CODES", "find"]

CODES = {
    "companion-version": "The package is built against another version of its companion.",
    "companion-build": "The package and its companion are builds for different things.",
}


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield torchaudio and torchvision that do not go with the torch beside them."""
    for companion in subject.compatibility.companions:
        wheel, other = subject.wheel(companion.package), subject.wheel(companion.of)
        if wheel is None or other is None:
            continue
        release = other.version.partition("+")[0]
        wanted = companion.versions.get(".".join(release.split(".")[:2]))
        if wanted is not None and not contains(wanted, wheel.version):
            message = f"does not go with {other.name} {other.version}"
            hint = f'ask for the version that does: "{wheel.name}{wanted}"'
            yield subject.finding("companion-version", wheel, message, hint)
        if wheel.label and other.label and wheel.label != other.label:
            message = f"is a build for {wheel.label}, {other.name} one for {other.label}"
            bare = wheel.version.partition("+")[0]
            hint = f'ask for the same: "{wheel.name}=={bare}+{other.label}"'
            yield subject.finding("companion-build", wheel, message, hint)
