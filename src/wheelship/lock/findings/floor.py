# SPDX-License-Identifier: Apache-2.0
"""Wheels that the base cannot load: its C library or its Python is too old, or another machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wheelship.lock.errors import LOCK_AGAIN
from wheelship.lock.findings.model import PackageFinding, Subject
from wheelship.lock.model import LockedWheel

__all__ = ["CODES", "find"]

CODES = {
    "glibc-floor": "The wheel needs a newer C library than the base has.",
    "python-floor": "The wheel is for another Python than the base's.",
    "other-machine": "The wheel is for another architecture or operating system.",
}

_MANYLINUX = re.compile(r"manylinux_2_(\d+)_(.+)")


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield the wheels none of whose tags suits the target (PEP 600, PEP 425)."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    fitting = frozenset(subject.target.tags())
    for wheel in subject.wheels:
        if not isinstance(wheel, LockedWheel):
            continue  # what is built from it is held against the base when it is built
        try:
            tags = parse_wheel_filename(wheel.filename)[3]
        except InvalidWheelFilename:
            continue
        if fitting.isdisjoint(tags):
            platforms = sorted({tag.platform for tag in tags})
            yield _floor(subject, wheel, platforms)


def _floor(subject: Subject, wheel: LockedWheel, platforms: list[str]) -> PackageFinding:
    target = subject.target
    known = {tag.platform for tag in target.tags()} | {"any"}
    hint = f'ask for an older release: "{wheel.name}<{wheel.version.partition("+")[0]}"'
    if not known.isdisjoint(platforms):
        message = f"is for {wheel.tags.partition('-')[0]}, the base has Python {target.python}"
        return subject.finding("python-floor", wheel, message, hint)
    minors = [
        int(found[1])
        for one in platforms
        if (found := _MANYLINUX.fullmatch(one)) and found[2] == subject.machine
    ]
    if minors:
        message = f"needs glibc 2.{min(minors)}, the base has 2.{target.glibc}"
        newer = 'python = "3.13" (whose base has glibc 2.41)'
        hint += f", or choose a newer base: {newer}" if target.glibc < min(minors) else ""
        return subject.finding("glibc-floor", wheel, message, hint)
    message = f"is for {', '.join(platforms)}, the image for {target.platform}"
    return subject.finding("other-machine", wheel, message, LOCK_AGAIN)
