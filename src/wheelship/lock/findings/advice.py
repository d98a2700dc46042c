# SPDX-License-Identifier: Apache-2.0
"""What is no mistake and yet not what was meant: packages that this accelerator cannot use."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.lock.findings.model import PackageFinding, Subject, exclude_line

__all__ = ["CODES", "find"]

CODES = {
    "idle-accelerator": "The package works and leaves the accelerator idle; another one uses it.",
    "unusable-package": "The package has nothing to do with this accelerator.",
    "system-libraries": "The package needs libraries that no wheel brings: the base has to.",
}


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield what is worth a warning."""
    row = subject.row
    for wheel in subject.wheels:
        for family in row.families:
            better = family.instead.get(wheel.name)
            if better is not None and subject.wheel(better.partition("[")[0]) is None:
                message = f"does not use {row.accelerator}"
                hint = f'ask for "{better}" in its place'
                yield subject.finding("idle-accelerator", wheel, message, hint)
            if names := family.libraries.get(wheel.name, ()):
                message = f"needs {' and '.join(names)}, which no wheel brings"
                hint = 'choose an image that has them: base = "registry.example.org/rocm:7.2"'
                yield subject.finding("system-libraries", wheel, message, hint)
        if reason := row.idle.get(wheel.name):
            message = f"{reason}, which a {row.accelerator} image has no use for"
            yield subject.finding("unusable-package", wheel, message, exclude_line(wheel.name))
