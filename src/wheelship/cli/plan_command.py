# SPDX-License-Identifier: Apache-2.0
"""``wheelship plan``: what a build would make, and why each package is in it."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.options import (
    image_options,
    insecure_option,
    lock_mode,
    lock_options,
    refuse_variants_beside_all,
)
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from wheelship.build.model import LockMode, Prepared, Surroundings
    from wheelship.oci.platform import Platform
    from wheelship.report.plan_view import ImageView
    from wheelship.request.model import Request, Variant

__all__ = ["command"]


@click.command("plan", epilog="Example: wheelship plan . --variant cuda --why triton")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@image_options("Variant to show", "Platform to show")
@click.option("--packages", is_flag=True, help="Show each package too, and who asks for it.")
@click.option(
    "--why", metavar="PACKAGE", help="Show only the ways that lead to this package (both kinds)."
)
@lock_options
@insecure_option
@click.option("--offline", is_flag=True, help="Never use the network.")
@common_options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - the options of the command line
    settings: Settings,
    path: Path,
    variants: tuple[str, ...],
    platforms: tuple[Platform, ...],
    every: bool,  # noqa: FBT001 - click passes flags so
    packages: bool,  # noqa: FBT001
    why: str | None,
    locked: bool,  # noqa: FBT001
    frozen: bool,  # noqa: FBT001
    insecure: tuple[str, ...],
    offline: bool,  # noqa: FBT001
) -> None:
    """Show what a build of the project in PATH would make, without making it.

    Layers with their sizes, what is in the store and what must be downloaded; the environment and
    where each variable comes from; how the image runs, and how to run it. ~ marks an estimate.

    Locks are brought up to date first, as by build: a plan of anything else would not be what the
    next build makes. With --locked nothing is written. No layer is made, no package fetched.
    """
    mode = lock_mode(locked=locked, frozen=frozen)
    refuse_variants_beside_all(variants, every=every)
    from wheelship.build.images import choose_images
    from wheelship.cli.place import read_project
    from wheelship.cli.planning import show_plan, views_of
    from wheelship.cli.services import surroundings
    from wheelship.store.store import Store

    store = Store(settings.store_root)
    with ProgressView(settings) as view, closing(store), store.in_use():
        request = read_project(path.resolve(), view.emit)
        around = surroundings(settings, store, view.emit, offline=offline, insecure=insecure)
        prepared = _prepare(
            request,
            choose_images(request, variants, platforms, every=every),
            around,
            mode=mode,
        )
        views = views_of(request, prepared, around)
    if why is None:
        show_plan(views, settings, packages=packages)
    else:
        _show_why(why, views, settings)


def _prepare(
    request: Request,
    images: list[tuple[Variant, Platform]],
    around: Surroundings,
    *,
    mode: LockMode,
) -> list[Prepared]:
    from wheelship.build.lockfile import LOCK_NAME, all_or_nothing
    from wheelship.build.prepare import prepare
    from wheelship.cli.services import native_platform
    from wheelship.lock.document import lock_path

    root = request.project.root
    locks = {LOCK_NAME, *(lock_path(root, variant.name).name for variant, _ in images)}
    # A plan that fails leaves the locks as they were.
    with all_or_nothing(root / name for name in sorted(locks)):
        return [
            prepare(
                request,
                variant,
                platform,
                around,
                mode=mode,
                native=native_platform(),
                note=lambda _: None,
            )
            for variant, platform in images
        ]


def _show_why(name: str, views: tuple[ImageView, ...], settings: Settings) -> None:
    from wheelship.report.why_report import find_package, why_document, why_text

    found = find_package(views, name)
    if settings.json:
        sys.stdout.write(json.dumps(why_document(name, found), indent=2) + "\n")
    else:
        sys.stdout.write(why_text(found) + "\n")
