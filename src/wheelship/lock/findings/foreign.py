# SPDX-License-Identifier: Apache-2.0
"""Packages of another accelerator, and builds that were made for one or for another release."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.lock.findings.model import PackageFinding, Subject, exclude_line, omit_line

__all__ = ["CODES", "find"]

CODES = {
    "foreign-package": "The package belongs to another accelerator.",
    "foreign-build": "The build was made for another accelerator or release: its label says so.",
    "other-release": "The build of the public index was made for another release.",
}


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield what does not belong to the accelerator, with the fix for what brought it."""
    row = subject.row
    for wheel in subject.wheels:
        culprit = subject.culprit_of(wheel.name)
        hint = subject.right_build(culprit) if culprit is not None else exclude_line(wheel.name)
        if not row.accepts_label(wheel.name, wheel.label):
            message = f"is a build for {wheel.label}"
            if row.family_of(wheel.name) is not None:
                hint = subject.right_build(wheel)
            yield subject.finding("foreign-build", wheel, message, hint)
        elif row.forbids(wheel.name):
            yield subject.finding("foreign-package", wheel, f"has no place in {row}", hint)
        elif fitting := subject.fits_otherwise(wheel):
            linked = subject.linked(wheel)
            if linked is not None and subject.is_cured(linked):
                continue
            hint = subject.right_build(wheel)
            if linked is not None and linked.omit:
                hint = omit_line(wheel.name, linked.omit)
            message = f"is built for {' and '.join(fitting)}"
            yield subject.finding("other-release", wheel, message, hint)
