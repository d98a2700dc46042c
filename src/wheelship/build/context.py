# SPDX-License-Identifier: Apache-2.0
"""What a build needs from outside, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wheelship.base.model import BaseLayer
from wheelship.build.omission import Omission
from wheelship.debian.lock import LockedPackage
from wheelship.events import Emit
from wheelship.lock.model import LockedWheel
from wheelship.oci.image import Image, Layer
from wheelship.plan.model import ImagePlan
from wheelship.store.store import Store

__all__ = ["Artifacts", "BaseLayers", "BuildContext", "BuiltImage", "BuiltLayer"]


class Artifacts(Protocol):
    """Where locked files come from; both wait until the file is there and verified.

    Implementations raise :class:`~wheelship.errors.NetworkError` or ``InputError``.
    """

    def prefetch(self, files: Iterable[LockedWheel | LockedPackage]) -> None:
        """Begin to fetch ``files`` in the background."""
        ...

    def path(self, file: LockedWheel | LockedPackage) -> Path:
        """Return the local file."""
        ...

    def abandon(self) -> None:
        """Give up what is being fetched: whoever waits for it gets an error at once."""
        ...

    def replace(self, file: LockedWheel | LockedPackage) -> Path:
        """Fetch the file anew after its reader found it damaged."""
        ...


class BaseLayers(Protocol):
    """Where the layers of other images come from. They are asked for only when bytes are needed."""

    def path(self, layer: BaseLayer) -> Path:
        """Return the layer's file, fetched into the store if it is not there.

        Raises:
            NetworkError, InputError, MachineError: it cannot be had.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """The ambient things, handed in: store, sources of files, events, number of cores to use.

    ``machine`` is the architecture this machine runs (``amd64``), for which an interpreter can be
    started. ``base`` is None where the base is debian.
    """

    store: Store
    artifacts: Artifacts
    emit: Emit
    jobs: int
    machine: str
    base: BaseLayers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltLayer:
    """A layer of the image: what it is, and whether it was there before this build."""

    layer: Layer
    kind: str
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """A built image; ``seconds`` is the wall time it took, ``omitted`` what packages lack."""

    plan: ImagePlan
    image: Image
    layers: tuple[BuiltLayer, ...]
    seconds: float
    omitted: tuple[Omission, ...] = ()
