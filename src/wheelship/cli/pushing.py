# SPDX-License-Identifier: Apache-2.0
"""The last steps of ``wheelship build``: the images of a variant go out, to registries last."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wheelship.events import Emit
from wheelship.report.build import BuildReport, budget_excess
from wheelship.request.model import Request
from wheelship.sink.deliver import deliver
from wheelship.sink.model import Delivered, Parcel, Tools, join_parcels
from wheelship.sink.output import InvalidOutput, Output, RegistryOutput, refuse_collisions

__all__ = ["Made", "deliver_variant", "push_all", "pushes_of"]

_VERSION_CHARACTERS = 60
_NO_VERSION = "0"  # what the request says of a project without one

Pushes = Mapping[str, tuple[RegistryOutput, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A built image of one platform, and what goes out of it."""

    report: BuildReport
    parcel: Parcel


def deliver_variant(
    made: Sequence[Made], outputs: Sequence[Output], tools: Tools, emit: Emit
) -> list[Made]:
    """Put the platforms of one variant into each of ``outputs``, as one image.

    Raises:
        WheelshipError: the first failure.
    """
    began = time.monotonic()
    done = deliver(join_parcels([one.parcel for one in made]), outputs, tools, emit)
    seconds = time.monotonic() - began
    return [replace(one, report=_completed(one.report, done, "output", seconds)) for one in made]


def pushes_of(
    request: Request,
    variants: Sequence[str],
    outputs: Sequence[Output],
    *,
    tag: str | None,
    push: bool,
) -> Pushes:
    """Return by variant what is to be pushed where: ``outputs``, and what ``--push`` means.

    Raises:
        InvalidOutput: ``--push`` without a place, or one tag for several variants.
    """
    asked = tuple(one for one in outputs if isinstance(one, RegistryOutput))
    if not push:
        return dict.fromkeys(variants, asked)
    named = tag or request.repository
    if named is None:
        raise InvalidOutput(
            "--push does not know where to",
            hint='set repository = "HOST/NAME" in [tool.wheelship], or give --tag HOST/NAME',
        )
    place = RegistryOutput.parse(named)
    refuse_collisions([place], len(variants))
    version = request.project.version
    return {
        one: (*asked, place if place.tags else replace(place, tags=_tags(version, one)))
        for one in variants
    }


def _tags(version: str, variant: str) -> tuple[str, ...]:
    if version == _NO_VERSION:
        return (variant,)
    # A local version has a plus sign, and tags have none.
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", version)[:_VERSION_CHARACTERS]
    return (f"{plain}-{variant}", variant)


def push_all(
    made: Sequence[Made], pushes: Pushes, tools: Tools, emit: Emit, *, whatever_the_budget: bool
) -> list[BuildReport]:
    """Push, unless a budget is broken, and return the completed reports.

    Raises:
        WheelshipError: the first failure.
    """
    reports = [one.report for one in made]
    if any(budget_excess(one.built) for one in reports) and not whatever_the_budget:
        return reports
    pushed: dict[str, tuple[tuple[Delivered, ...], float]] = {}
    for variant, outputs in pushes.items():
        began = time.monotonic()
        parcels = [one.parcel for one in made if one.report.built.plan.variant == variant]
        done = deliver(join_parcels(parcels), outputs, tools, emit)
        pushed[variant] = (done, time.monotonic() - began)
    return [
        _completed(one, done, "push", seconds) if done else one
        for one in reports
        for done, seconds in (pushed[one.built.plan.variant],)
    ]


def _completed(
    report: BuildReport, done: tuple[Delivered, ...], phase: str, seconds: float
) -> BuildReport:
    """Add what was delivered of this platform, and the time that all of the variant took."""
    own = [one for one in done if report.built.plan.platform in one.platforms]
    return replace(
        report,
        delivered=(*report.delivered, *own),
        phases=(*report.phases, (phase, seconds)),
    )
