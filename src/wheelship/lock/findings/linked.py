# SPDX-License-Identifier: Apache-2.0
"""Builds that need another accelerator's libraries though neither name nor label says so."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.lock.findings.model import PackageFinding, Subject, omit_line

__all__ = ["CODES", "find"]

CODES = {
    "linked-libraries": "The build of the public index needs another accelerator's libraries.",
}


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield the builds that are known to be linked so; what is not known, the build reads."""
    for wheel in subject.wheels:
        linked = subject.linked(wheel)
        if linked is None or linked.accelerator == subject.row.accelerator:
            continue
        if subject.is_cured(linked):
            continue
        release = f"{linked.accelerator} {linked.release}".rstrip()
        message = f"of the public index is linked to {release}"
        if linked.omit:
            hint = omit_line(wheel.name, linked.omit)
        elif linked.instead:
            hint = f'ask for another version: "{linked.instead}"'
        else:
            hint = subject.right_build(wheel)
        yield subject.finding("linked-libraries", wheel, message, hint)
