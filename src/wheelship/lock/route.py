# SPDX-License-Identifier: Apache-2.0
"""Where each package of the accelerator's families is to come from.

In this order: a fitting local wheel; the address the user put in the place of the accelerator's
index; the public index, when exactly one version is asked for and its build there is known to
fit; the accelerator's own index. A package that is routed is looked for there and nowhere else, so
that a missing build is an error and never another accelerator's build. (:data:`PUBLIC` in the place
of an address sends the rest to the main index unseen; the check of the result has to find what does
not fit.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from wheelship.lock.local import LocalWheel, misfit
from wheelship.lock.target import Target
from wheelship.variant.model import AcceleratorRow

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["PUBLIC", "Route", "find_routes", "parse_requirements"]

Kind = Literal["local", "replacement", "accelerator"]

PUBLIC = "public"
"""In the place of an address: the accelerator's index is not asked, the main index is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The one place where ``package`` is looked for.

    ``index`` is its address; None for the local wheels ``wheels``. ``unused`` says of the other
    local wheels of the package why they do not count.
    """

    package: str
    kind: Kind
    index: str | None = None
    wheels: tuple[LocalWheel, ...] = ()
    unused: tuple[str, ...] = ()


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
) -> tuple[Route, ...]:
    """Return the routes of those ``packages`` that belong to a family of the accelerator.

    ``requirements`` are all that name versions, constraints included; ``replacement`` is the
    address that takes the place of the accelerator's index, or :data:`PUBLIC`.
    """
    found = _by_name(requirements)
    routes: list[Route] = []
    for package in sorted(set(packages)):
        family = row.family_of(package)
        wanted = found.get(package, [])
        if family is None or any(one.url for one in wanted):
            continue
        fitting, unused = _divide(package, wanted, local, row, target)
        if fitting:
            routes.append(Route(package=package, kind="local", wheels=tuple(fitting)))
        elif replacement == PUBLIC:
            continue
        elif replacement is not None:
            routes.append(
                Route(package=package, kind="replacement", index=replacement, unused=unused)
            )
        elif family.index is not None and not _is_public(
            wanted, family.unlabelled_versions(package, target.platform.machine)
        ):
            routes.append(
                Route(package=package, kind="accelerator", index=family.index, unused=unused)
            )
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


def _is_public(wanted: Sequence[Requirement], fitting: str | None) -> bool:
    """Tell whether exactly one version is asked for, whose build on the public index fits."""
    from packaging.specifiers import SpecifierSet

    if fitting is None:
        return False
    pins = [
        clause.version
        for one in wanted
        for clause in one.specifier
        if clause.operator == "=="
        and not clause.version.endswith(".*")
        and "+" not in clause.version
    ]
    return bool(pins) and all(SpecifierSet(fitting).contains(pin, prereleases=True) for pin in pins)
