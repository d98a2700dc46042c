# SPDX-License-Identifier: Apache-2.0
"""Opens what a location names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from wheelship.events import Emit
from wheelship.oci.platform import Platform
from wheelship.source.choose import Wanted
from wheelship.source.errors import NoImage
from wheelship.source.location import (
    ArchiveFile,
    DockerArchive,
    EngineImage,
    LayoutAt,
    Location,
    OciArchive,
    Project,
    RegistryImage,
)

if TYPE_CHECKING:
    from wheelship.engine.client import Client
    from wheelship.registry.client import RegistryClient
    from wheelship.source.archive import Kind
    from wheelship.source.model import ImageSource

__all__ = ["SourceTools", "layout_of_project", "open_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTools:
    """What sources need of this machine.

    Attributes:
        workspace: an empty directory of this reading's own, for what has to be unpacked; removed
            by its owner.
        registry: makes the door to registries, when one is needed.
        docker / podman: the engines' clients; None where there is none.
    """

    workspace: Path
    registry: Callable[[], RegistryClient]
    docker: Client | None = None
    podman: Client | None = None


@contextmanager
def open_image(
    location: Location,
    *,
    platform: Platform | None,
    native: Platform,
    tools: SourceTools,
    emit: Emit,
) -> Iterator[ImageSource]:
    """Yield the image of one platform at ``location``; its layers can be read inside the block.

    Of several platforms it is ``platform``; without one ``native``, the machine's own, and where
    that is not there, the only one.

    Raises:
        NoImage: nothing is there, or there is a choice.
        InvalidImage, UnsupportedImage: it is damaged, or of a kind that is not read.
        ImageLacksPlatform: it is for other platforms.
        NetworkError, MachineError: registry, engine or disk refuse.
    """
    wanted = Wanted(platform, native)
    match location:
        case Project():
            with open_image(
                layout_of_project(location, native),
                platform=platform,
                native=native,
                tools=tools,
                emit=emit,
            ) as image:
                yield image
        case LayoutAt():
            from wheelship.source.directory import open_layout

            yield open_layout(location.path, location.tag, wanted, str(location))
        case OciArchive():
            yield from _archive(location, "oci-archive", location.name, wanted, tools, emit)
        case DockerArchive():
            yield from _archive(location, "docker-archive", location.name, wanted, tools, emit)
        case ArchiveFile():
            yield from _archive(location, "any", None, wanted, tools, emit)
        case EngineImage():
            from wheelship.source.engine import open_engine_image

            with open_engine_image(
                tools.docker if location.program == "docker" else tools.podman,
                location.program,
                location.name,
                wanted,
                workspace=tools.workspace,
                emit=emit,
            ) as image:
                yield image
        case RegistryImage():
            from wheelship.source.remote import open_registry_image

            yield open_registry_image(tools.registry(), location.reference, wanted)
        case _:
            assert_never(location)


def _archive(
    location: OciArchive | DockerArchive | ArchiveFile,
    kind: Kind,
    name: str | None,
    wanted: Wanted,
    tools: SourceTools,
    emit: Emit,
) -> Iterator[ImageSource]:
    from wheelship.source.archive import open_archive

    with open_archive(
        location.path, kind, name, wanted, str(location), workspace=tools.workspace, emit=emit
    ) as image:
        yield image


def layout_of_project(project: Project, native: Platform) -> LayoutAt:
    """Return where ``wheelship build`` puts the images of ``project``.

    Raises:
        NoImage: it has not been built yet.
        InputError: its configuration is wrong.
    """
    from wheelship.request.read import read_request

    name = read_request(project.path, native=native).image_name
    layout = project.path / "dist" / name
    if not (layout / "index.json").is_file():
        raise NoImage(
            "has not been built yet", where=project.text, hint=f"wheelship build {project.text}"
        )
    text = str(Path(project.text, "dist", name))
    return LayoutAt(path=layout, tag=project.variant, text=text)
