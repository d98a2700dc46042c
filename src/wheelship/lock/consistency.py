# SPDX-License-Identifier: Apache-2.0
"""Before a byte is fetched: do all locked wheels belong to the accelerator?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from wheelship.lock.errors import AcceleratorLacksPlatform, WrongAccelerator
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.variant.model import AcceleratorRow

__all__ = ["check_machine", "check_selection"]


def check_machine(row: AcceleratorRow, targets: Iterable[Target]) -> None:
    """Check that the accelerator exists for all targets.

    Raises:
        AcceleratorLacksPlatform: it does not.
    """
    for target in targets:
        if target.platform.machine not in row.machines:
            raise AcceleratorLacksPlatform(
                f"there is no {row} for {target.platform}",
                hint='platforms = ["linux/amd64"]',
            )


def check_selection(wheels: Sequence[LockedWheel], row: AcceleratorRow, target: Target) -> None:
    """Check that no package of another accelerator is among ``wheels``, and no other build.

    Raises:
        WrongAccelerator: with every such package, who pulled it in, and a fix.
    """
    findings: list[str] = []
    hints: list[str] = []
    for wheel in wheels:
        if row.forbids(wheel.name):
            chain = _chain(wheel.name, wheels)
            findings.append(f"{wheel.name} {wheel.version} has no place in {row}{chain}")
            hints.append(f'leave it out: exclude = ["{wheel.name}"]')
        elif not row.accepts_label(wheel.name, wheel.label):
            chain = _chain(wheel.name, wheels)
            findings.append(f"{wheel.filename} is a build for {wheel.label}{chain}")
            hints.append(_build_hint(wheel, row))
    if findings:
        lines = "".join(f"\n  {finding}" for finding in findings)
        raise WrongAccelerator(
            f"wheels of another accelerator would be in the {row} image for {target}:{lines}",
            hint="\n".join(dict.fromkeys(hints)),
        )


def _build_hint(wheel: LockedWheel, row: AcceleratorRow) -> str:
    family = row.family_of(wheel.name)
    if family is None:
        return f'leave it out: exclude = ["{wheel.name}"]'
    version = wheel.version.partition("+")[0]
    return f'ask for the right build: "{wheel.name}=={version}+{family.labels[0]}"'


def _chain(name: str, wheels: Sequence[LockedWheel]) -> str:
    """Return the shortest way from what the project itself requires to ``name``, in words."""
    parents: dict[str, list[str]] = {}
    for wheel in wheels:
        for child in wheel.requires:
            parents.setdefault(child, []).append(wheel.name)
    ways = deque([[name]])
    seen = {name}
    while ways:
        way = ways.popleft()
        above = parents.get(way[-1], [])
        if not above:
            names = " → ".join(reversed(way))
            return f" ({names})" if len(way) > 1 else ""
        for parent in above:
            if parent not in seen:
                seen.add(parent)
                ways.append([*way, parent])
    return ""
