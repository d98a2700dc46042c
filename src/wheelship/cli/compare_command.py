# SPDX-License-Identifier: Apache-2.0
"""``wheelship compare``: what changed between images, and whether one grew too much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from wheelship.cli.options import engine_options, insecure_option, platform_option
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from wheelship.compare.gate import GrowthLimit, SizeLimit
    from wheelship.inspect.measure import Measure
    from wheelship.oci.platform import Platform
    from wheelship.report.comparison_rows import By

__all__ = ["command"]

_T = TypeVar("_T")


def _parsed(parse: Callable[[str], _T], texts: tuple[str, ...]) -> tuple[_T, ...]:
    from wheelship.request.errors import InvalidValue

    try:
        return tuple(map(parse, texts))
    except InvalidValue as error:
        raise click.BadParameter(f"{error.message}; {error.hint}") from error


def _limits(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[SizeLimit, ...]:
    from wheelship.compare.gate import parse_limit

    return _parsed(parse_limit, texts)


def _growths(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[GrowthLimit, ...]:
    from wheelship.compare.gate import parse_growth

    return _parsed(parse_growth, texts)


@click.command(
    "compare",
    epilog="Examples: wheelship compare registry:ghcr.io/me/service:main . --fail-growth 5; "
    "wheelship compare . --baseline sizes.json --markdown",
)
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@click.option(
    "--variant",
    "variants",
    multiple=True,
    metavar="NAME",
    help="Of a project, this variant; repeatable.  [default: all that are built; the default "
    "variant where several images are named]",
)
@platform_option("[default: of a project alone, all; else this machine's]")
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Hold each image against what --save wrote of an earlier build.",
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what was found, for a later --baseline; not when a limit is broken.",
)
@click.option(
    "--fail-over",
    "limits",
    multiple=True,
    metavar="SIZE",
    callback=_limits,
    help="Exit with 1 when an image is larger: 400MB of transfer, unpacked=4GB, effective=3GB; "
    "repeatable.",
)
@click.option(
    "--fail-growth",
    "growths",
    multiple=True,
    metavar="PERCENT",
    callback=_growths,
    help="Exit with 1 when an image grew by more: 5 of transfer, unpacked=10; repeatable.",
)
@click.option(
    "--by",
    type=click.Choice(["package", "layer", "kind"]),
    default="package",
    show_default=True,
    help="What the table of changes is about.",
)
@click.option(
    "--size",
    "measure",
    type=click.Choice(["transfer", "unpacked", "effective"]),
    help="Size that the table shows.  [default: transfer, unpacked where that is not known]",
)
@click.option(
    "--top",
    type=click.IntRange(0, 10_000),
    default=15,
    show_default=True,
    help="Rows of the table.",
)
@click.option(
    "--history",
    is_flag=True,
    help="Show how size and time of the project's builds went, instead. IMAGE may be the file.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --history: write a page about the last build, with that course, too.",
)
@click.option("--markdown", is_flag=True, help="Write a comment for a pull request to stdout.")
@insecure_option
@engine_options("{}:REF")
@click.option("--jobs", type=click.IntRange(1, 64), help="Cores to use.  [default: all]")
@common_options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - the options of the command line
    settings: Settings,
    images: tuple[str, ...],
    variants: tuple[str, ...],
    platform: Platform | None,
    baseline: Path | None,
    save: Path | None,
    limits: tuple[SizeLimit, ...],
    growths: tuple[GrowthLimit, ...],
    by: By,
    measure: Measure | None,
    top: int,
    history: bool,  # noqa: FBT001 - click passes flags so
    html: Path | None,
    markdown: bool,  # noqa: FBT001 - likewise
    insecure: tuple[str, ...],
    docker: str | None,
    podman: str | None,
    jobs: int | None,
) -> None:
    """Show what changed between images, and fail when one is too large.

    Each IMAGE is held against the first: packages that came, went, grew or have another version,
    layers that both share, and what a machine that has the first pulls for the other. A project
    stands for its last build; alone (default: the one here), its variants stand side by side. With
    --baseline each image is held against its earlier build in FILE instead.

    Three sizes are told apart: transfer is what a registry sends, compressed; unpacked is the
    layers' archives; effective is what the final file system holds.

    IMAGE is a project, oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, docker:REF,
    podman:REF, registry:REF, or just the path or name of one of these.

    Exit status 1 says that a limit is broken: --fail-over, --fail-growth, or the budget that the
    configuration of a project sets. The three largest causes are named.
    """
    if markdown and settings.json:
        raise click.UsageError("--markdown and --json exclude each other")
    from wheelship.cli.images import Access

    access = Access(insecure=insecure, docker=docker, podman=podman, jobs=jobs)
    if history:
        if len(images) > 1 or baseline or save or limits or growths:
            raise click.UsageError(
                "--history shows past builds of one project, and compares nothing"
            )
        from wheelship.cli.recalling import show_history

        place = images[0] if images else "."
        show_history(
            settings,
            place,
            variants=variants,
            platform=platform,
            markdown=markdown,
            html=html,
            access=access,
        )
        return
    if html is not None:
        raise click.UsageError(
            "--html goes with --history; a page about an image: wheelship inspect IMAGE --html FILE"
        )
    from wheelship.cli.comparing import Call, compare
    from wheelship.compare.gate import Gates

    call = Call(
        images=images or (".",),
        variants=variants,
        platform=platform,
        baseline=baseline,
        save=save,
        gates=Gates(limits=limits, growths=growths),
        by=by,
        measure=measure,
        top=top,
        markdown=markdown,
        access=access,
    )
    with ProgressView(settings) as view:
        done = compare(call, settings, view)
    done.show()
