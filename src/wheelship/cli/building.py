# SPDX-License-Identifier: Apache-2.0
"""What ``wheelship build`` does once its options are read: prepare, build, deliver, push."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings
from wheelship.oci.platform import Platform

if TYPE_CHECKING:
    from wheelship.build.model import LockMode, Prepared, Surroundings
    from wheelship.cli.pushing import Made
    from wheelship.report.build import BuildReport
    from wheelship.request.model import Request, Variant
    from wheelship.sink.model import Tools
    from wheelship.sink.output import Output

__all__ = ["Call", "build_images"]


@dataclass(slots=True)
class _Phases:
    """Wall time by phase, for the report and for ``--verbose``."""

    seconds: dict[str, float] = field(default_factory=dict)
    _mark: float = field(default_factory=time.monotonic)

    def end(self, name: str) -> None:
        """Book the time since the last call under ``name``."""
        moment = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + moment - self._mark
        self._mark = moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the command line said."""

    variants: tuple[str, ...]
    platforms: tuple[Platform, ...]
    every: bool
    outputs: tuple[Output, ...]
    tools: Tools
    tag: str | None
    mode: LockMode
    offline: bool
    dry_run: bool
    jobs: int | None
    push: bool
    over_budget: bool
    insecure: tuple[str, ...]
    history: str | None = None


def build_images(
    root: Path, call: Call, settings: Settings, view: ProgressView
) -> list[BuildReport]:
    """Build, deliver and push what ``call`` means of the project in ``root``; return the reports.

    A dry run shows the plans instead, and returns nothing.

    Raises:
        WheelshipError: the first failure.
    """
    from wheelship.build.images import choose_images
    from wheelship.cli.place import read_project
    from wheelship.cli.pushing import deliver_variant, push_all, pushes_of
    from wheelship.cli.remembering import remember, remembered_in
    from wheelship.cli.services import surroundings
    from wheelship.sink.output import refuse_collisions
    from wheelship.store.store import Store

    phases = _Phases()
    request = remembered_in(read_project(root, view.emit), call.history)
    wanted = choose_images(request, call.variants, call.platforms, every=call.every)
    phases.end("request")
    store = Store(settings.store_root)
    with closing(store), store.in_use():
        names = list(dict.fromkeys(variant.name for variant, _ in wanted))
        _refuse_one_tag(call.tag, len(names))
        refuse_collisions(call.outputs, len(names))
        pushes = pushes_of(request, names, call.outputs, tag=call.tag, push=call.push)
        around = surroundings(
            settings, store, view.emit, offline=call.offline, insecure=call.insecure
        )
        prepared = [
            _prepare(request, variant, platform, around, call, phases)
            for variant, platform in wanted
        ]
        if call.dry_run:
            from wheelship.cli.planning import show_plan, views_of

            show_plan(views_of(request, prepared, around), settings)
            return []
        made: list[Made] = []
        for name in names:
            own = [one for one in prepared if one.variant.name == name]
            images = [
                _one(request, one, around, call, phases if len(wanted) == 1 else _Phases())
                for one in own
            ]
            made += deliver_variant(images, _outputs_here(request, call), call.tools, view.emit)
        reports = push_all(
            made, pushes, call.tools, view.emit, whatever_the_budget=call.over_budget
        )
    remember(reports, request.history, view.emit)
    return reports


def _refuse_one_tag(tag: str | None, variants: int) -> None:
    """Refuse a full name for several variants: the last one would take it from the others."""
    from wheelship.sink.output import InvalidOutput

    if tag is not None and variants > 1 and ":" in tag.rpartition("/")[2]:
        raise InvalidOutput(
            f"is one tag, and {variants} variants are built",
            where=f"--tag {tag}",
            hint=f"leave the tag out, and each gets its own: --tag {tag.rpartition(':')[0]}",
        )


def _outputs_here(request: Request, call: Call) -> list[Output]:
    """Return all outputs but registries: these come last, when all budgets are known."""
    from wheelship.sink.output import LayoutOutput, RegistryOutput

    default = LayoutOutput(request.project.root / "dist" / request.image_name)
    return [one for one in call.outputs or (default,) if not isinstance(one, RegistryOutput)]


def _prepare(
    request: Request,
    variant: Variant,
    platform: Platform,
    around: Surroundings,
    call: Call,
    phases: _Phases,
) -> Prepared:
    from wheelship.build.prepare import prepare
    from wheelship.cli.services import native_platform

    return prepare(
        request,
        variant,
        platform,
        around,
        mode=call.mode,
        native=native_platform(),
        note=phases.end,
    )


def _one(
    request: Request,
    prepared: Prepared,
    around: Surroundings,
    call: Call,
    phases: _Phases,
) -> Made:
    from wheelship.build.context import BuildContext
    from wheelship.build.execute import build_image
    from wheelship.build.foundation import package_locations, stored_base
    from wheelship.build.parcel import parcel_of
    from wheelship.build.supply import artifacts_of
    from wheelship.cli.pushing import Made
    from wheelship.cli.services import jobs, native_platform
    from wheelship.report.build import BuildReport

    artifacts = artifacts_of(prepared.variant, around, package_locations(prepared, around))
    base = stored_base(prepared, request.project.root, around)
    try:
        context = BuildContext(
            store=around.store,
            artifacts=artifacts,
            emit=around.emit,
            jobs=call.jobs or jobs(),
            machine=native_platform().architecture,
            base=base,
        )
        built = build_image(prepared.plan, context)
    finally:
        artifacts.close()
    phases.end("layers")
    reference = call.tag or f"{request.repository or prepared.plan.name}:{prepared.plan.variant}"
    if ":" not in reference.rpartition("/")[2]:
        reference += f":{prepared.plan.variant}"
    report = BuildReport(
        built=built,
        reference=reference,
        delivered=(),
        lock=prepared.lock,
        phases=tuple(phases.seconds.items()),
    )
    return Made(report=report, parcel=parcel_of(built, reference, around.store, base))
