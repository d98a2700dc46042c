# SPDX-License-Identifier: Apache-2.0
"""``wheelship compare --history``: how the builds of a project went."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.images import Access, inspected
from wheelship.cli.place import read_project
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings
from wheelship.cli.terminal import encodable, stdout_canvas
from wheelship.errors import InputError, WheelshipError
from wheelship.events import Emit, Warned
from wheelship.history.file import read
from wheelship.request.place import is_project

if TYPE_CHECKING:
    from wheelship.history.model import PastBuild
    from wheelship.inspect.model import Inspection
    from wheelship.oci.platform import Platform

__all__ = ["NoHistory", "builds_of", "show_history"]


class NoHistory(InputError):
    """Builds of the project are not remembered."""

    code = "no-history"


def show_history(
    settings: Settings,
    place: str,
    *,
    variants: tuple[str, ...],
    platform: Platform | None,
    markdown: bool,
    html: Path | None,
    access: Access,
) -> None:
    """Write the course of builds, those of ``variants`` and ``platform`` where they are given.

    ``place`` is a project, or a history that lies elsewhere. With ``html``, a page about the last
    build of the project with the course of its builds is written, too.

    Raises:
        NoHistory: there is none.
        UsageError: a page is wanted of a history without its project.
    """
    root = Path(place).resolve()
    project = is_project(root)
    if html is not None and not project:
        raise click.UsageError("--html shows the last build, so it needs the project")
    remembered = read(_history_of(root, place) if project else _file(root, place))
    builds = [
        one
        for one in remembered
        if (not variants or one.variant in variants) and platform in (None, one.platform)
    ]
    if html is not None:
        _write_page(html, place, builds, settings, variants, platform, access)
    if remembered and not builds and not settings.json:
        sys.stdout.write(_others(remembered, variants, platform) + "\n")
        return
    _write(builds, settings, markdown=markdown)


def builds_of(image: str | None, inspection: Inspection, emit: Emit) -> list[PastBuild]:
    """Return the past builds of what was inspected; none where ``image`` is no project.

    They are those of its variant and platform. A history that cannot be read is a warning: nothing
    else about the image depends on it.
    """
    place = Path(image or ".")
    if not is_project(place):
        return []
    path = read_project(place.resolve()).history
    if path is None:
        return []
    try:
        builds = read(path)
    except WheelshipError as error:
        message = f"the course of builds is not shown: {error.where} {error.message}"
        emit(Warned("history-not-shown", message, error.hint))
        return []
    shown = (inspection.contents.variant, inspection.contents.config.platform)
    return [one for one in builds if (one.variant, one.platform) == shown]


def _others(
    remembered: Sequence[PastBuild], variants: tuple[str, ...], platform: Platform | None
) -> str:
    """Say that other builds are remembered than those of ``variants`` for ``platform``."""
    wanted = " ".join([*variants, *([f"for {platform}"] if platform else [])])
    known = sorted({f"{one.variant} for {one.platform}" for one in remembered})
    return f"no builds of {wanted} are remembered; there are builds of {', '.join(known)}"


def _history_of(root: Path, place: str) -> Path:
    found = read_project(root).history
    if found is None:
        raise NoHistory(
            "remembers no builds: history = false", where=place, hint="remove that line"
        )
    return found


def _file(path: Path, place: str) -> Path:
    if not path.is_file():
        raise NoHistory(
            "is neither a project nor a history of builds",
            where=place,
            hint="name a project, or the file that wheelship build --history FILE wrote",
        )
    return path


def _write(builds: list[PastBuild], settings: Settings, *, markdown: bool) -> None:
    from wheelship.report.history import history_document, history_markdown, history_text

    if settings.json:
        text = json.dumps(history_document(builds), indent=2)
    elif markdown:
        text = history_markdown(builds)
    else:
        canvas = stdout_canvas(settings)
        text = history_text(builds, canvas.width, ascii_only=not canvas.unicode)
    sys.stdout.write(encodable(text, sys.stdout.encoding) + "\n")


def _write_page(
    path: Path,
    place: str,
    builds: list[PastBuild],
    settings: Settings,
    variants: tuple[str, ...],
    platform: Platform | None,
    access: Access,
) -> None:
    from wheelship.cli.page import write_page
    from wheelship.inspect.model import Expectation

    with ProgressView(settings) as view:
        inspection = inspected(
            settings,
            place,
            variant=variants[0] if variants else None,
            platform=platform,
            expectation=Expectation(),
            view=view,
            access=access,
        )
    write_page(path, inspection, builds)
