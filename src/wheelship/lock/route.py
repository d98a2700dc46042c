# SPDX-License-Identifier: Apache-2.0
"""Where each package of the accelerator's families is to come from.

In this order: a fitting local wheel; the address the user put in the place of the accelerator's
index; the public index, when exactly one version is asked for and its build there is known to
fit; the accelerator's own index. A package that is routed is looked for there and nowhere else, so
that a missing build is an error and never another accelerator's build. :data:`PUBLIC` in the place
of an address sends the package to the main index, held to the versions whose builds there are known
to fit the accelerator and the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from wheelship.lock.errors import GpuTargetsMissing, NoFittingBuild
from wheelship.lock.local import LocalWheel, misfit
from wheelship.lock.target import Target
from wheelship.request.model import PUBLIC
from wheelship.variant.errors import GpuTargetNotCovered
from wheelship.variant.model import AcceleratorRow, Family

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["PUBLIC", "Route", "find_routes", "parse_requirements"]

Kind = Literal["local", "replacement", "accelerator", "public"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The one place where ``package`` is looked for.

    Attributes:
        index: its address; None for the local wheels ``wheels`` and for the main index.
        unused: why the other local wheels of the package do not count.
        versions: a specifier that holds the main index to builds that fit; empty elsewhere.
        public: whether the main index is known to have builds that fit.
        extras: by which the package gets device code for the GPUs of the image.
    """

    package: str
    kind: Kind
    index: str | None = None
    wheels: tuple[LocalWheel, ...] = ()
    unused: tuple[str, ...] = ()
    versions: str = ""
    public: bool = False
    extras: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """The requirement that brings the device code; empty where there is none."""
        return f"{self.package}[{','.join(self.extras)}]" if self.extras else ""


def parse_requirements(texts: Iterable[str], target: Target) -> list[Requirement]:
    """Return the requirements that apply to ``target``; the texts were validated before."""
    from packaging.requirements import Requirement

    environment = cast("dict[str, str]", {**target.environment(), "extra": ""})
    parsed = [Requirement(text) for text in texts]
    return [one for one in parsed if one.marker is None or one.marker.evaluate(environment)]


def find_routes(
    packages: Iterable[str],
    requirements: Sequence[Requirement],
    local: Sequence[LocalWheel],
    *,
    row: AcceleratorRow,
    target: Target,
    replacement: str | None,
    gpu_targets: tuple[str, ...] = (),
) -> tuple[Route, ...]:
    """Return the routes of those ``packages`` that belong to a family of the accelerator.

    ``requirements`` are all that name versions, constraints included; ``replacement`` is the
    address that takes the place of the accelerator's index, or :data:`PUBLIC`.

    Raises:
        NoFittingBuild: the main index is to be asked, and is known to have no build that fits.
        GpuTargetsMissing, GpuTargetNotCovered: there is no device code to choose.
    """
    found = _by_name(requirements)
    routes: list[Route] = []
    for package in sorted(set(packages)):
        family = row.family_of(package)
        wanted = found.get(package, [])
        if family is None or any(one.url for one in wanted):
            continue
        fitting, unused = _divide(package, wanted, local, row, target)
        extras = _extras(package, family, row, gpu_targets)
        known = family.unlabelled_versions(package, target.platform.machine)
        if fitting:
            route = Route(package=package, kind="local", wheels=tuple(fitting))
        elif family.index is None:
            continue
        elif replacement == PUBLIC:
            if known is None and package == family.name:
                raise _no_public(package, row, target, unused)
            route = Route(package=package, kind="public", versions=known or "", unused=unused)
        elif replacement is not None:
            route = Route(package=package, kind="replacement", index=replacement, unused=unused)
        elif _is_public(wanted, known):
            route = Route(package=package, kind="public", versions=known or "")
        else:
            route = Route(
                package=package,
                kind="accelerator",
                index=family.index,
                unused=unused,
                public=known is not None and _may_be_public(wanted, known),
            )
        routes.append(replace(route, extras=extras))
    return tuple(routes)


def _by_name(requirements: Sequence[Requirement]) -> Mapping[str, list[Requirement]]:
    from packaging.utils import canonicalize_name

    found: dict[str, list[Requirement]] = {}
    for requirement in requirements:
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def _divide(
    package: str,
    wanted: Sequence[Requirement],
    local: Sequence[LocalWheel],
    row: AcceleratorRow,
    target: Target,
) -> tuple[list[LocalWheel], tuple[str, ...]]:
    """Return the local wheels that count, and why the others do not."""
    fitting: list[LocalWheel] = []
    unused: list[str] = []
    for wheel in local:
        if wheel.name != package:
            continue
        reason = misfit(wheel, row, target)
        if reason is None:
            unmet = [
                str(one.specifier)
                for one in wanted
                if not one.specifier.contains(wheel.version, prereleases=True)
            ]
            reason = f"does not meet {', '.join(unmet)}" if unmet else None
        if reason is None:
            fitting.append(wheel)
        else:
            unused.append(f"{wheel.path} {reason}")
    return fitting, tuple(unused)


def _extras(
    package: str, family: Family, row: AcceleratorRow, gpu_targets: tuple[str, ...]
) -> tuple[str, ...]:
    devices = family.devices
    if devices is None or package not in devices.packages:
        return ()
    listed = ", ".join(devices.targets)
    if not gpu_targets:
        raise GpuTargetsMissing(
            f"{package} for {row} has its device code in packages of its own, one per GPU: "
            f"{listed}",
            where="gpu-targets",
            hint=f'name those the image is for:\ngpu-targets = ["{devices.targets[0]}"]',
        )
    if lacking := [one for one in gpu_targets if one not in devices.targets]:
        left = [one for one in gpu_targets if one in devices.targets]
        raise GpuTargetNotCovered(
            f"no package has device code of {package} for {', '.join(lacking)}; "
            f"{row} has packages for {listed}",
            where="gpu-targets",
            hint="choose another version of the accelerator, or leave the GPU out:\n"
            f"gpu-targets = {json.dumps(left)}",
        )
    return devices.extras_of(package, gpu_targets)


def _no_public(
    package: str, row: AcceleratorRow, target: Target, unused: tuple[str, ...]
) -> NoFittingBuild:
    notes = "".join(f"\n  not used: {one}" for one in unused)
    return NoFittingBuild(
        f"the public index is known to have no build of {package} for {row} on "
        f"{target.platform}{notes}",
        where="torch-index",
        hint=f"name a directory with a wheel of {package} that fits, or an index that has one:\n"
        'find-links = ["wheels"]\ntorch-index = "https://example.org/whl"',
    )


def _may_be_public(wanted: Sequence[Requirement], fitting: str) -> bool:
    """Tell whether the main index could serve what is asked for: no pin, no label rules it out."""
    if any("+" in clause.version for one in wanted for clause in one.specifier):
        return False
    pins = _pins(wanted)
    return not pins or _is_public(wanted, fitting)


def _is_public(wanted: Sequence[Requirement], fitting: str | None) -> bool:
    """Tell whether exactly one version is asked for, whose build on the public index fits."""
    from packaging.specifiers import SpecifierSet

    if fitting is None:
        return False
    pins = _pins(wanted)
    return bool(pins) and all(SpecifierSet(fitting).contains(pin, prereleases=True) for pin in pins)


def _pins(wanted: Sequence[Requirement]) -> list[str]:
    return [
        clause.version
        for one in wanted
        for clause in one.specifier
        if clause.operator == "=="
        and not clause.version.endswith(".*")
        and "+" not in clause.version
    ]
