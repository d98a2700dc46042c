# SPDX-License-Identifier: Apache-2.0
"""``wheelship inspect``: why an image is as big as it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.options import engine_options, insecure_option, platform_option
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options
from wheelship.errors import InputError

if TYPE_CHECKING:
    from wheelship.inspect.measure import Measure
    from wheelship.inspect.model import Inspection
    from wheelship.oci.platform import Platform
    from wheelship.report.inspection_tables import Question

__all__ = ["NoTransferSize", "command"]

_TOP = 12
_TOP_OF_ONE = 40
_FILES = 100
_DEPTH = 3


class NoTransferSize(InputError):
    """The image lies where its layers are uncompressed: how much a pull moves cannot be told."""

    code = "no-transfer-size"


@click.command(
    "inspect",
    epilog="""\b
Examples:
  wheelship inspect                                the last build of the project here
  wheelship inspect --variant cuda --by package    another variant, package by package
  wheelship inspect python:3.11-slim               an image of Docker's registry
  wheelship inspect docker:service:latest          one that Docker has
  wheelship inspect service.tar --by path --depth 4
  wheelship inspect ghcr.io/org/service:1.0 --accelerator cpu --html report.html
  wheelship inspect --markdown >> "$GITHUB_STEP_SUMMARY"
""",
)
@click.argument("image", required=False)
@click.option(
    "--by",
    type=click.Choice(["layer", "package", "path", "kind"]),
    help="Answer one question only, at length.",
)
@click.option(
    "--size",
    "measure",
    type=click.Choice(["transfer", "unpacked", "effective"]),
    default="unpacked",
    show_default=True,
    help="Which size to sort by and to draw.",
)
@click.option("--depth", type=click.IntRange(1, 64), help="How many parts of a path to tell apart.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help=f"Rows of each table; their sum is shown all the same.  "
    f"[default: {_TOP}; with --by {_TOP_OF_ONE}]",
)
@click.option("--variant", metavar="NAME", help="The variant, when IMAGE is a project.")
@platform_option("[default: this machine's]")
@click.option(
    "--accelerator",
    type=click.Choice(["cpu", "cuda", "rocm"]),
    help="What the image is meant for: what serves another is waste.  [default: what the project "
    "or the image says]",
)
@click.option(
    "--gpu-target",
    "targets",
    multiple=True,
    metavar="TARGET",
    help="GPU it is meant for, as sm_90 or gfx942; repeatable.",
)
@click.option("--markdown", is_flag=True, help="Write Markdown, fit for a comment or job summary.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page with a map of the image, too: one file that needs no network.",
)
@click.option("--no-cache", is_flag=True, help="Read all layers, and keep nothing for next time.")
@insecure_option
@engine_options("{}:REF")
@common_options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - the options of the command line
    settings: Settings,
    image: str | None,
    by: Question | None,
    measure: Measure,
    depth: int | None,
    top: int | None,
    variant: str | None,
    platform: Platform | None,
    accelerator: str | None,
    targets: tuple[str, ...],
    markdown: bool,  # noqa: FBT001 - click passes flags so
    html: Path | None,
    no_cache: bool,  # noqa: FBT001 - likewise
    insecure: tuple[str, ...],
    docker: str | None,
    podman: str | None,
) -> None:
    """Show why IMAGE is as big as it is: whose its bytes are, where they lie, what is waste.

    IMAGE is a project (its last build, also when none is named), oci:DIR[:TAG], oci-archive:FILE,
    docker-archive:FILE, docker:REF, podman:REF, registry:REF, or just a path or a reference. It may
    be of any tool's making; nothing is unpacked, and layers that were read before are not read
    again.

    Three sizes are told apart. Transfer: what a registry sends, compressed. Unpacked: the layers'
    archives. Effective: the files that a container sees. In each, the rows add up to the image.
    """
    if markdown and settings.json:
        raise click.UsageError("--json and --markdown exclude each other")
    from wheelship.cli.images import Access, inspected, stated_expectation

    expectation = stated_expectation(accelerator, targets)
    with ProgressView(settings) as view:
        inspection = inspected(
            settings,
            image,
            variant=variant,
            platform=platform,
            expectation=expectation,
            view=view,
            access=Access(insecure=insecure, docker=docker, podman=podman, cached=not no_cache),
        )
        if html is not None:
            from wheelship.cli.page import write_page
            from wheelship.cli.recalling import builds_of

            write_page(html, inspection, builds_of(image, inspection, view.emit))
    if measure == "transfer" and not inspection.contents.transfer_known:
        raise NoTransferSize(
            "its layers lie here uncompressed, so nobody can tell what a pull would move",
            where=inspection.contents.reference,
            hint="--size unpacked, or name the image as registry:REF",
        )
    if settings.json:
        from wheelship.report.inspection_json import inspection_document

        document = inspection_document(inspection, depth=depth or _DEPTH, files=top or _FILES)
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    _show(inspection, settings, by=by, measure=measure, depth=depth, top=top, markdown=markdown)


def _show(
    inspection: Inspection,
    settings: Settings,
    *,
    by: Question | None,
    measure: Measure,
    depth: int | None,
    top: int | None,
    markdown: bool,
) -> None:
    from wheelship.report.inspection_view import InspectionView

    view = InspectionView(inspection, measure)
    rows = top or (_TOP if by is None else _TOP_OF_ONE)
    if markdown:
        from wheelship.cli.terminal import encodable
        from wheelship.report.inspection_markdown import inspection_markdown

        text = inspection_markdown(view, by=by, top=rows, depth=depth)
        sys.stdout.write(encodable(text, sys.stdout.encoding))
        return
    from wheelship.cli.terminal import stdout_canvas
    from wheelship.report.inspection_text import inspection_text

    canvas = stdout_canvas(settings)
    text = inspection_text(view, canvas, by=by, top=rows, depth=depth, verbose=settings.verbose)
    sys.stdout.write(text + "\n")
