# SPDX-License-Identifier: Apache-2.0
"""What the argument IMAGE of several commands means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.events import Emit, Warned, discard
from wheelship.oci.platform import Platform

if TYPE_CHECKING:
    from wheelship.request.model import Request
    from wheelship.source.location import EngineImage, RegistryImage

__all__ = [
    "Place",
    "find_image",
    "layout_of",
    "read_project",
]


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
    """Return where IMAGE lies on this machine: of a project, its last build.

    Raises:
        NoImage: it is not there.
        UnsupportedImage: it is in an engine or a registry.
    """
    from wheelship.source.errors import UnsupportedImage
    from wheelship.source.location import (
        ArchiveFile,
        EngineImage,
        LayoutAt,
        Project,
        RegistryImage,
        parse_location,
    )

    location = parse_location(image, directory=Path.cwd(), variant=variant)
    if isinstance(location, Project):
        from wheelship.cli.services import native_platform
        from wheelship.source.open import layout_of_project

        layout = layout_of_project(location, native_platform())
        return Place(path=layout.path, tag=layout.tag, project=project or location.path)
    if isinstance(location, EngineImage | RegistryImage):
        raise UnsupportedImage(
            "is not a layout or an archive on this machine, as this command needs",
            where=str(location),
            hint=f"skopeo copy {_for_skopeo(location)} oci:DIR:TAG\nand name oci:DIR:TAG",
        )
    if isinstance(location, LayoutAt):
        return Place(path=location.path, tag=location.tag, project=project)
    name = None if isinstance(location, ArchiveFile) else location.name
    tag = name.rpartition(":")[2] if name else None
    return Place(path=location.path, tag=tag, project=project)


def _for_skopeo(location: EngineImage | RegistryImage) -> str:
    from wheelship.source.location import RegistryImage

    if isinstance(location, RegistryImage):
        return f"docker://{location.reference}"
    transport = "docker-daemon" if location.program == "docker" else "containers-storage"
    return f"{transport}:{location.name}"


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
