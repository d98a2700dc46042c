# SPDX-License-Identifier: Apache-2.0
"""Packages for another major version of CUDA: one process can load one only."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.lock.findings.model import PackageFinding, Subject, exclude_line
from wheelship.lock.model import Locked

__all__ = ["CODES", "find"]

CODES = {
    "mixed-majors": "The package is for another major version of CUDA than the image.",
}


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield the packages whose name or version tells another major version than the release's."""
    row = subject.row
    if row.version is None:
        return
    own = row.version.partition(".")[0]
    for wheel in subject.wheels:
        major = row.major_of(wheel.name, wheel.version)
        if major is None or major == own:
            continue
        message = f"is for {row.accelerator} {major}, the image for {row}"
        yield subject.finding("mixed-majors", wheel, message, _hint(subject, wheel, own))


def _hint(subject: Subject, wheel: Locked, own: str) -> str:
    culprit = subject.culprit_of(wheel.name)
    if culprit is not None and subject.is_wrong_build(culprit):
        return subject.right_build(culprit)
    for name in subject.way_to(wheel.name):
        found = subject.wheel(name)
        if found is None:
            continue
        major = subject.row.major_of(found.name, found.version)
        if major is not None and major != own:
            if major in found.name:
                other = found.name.replace(major, own)
                return f'ask for "{other}" in the place of "{found.name}"'
            return f'ask for "{found.name}=={own}.*", or {exclude_line(found.name)}'
    return exclude_line(wheel.name)
