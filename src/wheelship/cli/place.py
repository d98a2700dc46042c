# SPDX-License-Identifier: Apache-2.0
"""What the argument IMAGE of several commands means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.errors import InputError
from wheelship.events import Emit, Warned, discard
from wheelship.oci.platform import Platform

if TYPE_CHECKING:
    from wheelship.request.model import Request

__all__ = [
    "NoImage",
    "Place",
    "find_image",
    "is_project",
    "layout_of",
    "read_project",
]

_PROJECT_FILES = ("pyproject.toml", "wheelship.toml", "requirements.txt")


class NoImage(InputError):
    """There is no image at that place."""

    code = "no-image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the image is, and the project that says what to expect of it, if there is one.

    ``path`` is an OCI layout, or a file with one inside; ``platform`` the one that was asked for.
    """

    path: Path
    tag: str | None
    project: Path | None
    platform: Platform | None = None


def find_image(image: str, variant: str | None, project: Path | None = None) -> Place:
    """Return where IMAGE is: a project (its last build), a layout, or an archive.

    Raises:
        NoImage: it is none of these.
    """
    kind, colon, rest = image.partition(":")
    if colon and kind == "oci":
        path, _, tag = rest.rpartition(":") if ":" in rest else (rest, "", "")
        return Place(path=Path(path).resolve(), tag=tag or variant, project=project)
    if colon and kind in ("oci-archive", "docker-archive"):
        if not Path(rest).is_file():
            raise NoImage("is no file", where=image, hint=f"wheelship build --output {image}")
        return Place(path=Path(rest).resolve(), tag=None, project=project)
    path_given = Path(image).resolve()
    if (path_given / "index.json").is_file():
        return Place(path=path_given, tag=variant, project=project)
    if path_given.is_file():
        return Place(path=path_given, tag=None, project=project)
    if is_project(path_given):
        layout = path_given / "dist" / read_project(path_given).image_name
        if not (layout / "index.json").is_file():
            raise NoImage("has not been built yet", where=image, hint=f"wheelship build {image}")
        return Place(path=layout, tag=variant, project=project or path_given)
    raise NoImage(
        "is neither a project nor an OCI layout or archive",
        where=image,
        hint="name a project, or oci:DIR[:TAG] as `wheelship build` wrote it",
    )


def is_project(root: Path) -> bool:
    """Tell whether there is something to read in ``root``."""
    return any((root / name).is_file() for name in _PROJECT_FILES)


def read_project(root: Path, emit: Emit = discard) -> Request:
    """Read the project in ``root``; what was decided for its author is told to ``emit``."""
    from wheelship.cli.services import native_platform
    from wheelship.request.read import read_request

    request = read_request(root, native=native_platform())
    for note in request.notes:
        emit(Warned("decided-for-you", note))
    return request


def layout_of(place: Place, workspace: Path) -> Path:
    """Return the layout, unpacked into ``workspace`` where it lies in a file."""
    if place.path.is_dir():
        return place.path
    from wheelship.store.errors import disk_errors
    from wheelship.store.read_archive import unpack_layout

    with disk_errors(workspace):
        unpack_layout(place.path, workspace / "layout")
    return workspace / "layout"
