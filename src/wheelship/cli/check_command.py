# SPDX-License-Identifier: Apache-2.0
"""``wheelship check``: start an image as its users would, and prove that it works."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.options import platform_option
from wheelship.cli.place import Place, find_image, layout_of, read_project
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options
from wheelship.errors import GateFailed

if TYPE_CHECKING:
    from wheelship.engine.check import CheckReport, CheckSpec
    from wheelship.engine.choose import EngineChoice
    from wheelship.engine.model import ImageFiles
    from wheelship.oci.platform import Platform
    from wheelship.store.layout import StoredImage

__all__ = ["CheckFailed", "command"]


class CheckFailed(GateFailed):
    """The image does not do what its users expect."""

    code = "check-failed"


@click.command(
    "check",
    epilog="Example: wheelship check oci:dist/service:cpu --engine docker --json",
)
@click.argument("image", default=".")
@click.option("--variant", metavar="NAME", help="The variant, when IMAGE is a project.")
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Project whose [tool.wheelship.check] applies.  [default: found beside IMAGE]",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "docker", "embedded"]),
    default="auto",
    show_default=True,
    help="embedded needs neither Docker nor root: user namespaces.",
)
@click.option(
    "--docker",
    "client",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Docker client to use.  [env: WHEELSHIP_DOCKER; default: docker on PATH]",
)
@click.option(
    "--start-timeout",
    type=click.FloatRange(1, 3600),
    default=120.0,
    show_default=True,
    help="Seconds it may take to become healthy.",
)
@platform_option("[default: this machine's]")
@common_options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - the options of the command line
    settings: Settings,
    image: str,
    variant: str | None,
    project: Path | None,
    engine: EngineChoice,
    client: str | None,
    start_timeout: float,
    platform: Platform | None,
) -> None:
    """Start IMAGE as its users would, and prove that it works.

    IMAGE is a project (its last build), oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, or
    just the path of one of these. Checked are: it starts on a read-only root as its own user,
    becomes healthy by its own probe, imports what it needs, answers a request as
    [tool.wheelship.check] expects, and stops when it is told to.

    Exit status 1 says that a check failed.
    """
    place = replace(find_image(image, variant, project), platform=platform)
    with ProgressView(settings) as view:
        report = _check(place, engine, client, start_timeout, settings, view)
    _show(report, settings)


def _check(
    place: Place,
    engine: EngineChoice,
    client: str | None,
    start_seconds: float,
    settings: Settings,
    view: ProgressView,
) -> CheckReport:
    from wheelship.cli.services import engine_client, native_platform
    from wheelship.engine.check import check
    from wheelship.engine.choose import Machine, choose
    from wheelship.store.layout import read_layout
    from wheelship.store.store import Store

    store = Store(settings.store_root)
    try:
        with store.work_directory() as workspace, store.work_directory() as unpacked:
            layout = layout_of(place, unpacked)
            stored = read_layout(layout, place.tag, place.platform, native=native_platform())
            machine = Machine(
                docker=engine_client(settings, "docker", client),
                workspace=workspace,
                python=Path(sys.executable),
            )
            chosen = choose(engine, machine, view.emit)
            spec = replace(_spec(place, stored), start_seconds=start_seconds)
            return check(_files(place, stored), chosen, spec, view.emit)
    finally:
        store.close()


def _spec(place: Place, stored: StoredImage) -> CheckSpec:
    """Return what to expect: the project's table where there is one, else the image's own word."""
    from wheelship.engine.check import CheckSpec
    from wheelship.request.model import Check

    project = place.project or _project_beside(place.path)
    if project is None:
        return CheckSpec(check=Check(), project=Path(tempfile.gettempdir()))
    request = read_project(project)
    name = dict(stored.config.labels).get("wheelship.variant", request.default_variant)
    variant = request.variants.get(name)
    if variant is None:
        return CheckSpec(check=Check(), project=project)
    return CheckSpec(
        check=variant.check,
        health=variant.health,
        project=project,
        writable=variant.writable,
    )


def _project_beside(path: Path) -> Path | None:
    """Return the project whose ``dist`` the image lies in, if it does."""
    root = path.parent.parent
    inside = path.parent.name == "dist" and (root / "pyproject.toml").is_file()
    return root if inside else None


def _files(place: Place, stored: StoredImage) -> ImageFiles:
    from wheelship.archive.untar import LayerFile
    from wheelship.engine.model import ImageFiles
    from wheelship.oci.digest import Digest
    from wheelship.store.docker_archive import write_docker_archive

    reference = f"{place.path.name.removesuffix('.tar').lower()}:{stored.reference}"
    return ImageFiles(
        reference=reference,
        manifest_digest=stored.digest,
        config_digest=Digest.of(stored.config_bytes),
        config=stored.config,
        layers=tuple(LayerFile(path=layer.path, diff_id=layer.diff_id) for layer in stored.layers),
        write_docker_archive=lambda out: write_docker_archive(
            out,
            manifest=stored.manifest,
            config=stored.config_bytes,
            layers=[(layer.digest, layer.path) for layer in stored.layers],
            reference=reference,
        ),
    )


def _show(report: CheckReport, settings: Settings) -> None:
    if settings.json:
        document = {"schema": "wheelship.check/1", **report.to_json()}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        if not report.ok:
            raise click.exceptions.Exit(CheckFailed.exit_status)
        return
    sys.stdout.write(f"{report.reference} with the {report.engine} engine\n")
    for step in report.steps:
        sys.stdout.write(
            f"  {step.outcome:<10} {step.name:<15} {step.seconds:>6.2f} s  {step.detail}\n"
        )
    if report.answer is not None:
        sys.stdout.write(f"  answer: {json.dumps(report.answer)}\n")
    if not report.ok:
        failed = [step for step in report.steps if step.outcome == "failed"]
        for line in report.log:
            sys.stderr.write(f"  | {line}\n")
        raise CheckFailed(
            f"{failed[0].name}: {failed[0].detail}",
            where=report.reference,
            hint="the end of the service's output stands above",
        )
