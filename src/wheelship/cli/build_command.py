# SPDX-License-Identifier: Apache-2.0
"""``wheelship build``: the main job."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.building import Call, build_images
from wheelship.cli.options import (
    engine_options,
    image_options,
    insecure_option,
    lock_mode,
    lock_options,
    refuse_variants_beside_all,
)
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from wheelship.oci.platform import Platform
    from wheelship.report.build import BuildReport

__all__ = ["command"]

_SWITCH_SECONDS = 0.0005


@click.command(
    "build",
    epilog="Example: wheelship build . --variant cpu --output docker-archive:service.tar",
)
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@image_options("Variant to build", "Platform to build for")
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
@engine_options("--output {}")
@click.option(
    "--history",
    metavar="FILE|none",
    help="Where this build is remembered.  [default: the project's .wheelship/history.jsonl]",
)
@lock_options
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--dry-run", is_flag=True, help="Show the layers and whether they are there.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Cores to use.  [default: all]")
@common_options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - the options of the command line
    settings: Settings,
    path: Path,
    variants: tuple[str, ...],
    platforms: tuple[Platform, ...],
    every: bool,  # noqa: FBT001 - click passes flags so
    outputs: tuple[str, ...],
    tag: str | None,
    push: bool,  # noqa: FBT001
    allow_over_budget: bool,  # noqa: FBT001
    insecure: tuple[str, ...],
    docker: str | None,
    podman: str | None,
    history: str | None,
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
    mode = lock_mode(locked=locked, frozen=frozen)
    refuse_variants_beside_all(variants, every=every)
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
    call = Call(
        variants=variants,
        platforms=platforms,
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
        mode=mode,
        offline=offline,
        dry_run=dry_run,
        jobs=jobs,
        push=push,
        over_budget=allow_over_budget,
        insecure=insecure,
        history=history,
    )
    refuse_missing_tools(call.outputs, call.tools)
    # Layers are made by threads that mostly hash and inflate. One that runs Python for a while, as
    # when it reads a wheel's directory, would make the others wait 5 ms for each piece of 256 KiB.
    sys.setswitchinterval(_SWITCH_SECONDS)
    with view:
        reports = build_images(path.resolve(), call, settings, view)
    if dry_run:
        return
    _show(reports, call, settings)


def _show(reports: list[BuildReport], call: Call, settings: Settings) -> None:
    from wheelship.build.errors import BudgetBroken
    from wheelship.report.build import budget_excess, build_document, build_text
    from wheelship.report.excess import excess_text

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
            f"{one.built.plan.variant} for {one.built.plan.platform}: {excess_text(what)}"
            for one, what in broken
        ]
        raise BudgetBroken(
            excess_text(excess) if len(reports) == 1 else "; ".join(several),
            where=", ".join(dict.fromkeys(one.reference for one, _ in broken)),
            hint="largest layers: "
            + ", ".join(one.layer.title for one in largest)
            + (
                "\nnothing was pushed; to push all the same: --allow-over-budget" if pushing else ""
            ),
        )
