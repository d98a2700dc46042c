# SPDX-License-Identifier: Apache-2.0
"""Base images of other origin around a build: locked, checked against the project, and fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from wheelship.base.errors import BaseOccupied, PythonNotAllowed
from wheelship.base.model import AbsentImage, BaseImage, BaseLayer
from wheelship.base.source import FoundImage, ImageSource
from wheelship.build.lockfile import LOCK_NAME, RELOCK, find_image, read_lock, write_lock
from wheelship.events import Emit
from wheelship.lock.errors import LockOutOfDate
from wheelship.lock.target import Target
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.request.model import Project, Request, Variant
from wheelship.request.requirement import allows
from wheelship.store.store import Store

if TYPE_CHECKING:
    from wheelship.oci.reference import Reference
    from wheelship.registry.client import RegistryClient

__all__ = [
    "RegistrySource",
    "StoredBase",
    "check_links",
    "image_lock",
    "image_maker",
    "source_of",
    "target_of",
]

_LAYOUT = "oci:"


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """An image in a registry; see :class:`~wheelship.base.source.ImageSource`."""

    client: RegistryClient
    reference: Reference
    emit: Emit

    def image(self, platform: Platform) -> FoundImage:
        """Return the image of ``platform``."""
        found = self.client.image(self.reference, platform)
        tag = "" if self.reference.tag is None else f":{self.reference.tag}"
        if not tag and self.reference.digest is None:
            tag = ":latest"
        return FoundImage(
            name=f"{self.reference.name}{tag}",
            digest=found.manifest.digest,
            config=found.config,
            layers=found.layers,
        )

    def blob(self, blob: Descriptor, destination: Path) -> None:
        """Fetch the blob.

        Raises:
            ImageNotFound: the registry has dropped it; the hint says how to go on.
        """
        from wheelship.registry.errors import ImageNotFound

        try:
            self.client.blob(self.reference, blob, destination, emit=self.emit)
        except ImageNotFound as error:
            error.hint = (
                "if the registry dropped that image, lock another: wheelship lock --upgrade"
            )
            raise


class StoredBase:
    """The layers of one base image; each is fetched once, when somebody needs its bytes.

    ``source`` is called when the first of them is not in the store.
    """

    def __init__(self, store: Store, source: Callable[[], ImageSource]) -> None:
        self._store = store
        self._source = cache(source)
        self._guard = Lock()
        self._locks: dict[Digest, Lock] = {}

    def path(self, layer: BaseLayer) -> Path:
        """Return the layer's file; see :class:`~wheelship.build.context.BaseLayers`."""
        from wheelship.base.locking import fetch_layer

        with self._guard:
            lock = self._locks.setdefault(layer.digest, Lock())
        with lock:
            return fetch_layer(layer, self._source, self._store)


def source_of(
    base: str, root: Path, client: Callable[[], RegistryClient], emit: Emit
) -> ImageSource:
    """Return where ``base`` of a configuration leads; layouts are relative to ``root``."""
    if base.startswith(_LAYOUT):
        from wheelship.base.layout import LayoutSource

        place = base.removeprefix(_LAYOUT)
        path, colon, tag = place.rpartition(":")
        return LayoutSource(root / path, tag) if colon else LayoutSource(root / place)
    from wheelship.oci.reference import Reference

    return RegistrySource(client(), Reference.parse(base), emit)


def image_lock(  # noqa: PLR0913 - what it locks for, where it is kept, where it comes from
    request: Request,
    variant: Variant,
    platform: Platform,
    store: Store,
    source: Callable[[], ImageSource],
    emit: Emit,
    *,
    update: bool,
    upgrade: bool = False,
) -> tuple[BaseImage, bool]:
    """Return the locked base of ``variant``, and whether ``wheelship.lock`` was written for it.

    A tag is looked up when it is locked first, and with ``upgrade``; never in between.

    Raises:
        LockOutOfDate: there is no entry, and ``update`` forbids to make one.
        PythonNotAllowed: its Python is not what the project requires.
        WheelshipError: see :func:`wheelship.base.locking.lock_image`.
    """
    path = request.project.root / LOCK_NAME
    found = find_image(read_lock(path).images, variant.base, platform, variant.python)
    if found is not None and not upgrade:
        _check_python(request.project, found)
        return found, False
    if not update:
        missing = f"it holds no base {variant.base} with Python {variant.python} for {platform}"
        raise LockOutOfDate(str(path), [missing], hint=RELOCK)
    from wheelship.base.locking import lock_image

    made = lock_image(variant.base, platform, variant.python, source(), store, emit, known=found)
    _check_python(request.project, made)
    if made == found:
        return made, False
    _write(request, found, made)
    return made, True


