# SPDX-License-Identifier: Apache-2.0
"""What is delivered, what came of it, and the seam that every kind of place has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from wheelship.events import Emit
from wheelship.oci.digest import Digest
from wheelship.oci.index import ImageIndex, Tagged
from wheelship.oci.platform import Platform

if TYPE_CHECKING:
    from wheelship.engine.client import Client, Program
    from wheelship.registry.client import RegistryClient
    from wheelship.sink.whereabouts import Whereabouts

__all__ = ["BlobCounts", "Delivered", "Method", "Parcel", "Sink", "Tools", "join_parcels"]

Method: TypeAlias = Literal["written", "pulled", "loaded", "present", "pushed"]
"""How the image got there: an engine pulls what it lacks, is sent all of it, or had it; a registry
is sent what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An image on its way.

    Attributes:
        image: its documents and the descriptors of its layers; of several platforms, an index.
        reference: ``name:tag``, by which it shall be known; a layout takes the tag alone.
        blob: returns the file of a layer. It may have to fetch the layer first, so it is asked
            only for what must move, and may raise any WheelshipError. Called from any thread.
        linked: told which of those files got a hard link, which alters their change time.
        whereabouts: which repositories have which layers, if that is remembered.
    """

    image: Tagged
    reference: str
    blob: Callable[[Digest], Path]
    linked: Callable[[frozenset[Digest]], None]
    whereabouts: Whereabouts | None = None


def join_parcels(parcels: Sequence[Parcel]) -> Parcel:
    """Return one parcel with the images of all, which are of one platform each; one stays alone."""
    first = parcels[0]
    if len(parcels) == 1:
        return first
    images = [one.image for one in parcels]
    sources = {blob.digest: one.blob for one in reversed(parcels) for blob in one.image.blobs}

    def linked(digests: frozenset[Digest]) -> None:
        for one in parcels:
            one.linked(digests)

    return Parcel(
        image=ImageIndex(tuple(one for one in images if not isinstance(one, ImageIndex))),
        reference=first.reference,
        blob=lambda digest: sources[digest](digest),
        linked=linked,
        whereabouts=first.whereabouts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobCounts:
    """How many blobs of a push were sent, were there already, were mounted from elsewhere."""

    sent: int
    existing: int
    mounted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a sink did.

    Attributes:
        output: where, as ``--output`` takes it.
        method: how.
        reference: how the image is called there.
        moved_bytes: bytes that were copied or sent; a hard link moves none, nor does what was
            there before.
        platforms: those of the image that are there now.
        detail: what else there is to say, such as why an engine did not pull; may be None.
        digest: of what the name stands for: a manifest, or an index; None of an engine.
        references, blobs: of a push, all its names and its blobs.
    """

    output: str
    method: Method
    reference: str
    moved_bytes: int
    platforms: tuple[Platform, ...]
    detail: str | None = None
    references: tuple[str, ...] = ()
    digest: Digest | None = None
    blobs: BlobCounts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What of this machine the sinks may use; None = there is none.

    ``native`` is the platform that this machine runs: places for one platform get that one.
    """

    docker: Client | None = None
    podman: Client | None = None
    registry: Callable[[], RegistryClient] | None = None
    native: Platform | None = None

    def of(self, program: Program) -> Client | None:
        """Return the client of one engine."""
        return self.docker if program == "docker" else self.podman


class Sink(Protocol):
    """A place for images."""

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Put the image there; nothing incomplete ever has its final name.

        Raises:
            WheelshipError: the place refuses, or a layer cannot be had or is damaged.
        """
        ...
