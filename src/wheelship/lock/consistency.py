# SPDX-License-Identifier: Apache-2.0
"""Before a byte is fetched: do all locked wheels belong to the accelerator?"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from wheelship.lock.errors import AcceleratorLacksPlatform, WrongAccelerator
from wheelship.lock.model import Locked, LockedWheel
from wheelship.lock.target import Target
from wheelship.variant.errors import GpuTargetNotCovered
from wheelship.variant.model import AcceleratorRow

__all__ = ["check_gpu_targets", "check_machine", "check_selection"]


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


def check_selection(wheels: Sequence[Locked], row: AcceleratorRow, target: Target) -> None:
    """Check that no package of another accelerator is among ``wheels``, and no other build.

    Raises:
        WrongAccelerator: with every such package, who pulled it in, and a fix.
    """
    findings: list[str] = []
    builds: list[str] = []
    useless: list[str] = []
    for wheel in wheels:
        wrong_build = not row.accepts_label(wheel.name, wheel.label)
        if not wrong_build and not row.forbids(wheel.name):
            continue
        way = _way_to(wheel.name, wheels)
        what = f"is a build for {wheel.label}" if wrong_build else f"has no place in {row}"
        who = f" ({' → '.join(way)})" if len(way) > 1 else ""
        findings.append(f"{wheel.name} {wheel.version} {what}{who}")
        # What a wrong build of torch pulls in goes away with that build.
        culprit = next((name for name in way if row.family_of(name)), None)
        if culprit is None:
            useless.append(wheel.name)
        elif culprit not in builds:
            builds.append(culprit)
    if findings:
        raise WrongAccelerator(
            f"wheels of another accelerator would be in the {row} image for {target}:"
            + "".join(f"\n  {finding}" for finding in findings),
            hint="\n".join(_hints(builds, useless, wheels, row)),
        )


def check_gpu_targets(
    wheels: Sequence[LockedWheel], row: AcceleratorRow, targets: Sequence[str]
) -> None:
    """Check that the builds of this release, as far as they are known, run on all ``targets``.

    Raises:
        GpuTargetNotCovered: they do not.
    """
    if row.accelerator != "cuda" or not targets:
        return
    from wheelship.variant.gpu import parse_target, uncovered

    for wheel in wheels:
        family = row.family_of(wheel.name)
        if family is None or family.name != wheel.name or not family.gpu_targets:
            continue
        held = [parse_target(one) for one in family.gpu_targets]
        if lacking := uncovered(held, targets):
            raise GpuTargetNotCovered(
                f"{wheel.name} {wheel.version} for {row} has no code for {', '.join(lacking)}; "
                f"it has {', '.join(family.gpu_targets)}",
                where="gpu-targets",
                hint="choose another version of the accelerator, or leave the GPU out:\n"
                f"gpu-targets = {json.dumps([one for one in targets if one not in lacking])}",
            )


def _hints(
    builds: Iterable[str],
    useless: Iterable[str],
    wheels: Iterable[Locked],
    row: AcceleratorRow,
) -> Iterator[str]:
    versions = {wheel.name: wheel.version.partition("+")[0] for wheel in wheels}
    for name in builds:
        family = row.family_of(name)
        label = f"+{family.labels[0]}" if family is not None and family.labels else ""
        yield f'ask for the right build: "{name}=={versions[name]}{label}"'
    names = ", ".join(f'"{name}"' for name in useless)
    if names:
        yield f"leave out what is not used: exclude = [{names}]"


def _way_to(name: str, wheels: Sequence[Locked]) -> list[str]:
    """Return the shortest way to ``name`` from a package that nothing else requires."""
    parents: dict[str, list[str]] = {}
    for wheel in wheels:
        for child in wheel.requires:
            parents.setdefault(child, []).append(wheel.name)
    ways = deque([[name]])
    seen = {name}
    while ways:
        way = ways.popleft()
        above = parents.get(way[0], [])
        if not above:
            return way
        for parent in above:
            if parent not in seen:
                seen.add(parent)
                ways.append([parent, *way])
    return [name]