def image_maker(  # noqa: PLR0913 - what it compiles for, where it is kept, where it comes from
    request: Request,
    variant: Variant,
    platform: Platform,
    store: Store,
    source: Callable[[], ImageSource],
    emit: Emit,
    *,
    update: bool,
    upgrade: bool = False,
) -> tuple[BaseImage | None, bool]:
    """Return the base of ``variant`` for ``platform``, whose Python compiles there.

    None where there is no such image; the lock keeps that too. And whether it was written.

    Raises:
        LockOutOfDate: the lock does not say, and ``update`` forbids to look.
        WheelshipError: see :func:`wheelship.base.locking.lock_image`.
    """
    path = request.project.root / LOCK_NAME
    entries = read_lock(path)
    absent = AbsentImage(reference=variant.base, platform=platform, python=variant.python)
    found = find_image(entries.images, variant.base, platform, variant.python)
    if (found is not None or absent in entries.absent) and not upgrade:
        return found, False
    if not update:
        missing = (
            f"it does not hold the base {variant.base} for {platform}, "
            "whose Python compiles on this machine"
        )
        raise LockOutOfDate(str(path), [missing], hint=f'{RELOCK}, or set bytecode = "none"')
    from wheelship.base.errors import BaseLacksPlatform, BaseLacksPython, ForeignArchitecture
    from wheelship.base.locking import lock_image
    from wheelship.registry.errors import PlatformMissing

    made: BaseImage | AbsentImage
    try:
        made = lock_image(
            variant.base, platform, variant.python, source(), store, emit, known=found
        )
    except (BaseLacksPlatform, BaseLacksPython, ForeignArchitecture, PlatformMissing):
        made = absent
    if made != found and made not in entries.absent:
        _write(request, found, made)
    image = made if isinstance(made, BaseImage) else None
    return image, made != found and made not in entries.absent


def _write(request: Request, old: BaseImage | None, new: BaseImage | AbsentImage) -> None:
    """Put ``new`` into the lock, in the place of ``old``; what no variant stands on goes.

    Entries for all platforms stay: another machine may compile with what is no image here.
    """
    path = request.project.root / LOCK_NAME
    entries = read_lock(path)
    needed = {(one.base, one.python) for one in request.variants.values()}
    images = [
        one for one in entries.images if one != old and (one.reference, one.python.minor) in needed
    ]
    absent = {one for one in entries.absent if (one.reference, one.python) in needed}
    if isinstance(new, BaseImage):
        images.append(new)
        absent.discard(
            AbsentImage(reference=new.reference, platform=new.platform, python=new.python.minor)
        )
    else:
        absent.add(new)
    write_lock(path, entries.debian, images, absent)


def target_of(base: BaseImage) -> Target:
    """Return what wheels for images on ``base`` are chosen for."""
    return Target(
        python=base.python.minor,
        platform=base.platform,
        release=base.python.version,
        glibc_minor=int(base.python.glibc.partition(".")[2]),
    )


def check_links(base: BaseImage, variant: Variant) -> None:
    """See that no directory of the image would be written through a link of the base.

    A layer that holds a directory where a lower one has a link takes the link away, and with it
    everything it leads to.

    Raises:
        BaseOccupied: one would be.
    """
    links = dict(base.links)
    for path in _directories(variant):
        for depth in range(1, path.count("/") + 2):
            part = "/".join(path.split("/")[:depth])
            if part not in links:
                continue
            real = links[part] + path[len(part) :]
            raise BaseOccupied(
                f"/{path} would replace its link /{part}, which leads to /{links[part]}",
                where=base.reference,
                hint=f'write "/{real}" instead, in `workdir` or `writable`',
            )


def _directories(variant: Variant) -> Iterable[str]:
    own = ("opt/venv", "opt/wheelship", "etc")
    return (*own, *(path.strip("/") for path in (variant.workdir, *variant.writable)))


def _check_python(project: Project, base: BaseImage) -> None:
    python = base.python
    if not allows(project.requires_python, python.minor, python.version):
        raise PythonNotAllowed(
            f"requires-python {project.requires_python!r} does not allow Python {python.version}",
            where=base.reference,
            hint="choose a base with another Python, or change requires-python",
        )
