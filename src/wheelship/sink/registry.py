# SPDX-License-Identifier: Apache-2.0
"""``registry:REF``: a repository in a registry; only what it lacks is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from wheelship.events import Emit
from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import INDEX, Descriptor
from wheelship.oci.reference import InvalidReference, Reference
from wheelship.registry.client import RegistryClient
from wheelship.registry.push import Pushed, PushImage
from wheelship.registry.upload import BlobSource
from wheelship.sink.model import BlobCounts, Delivered, Parcel
from wheelship.sink.output import RegistryOutput

__all__ = ["RegistrySink", "push_parcels"]

_BASE_NAME = "org.opencontainers.image.base.name"


@dataclass(frozen=True, slots=True)
class RegistrySink:
    """Pushes images; ``client`` is called when there is one to push."""

    output: RegistryOutput
    client: Callable[[], RegistryClient]

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Push one image.

        Raises:
            WheelshipError: as of :func:`push_parcels`.
        """
        return push_parcels([parcel], self.output, self.client(), emit)


def push_parcels(
    parcels: Sequence[Parcel], output: RegistryOutput, client: RegistryClient, emit: Emit
) -> Delivered:
    """Push ``parcels``, of one platform each; several get an index that the tags name.

    Layers are mounted from the repository of the base image, and from where they were pushed
    before, when these are of the same registry.

    Raises:
        DamagedStore: a layer is not what it was; no tag was moved.
        NetworkError: the registry does not take it; see :meth:`RegistryClient.push`.
    """
    target = output.reference
    tags = output.tags or (parcels[0].reference.rpartition(":")[2],)
    pushed = client.push(
        target,
        [_image(parcel, target) for parcel in parcels],
        tags=tags,
        index=_index(parcels) if len(parcels) > 1 else None,
        emit=emit,
    )
    for parcel in parcels:
        if parcel.whereabouts is not None:
            digests = [one.digest for one in parcel.image.blobs]
            parcel.whereabouts.note(target.host, target.repository, digests)
    return _delivered(output, pushed)


def _delivered(output: RegistryOutput, pushed: Pushed) -> Delivered:
    return Delivered(
        output=str(output),
        method="pushed",
        reference=pushed.references[0],
        references=pushed.references,
        moved_bytes=pushed.sent_bytes,
        digest=pushed.digest,
        blobs=BlobCounts(
            sent=pushed.count("sent"),
            existing=pushed.count("existing"),
            mounted=pushed.count("mounted"),
        ),
    )


def _index(parcels: Sequence[Parcel]) -> bytes:
    """Return the index of several platforms, in an order that does not depend on the caller's."""
    entries = sorted(
        (parcel.image.descriptor for parcel in parcels),
        key=lambda one: (str(one.platform), one.digest),
    )
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [one.to_json() for one in entries],
        }
    )


def _image(parcel: Parcel, target: Reference) -> PushImage:
    image = parcel.image
    base = _base_repository(image.manifest_bytes, target)
    return PushImage(
        manifest=image.manifest_bytes,
        media_type=image.descriptor.media_type,
        config=image.config_bytes,
        layers=tuple(_source(parcel, one, target, base) for one in image.blobs),
    )


def _source(
    parcel: Parcel, layer: Descriptor, target: Reference, base: tuple[str, ...]
) -> BlobSource:
    def opened() -> BinaryIO:
        return parcel.blob(layer.digest).open("rb")

    known = () if parcel.whereabouts is None else parcel.whereabouts.find(target.host, layer.digest)
    return BlobSource(
        descriptor=layer,
        open=opened,
        title=f"layer {layer.digest.hex[:12]}",
        origins=tuple(dict.fromkeys((*known, *base))),
    )


def _base_repository(manifest: bytes, target: Reference) -> tuple[str, ...]:
    """Return the repository of the base image, when it is of the target's registry.

    image-spec, annotations.md: the manifest says what it is based on.
    """
    named = (json.loads(manifest).get("annotations") or {}).get(_BASE_NAME)
    if not isinstance(named, str):
        return ()
    try:
        base = Reference.parse(named)
    except InvalidReference:
        return ()
    return (base.repository,) if base.host == target.host else ()
