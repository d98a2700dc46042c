# SPDX-License-Identifier: Apache-2.0
"""Reads the images that a command names, wherever they are, and says what they are meant for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings
from wheelship.errors import InputError, NetworkError
from wheelship.source.location import Project, RegistryImage, parse_location

if TYPE_CHECKING:
    from wheelship.events import Emit
    from wheelship.inspect.model import Contents, Expectation, Inspection
    from wheelship.oci.config import ImageConfig
    from wheelship.oci.platform import Platform
    from wheelship.request.model import Variant
    from wheelship.source.location import LayoutAt, Location

__all__ = ["Access", "InvalidTarget", "inspected", "stated_expectation"]

_LABEL = "wheelship.accelerator"
_TARGETS = {"sm_": "cuda", "gfx": "rocm"}


class InvalidTarget(InputError):
    """The text names no GPU target, or one of another accelerator."""

    code = "invalid-gpu-target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How images are got at.

    Attributes:
        insecure: registries without TLS, beside those of the environment.
        docker, podman: clients; None is the environment's, else the one on ``PATH``.
        cached: what was found in a layer before, is taken from the store and put there.
        jobs: layers read at once; None is one for each core.
    """

    insecure: tuple[str, ...] = ()
    docker: str | None = None
    podman: str | None = None
    cached: bool = True
    jobs: int | None = None


def stated_expectation(accelerator: str | None, targets: tuple[str, ...]) -> Expectation:
    """Return what the command line says that an image is meant for.

    Targets alone say the accelerator, too.

    Raises:
        InvalidTarget: a target is none, or not one of ``accelerator``.
    """
    from wheelship.inspect.model import Expectation

    for target in targets:
        found = next((of for start, of in _TARGETS.items() if target.startswith(start)), None)
        digits = target.removeprefix("sm_").removeprefix("gfx")
        if found is None or not digits.isascii() or not digits.isalnum():
            raise InvalidTarget(
                "is no GPU target",
                where=f"--gpu-target {target}",
                hint="NVIDIA's look like sm_90, AMD's like gfx942",
            )
        accelerator = accelerator or found
        if found != accelerator:
            raise InvalidTarget(
                f"is a target of {found}, and the image is meant for {accelerator}",
                where=f"--gpu-target {target}",
                hint=f"--accelerator {found}",
            )
    return Expectation(accelerator=accelerator, gpu_targets=targets)


def inspected(
    settings: Settings,
    image: str | None,
    *,
    variant: str | None,
    platform: Platform | None,
    expectation: Expectation,
    view: ProgressView,
    access: Access = Access(),
) -> Inspection:
    """Read ``image``, tell whose its bytes are and what is waste.

    ``expectation`` is what the command line said (:func:`stated_expectation`); what it left open is
    said by the project's variant, else by the label that wheelship writes.

    Raises:
        WheelshipError: as :func:`read`.
    """
    from wheelship.inspect.model import Inspection
    from wheelship.inspect.waste.rules import find_waste

    contents, named = _read(settings, image, variant, platform, view, access)
    expected = _expected(expectation, named, contents.config)
    return Inspection(
        contents=contents, findings=find_waste(contents, expected), expectation=expected
    )


def read(
    settings: Settings,
    image: str | None,
    *,
    variant: str | None,
    platform: Platform | None,
    view: ProgressView,
    access: Access = Access(),
) -> Contents:
    """Read ``image`` and tell whose its bytes are.

    None is the last build of the project in the working directory.

    Raises:
        WheelshipError: it is not there, cannot be read, or is no image.
    """
    return _read(settings, image, variant, platform, view, access)[0]


def _read(
    settings: Settings,
    image: str | None,
    variant: str | None,
    platform: Platform | None,
    view: ProgressView,
    access: Access,
) -> tuple[Contents, Variant | None]:
    """Return what the image holds, and the project's variant that it is the last build of."""
    from wheelship.cli.reading import LayerReading
    from wheelship.cli.services import engine_client, jobs, make_registry, native_platform
    from wheelship.inspect.run import read_contents
    from wheelship.inspect.scan.kept import KeptContents
    from wheelship.source.open import SourceTools, open_image
    from wheelship.store.store import Store

    location = parse_location(image or "", directory=Path.cwd(), variant=variant)
    named: Variant | None = None
    if isinstance(location, Project):
        location, named = _last_build(location, view.emit)
    store = Store(settings.store_root)
    with closing(store), store.in_use(), store.work_directory() as workspace:
        tools = SourceTools(
            registry=lambda: make_registry(settings, view.emit, insecure=access.insecure),
            docker=engine_client(settings, "docker", access.docker),
            podman=engine_client(settings, "podman", access.podman),
            workspace=workspace,
        )
        with (
            _taken_for_a_name(image, location),
            open_image(
                location, platform=platform, native=native_platform(), tools=tools, emit=view.emit
            ) as source,
        ):
            reading = LayerReading(view.emit, [layer.descriptor.digest for layer in source.layers])
            found = read_contents(
                source,
                kept=KeptContents(store) if access.cached else None,
                emit=reading.emit,
                jobs=access.jobs or jobs(),
            )
            reading.end()
            return found, named


@contextmanager
def _taken_for_a_name(image: str | None, location: Location) -> Iterator[None]:
    """Say with a registry's failure why it was asked, where ``image`` names none itself."""
    try:
        yield
    except NetworkError as error:
        host = (image or "").partition("/")[0]
        if isinstance(location, RegistryImage) and not set(".:") & set(host):
            taken = f"no path here is called {image}, so it was taken for registry:{image}"
            error.hint = f"{error.hint}\n{taken}" if error.hint else taken
        raise


def _last_build(project: Project, emit: Emit) -> tuple[LayoutAt, Variant | None]:
    """Return where a project's last build is, and which of its variants that is.

    That is the one asked for, else the default one, else the only one that was built.
    """
    from wheelship.build.images import choose_variants
    from wheelship.cli.place import read_project
    from wheelship.cli.services import native_platform
    from wheelship.source.open import layout_of_project
    from wheelship.store.layout import read_index, tag_of

    request = read_project(project.path, emit)
    names = () if project.variant is None else (project.variant,)
    (wanted,) = choose_variants(request, names, every=False)
    layout = layout_of_project(replace(project, variant=wanted.name), native_platform())
    if not names:
        tags = [tag_of(entry) for entry in read_index(layout.path)["manifests"]]
        if len(tags) == 1:
            layout = replace(layout, tag=tags[0])
    return layout, request.variants.get(layout.tag or "")


def _expected(stated: Expectation, variant: Variant | None, config: ImageConfig) -> Expectation:
    from wheelship.inspect.model import Expectation

    accelerator = stated.accelerator
    if accelerator is None and variant is not None:
        accelerator = variant.accelerator.value
    if accelerator is None:
        said = dict(config.labels).get(_LABEL)
        accelerator = said if said in ("cpu", "cuda", "rocm") else None
    targets = stated.gpu_targets
    if not targets and variant is not None and variant.accelerator.value == accelerator:
        targets = variant.gpu_targets
    return Expectation(accelerator=accelerator, gpu_targets=targets)
