# SPDX-License-Identifier: Apache-2.0
"""``wheelship build``: the main job."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.place import insecure_option
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options
from wheelship.events import Warned
from wheelship.oci.platform import Platform

if TYPE_CHECKING:
    from wheelship.build.prepare import LockMode, Prepared, Surroundings
    from wheelship.cli.pushing import Made
    from wheelship.report.build import BuildReport
    from wheelship.request.model import Request
    from wheelship.sink.model import Tools
    from wheelship.sink.output import Output

__all__ = ["command"]

_SWITCH_SECONDS = 0.0005


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
class _Call:
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


@click.command(
    "build",
    epilog="Example: wheelship build . --variant cpu --output docker-archive:service.tar",
)
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--variant", "variants", multiple=True, metavar="NAME", help="Variant to build; repeatable."
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help="Platform to build for, as linux/amd64; repeatable.  [default: all of the variant]",
)
@click.option("--all", "every", is_flag=True, help="All variants, on all their platforms.")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="SPEC",
    help="oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, docker, podman or registry:REF; "
    "repeatable.  [default: oci:PATH/dist/NAME]",
)
@click.option("--tag", metavar="REF", help="Name of the image, as registry/name:tag.")
@click.option(
    "--push",
    is_flag=True,
    help="Push to --tag, or to the project's repository as VERSION-VARIANT and VARIANT.",
)
@click.option(
    "--allow-over-budget",
    is_flag=True,
    help="Push, and exit with 0, although a budget is broken.",
)
@insecure_option
@click.option(
    "--docker",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Client for --output docker.  [env: WHEELSHIP_DOCKER; default: docker on PATH]",
)
@click.option(
    "--podman",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Client for --output podman.  [env: WHEELSHIP_PODMAN; default: podman on PATH]",
)
@click.option("--locked", is_flag=True, help="Fail when a lock is missing or out of date.")
@click.option("--frozen", is_flag=True, help="Use the locks without comparing them.")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--dry-run", is_flag=True, help="Show the layers and whether they are there.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Cores to use.  [default: all]")
@common_options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - the options of the command line
    settings: Settings,
    path: Path,
    variants: tuple[str, ...],
    platforms: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes flags so
    outputs: tuple[str, ...],
    tag: str | None,
    push: bool,  # noqa: FBT001
    allow_over_budget: bool,  # noqa: FBT001
    insecure: tuple[str, ...],
    docker: str | None,
    podman: str | None,
    locked: bool,  # noqa: FBT001
    frozen: bool,  # noqa: FBT001
    offline: bool,  # noqa: FBT001
    dry_run: bool,  # noqa: FBT001
    jobs: int | None,
) -> None:
    """Build the images of the project in PATH (default: here).

    Several platforms of a variant are one image: one tag, an index of all that are built.

    Reads [tool.wheelship] of pyproject.toml, brings the locks up to date, and turns locked wheels
    and Debian packages into layers. What the store has is used again: after a changed line only
    the application's layer is made. Needs no Docker.

    Exit status 1 says that the image was built and is over its budget; nothing is pushed then.
    """
    if locked and frozen:
        raise click.UsageError("--locked and --frozen exclude each other")
    if every and variants:
        raise click.UsageError("--all and --variant exclude each other")
    from wheelship.cli.services import make_registry, tools
    from wheelship.sink.deliver import refuse_missing_tools
    from wheelship.sink.output import RegistryOutput, parse_output

    # Read here: nobody wants to hear of a typing error when all is built.
    wanted = [parse_output(text, Path.cwd()) for text in outputs]
    if tag is not None:
        RegistryOutput.parse(tag)
    if offline and (push or any(isinstance(one, RegistryOutput) for one in wanted)):
        raise click.UsageError("--offline and a push exclude each other")
    view = ProgressView(settings)
    call = _Call(
        variants=variants,
        platforms=tuple(dict.fromkeys(map(Platform.parse, platforms))),
        every=every,
        outputs=tuple(wanted),
        tools=tools(
            settings,
            wanted,
            docker=docker,
            podman=podman,
            registry=lambda: make_registry(settings, view.emit, insecure=insecure),
        ),
        tag=tag,
        mode="locked" if locked else "frozen" if frozen else "update",
        offline=offline,
        dry_run=dry_run,
        jobs=jobs,
        push=push,
        over_budget=allow_over_budget,
        insecure=insecure,
    )
    refuse_missing_tools(call.outputs, call.tools)
    # Layers are made by threads that mostly hash and inflate. One that runs Python for a while, as
    # when it reads a wheel's directory, would make the others wait 5 ms for each piece of 256 KiB.
    sys.setswitchinterval(_SWITCH_SECONDS)
    with view:
        reports = _build(path.resolve(), call, settings, view)
    if dry_run:
        return
    _show(reports, call, settings)


def _build(root: Path, call: _Call, settings: Settings, view: ProgressView) -> list[BuildReport]:
    from wheelship.build.prepare import choose_images, choose_variants
    from wheelship.cli.pushing import deliver_variant, push_all, pushes_of
    from wheelship.cli.services import native_platform, surroundings
    from wheelship.request.read import read_request
    from wheelship.sink.output import refuse_collisions
    from wheelship.store.store import Store

    phases = _Phases()
    request = read_request(root, native=native_platform())
    for note in request.notes:
        view.emit(Warned("decided-for-you", note))
    chosen = choose_variants(request, call.variants, every=call.every)
    phases.end("request")
    store = Store(settings.store_root)
    with closing(store), store.in_use():
        wanted = choose_images(chosen, call.platforms, every=call.every)
        names = list(dict.fromkeys(variant for variant, _ in wanted))
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
                _one(
                    request, one, around, call, settings, phases if len(wanted) == 1 else _Phases()
                )
                for one in own
            ]
            made += deliver_variant(images, _outputs_here(request, call), call.tools, view.emit)
        return push_all(made, pushes, call.tools, view.emit, whatever_the_budget=call.over_budget)


def _refuse_one_tag(tag: str | None, variants: int) -> None:
    """Refuse a full name for several variants: the last one would take it from the others."""
    from wheelship.sink.output import InvalidOutput

    if tag is not None and variants > 1 and ":" in tag.rpartition("/")[2]:
        raise InvalidOutput(
            f"is one tag, and {variants} variants are built",
            where=f"--tag {tag}",
            hint=f"leave the tag out, and each gets its own: --tag {tag.rpartition(':')[0]}",
        )


def _outputs_here(request: Request, call: _Call) -> list[Output]:
    """Return all outputs but registries: these come last, when all budgets are known."""
    from wheelship.sink.output import LayoutOutput, RegistryOutput

    default = LayoutOutput(request.project.root / "dist" / request.image_name)
    return [one for one in call.outputs or (default,) if not isinstance(one, RegistryOutput)]


def _prepare(
    request: Request,
    variant: str,
    platform: Platform,
    around: Surroundings,
    call: _Call,
    phases: _Phases,
) -> Prepared:
    from wheelship.build.prepare import prepare
    from wheelship.cli.services import native_platform

    return prepare(
        request,
        request.variants[variant],
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
    call: _Call,
    settings: Settings,
    phases: _Phases,
) -> Made:
    from wheelship.build.artifacts import StoredArtifacts
    from wheelship.build.context import BuildContext
    from wheelship.build.execute import build_image
    from wheelship.build.foundation import package_locations, stored_base
    from wheelship.build.parcel import parcel_of
    from wheelship.build.prepare import index_urls
    from wheelship.cli.pushing import Made
    from wheelship.cli.services import jobs, make_fetcher, native_platform
    from wheelship.report.build import BuildReport

    artifacts = StoredArtifacts(
        around.store,
        find_links=lambda: prepared.variant.sources.find_links + around.machine().find_links,
        locate=package_locations(prepared, around),
        fetcher=lambda: make_fetcher(
            settings, offline=call.offline, urls=index_urls(prepared.variant, around)
        ),
        emit=around.emit,
    )
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


def _show(reports: list[BuildReport], call: _Call, settings: Settings) -> None:
    from wheelship.build.errors import BudgetBroken
    from wheelship.report.build import budget_excess, build_document, build_text

    if settings.json:
        sys.stdout.write(json.dumps(build_document(reports), indent=2) + "\n")
    else:
        sys.stdout.write(build_text(reports) + "\n")
    broken = [(report, excess) for report in reports for excess in budget_excess(report.built)]
    if broken and call.over_budget:
        return
    if broken and settings.json:
        raise click.exceptions.Exit(BudgetBroken.exit_status)
    if broken:
        from wheelship.sink.output import RegistryOutput

        pushing = call.push or any(isinstance(one, RegistryOutput) for one in call.outputs)
        report, excess = broken[0]
        largest = sorted(report.built.layers, key=lambda one: -one.layer.descriptor.size_bytes)[:3]
        several = [
            f"{one.built.plan.variant} for {one.built.plan.platform}: {what}"
            for one, what in broken
        ]
        raise BudgetBroken(
            str(excess) if len(reports) == 1 else "; ".join(several),
            where=", ".join(dict.fromkeys(one.reference for one, _ in broken)),
            hint="largest layers: "
            + ", ".join(one.layer.title for one in largest)
            + (
                "\nnothing was pushed; to push all the same: --allow-over-budget" if pushing else ""
            ),
        )
