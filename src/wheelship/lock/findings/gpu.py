# SPDX-License-Identifier: Apache-2.0
"""GPUs the image is for, on which its builds have nothing to run."""

from __future__ import annotations

import json
from collections.abc import Iterator

from wheelship.lock.findings.model import PackageFinding, Subject
from wheelship.lock.model import Locked
from wheelship.variant.model import DevicePackages, Family

__all__ = ["CODES", "find"]

CODES = {
    "gpu-target-not-covered": "The builds of this release have no code for a GPU of gpu-targets.",
    "device-package-missing": "The package with the device code for a GPU is missing.",
}


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield what is known of the release's builds; the wheels themselves are read later."""
    for wheel in subject.wheels:
        family = subject.row.family_of(wheel.name)
        if family is None or not subject.gpu_targets:
            continue
        if family.devices is not None:
            yield from _devices(subject, wheel, family.devices)
        elif family.name == wheel.name and family.gpu_targets:
            yield from _code(subject, wheel, family)


def _code(subject: Subject, wheel: Locked, family: Family) -> Iterator[PackageFinding]:
    if subject.row.accelerator == "cuda":
        from wheelship.variant.gpu import parse_target, uncovered

        held = [parse_target(one) for one in family.gpu_targets]
        lacking = uncovered(held, subject.gpu_targets)
    else:
        lacking = tuple(one for one in subject.gpu_targets if one not in family.gpu_targets)
    if lacking:
        left = [one for one in subject.gpu_targets if one not in lacking]
        message = (
            f"for {subject.row} has no code for {', '.join(lacking)}; "
            f"it has {', '.join(family.gpu_targets)}"
        )
        hint = (
            "choose another version of the accelerator, or leave the GPU out:\n"
            f"gpu-targets = {json.dumps(left)}"
        )
        yield subject.finding("gpu-target-not-covered", wheel, message, hint)


def _devices(subject: Subject, wheel: Locked, devices: DevicePackages) -> Iterator[PackageFinding]:
    if wheel.name not in devices.packages:
        return
    for target in subject.gpu_targets:
        name = devices.distribution_of(wheel.name, target)
        if subject.wheel(name) is None:
            message = f"has no device code for {target}: {name} is not locked"
            hint = (
                f'lock again, or ask for it: "{wheel.name}[{devices.extra.format(target=target)}]"'
            )
            yield subject.finding("device-package-missing", wheel, message, hint)
