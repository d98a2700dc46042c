# SPDX-License-Identifier: Apache-2.0
"""``registry:REF``: a repository in a registry; only what it lacks is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from wheelship.events import Emit
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.image import Documents
from wheelship.oci.index import ImageIndex, platforms_of
from wheelship.oci.platform import Platform
from wheelship.oci.reference import InvalidReference, Reference
from wheelship.registry.client import RegistryClient
from wheelship.registry.push import Pushed, PushImage
from wheelship.registry.upload import BlobSource
from wheelship.sink.model import BlobCounts, Delivered, Parcel
from wheelship.sink.output import RegistryOutput

__all__ = ["RegistrySink"]

_BASE_NAME = "org.opencontainers.image.base.name"


@dataclass(frozen=True, slots=True)
class RegistrySink:
    """Pushes images; ``client`` is called when there is one to push."""

    output: RegistryOutput
    client: Callable[[], RegistryClient]

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Push the image; of several platforms, each, and an index that the tags name.

        Layers are mounted from the repository of the base image, and from where they were pushed
        before, when these are of the same registry.

        Raises:
            DamagedStore: a layer is not what it was; no tag was moved.
            NetworkError: the registry does not take it; see :meth:`RegistryClient.push`.
        """
        target, tagged = self.output.reference, parcel.image
        several = tagged.images if isinstance(tagged, ImageIndex) else ()
        images = several or [one for one in (tagged,) if not isinstance(one, ImageIndex)]
        pushed = self.client().push(
            target,
            [_image(one, parcel, target) for one in images],
            tags=self.output.tags or (parcel.reference.rpartition(":")[2],),
            index=tagged.index_bytes if isinstance(tagged, ImageIndex) else None,
            emit=emit,
        )
        if parcel.whereabouts is not None:
            digests = [one.digest for one in tagged.blobs]
            parcel.whereabouts.note(target.host, target.repository, digests)
        return _delivered(self.output, pushed, platforms_of(tagged))


def _delivered(
    output: RegistryOutput, pushed: Pushed, platforms: tuple[Platform, ...]
) -> Delivered:
    return Delivered(
        output=str(output),
        method="pushed",
        reference=pushed.references[0],
        references=pushed.references,
        moved_bytes=pushed.sent_bytes,
        platforms=platforms,
        digest=pushed.digest,
        blobs=BlobCounts(
            sent=pushed.count("sent"),
            existing=pushed.count("existing"),
            mounted=pushed.count("mounted"),
        ),
    )


def _image(image: Documents, parcel: Parcel, target: Reference) -> PushImage:
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
