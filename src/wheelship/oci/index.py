# SPDX-License-Identifier: Apache-2.0
"""Images of several platforms under one name (image-spec, image-index.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import INDEX, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.image import Documents
from wheelship.oci.platform import Platform

__all__ = ["ImageIndex", "Tagged", "platforms_of"]


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """An index of ``images``, one for each platform; equal images give equal bytes in any order.

    Its descriptors of arm64 name no ``variant``: v8 is what arm64 means, containerd and BuildKit
    leave it out, and who looks for ``linux/arm64/v8`` takes ``linux/arm64`` for it
    (docs/explanation/architectures.md).
    """

    images: tuple[Documents, ...]

    @property
    def index_bytes(self) -> bytes:
        """The index blob."""
        entries = [one.descriptor for one in self._ordered]
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": INDEX,
                "manifests": [one.to_json() for one in entries],
            }
        )

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the index; no platform is its own."""
        data = self.index_bytes
        return Descriptor(media_type=INDEX, digest=Digest.of(data), size_bytes=len(data))

    @property
    def documents(self) -> tuple[bytes, ...]:
        """All JSON blobs: of each image, then the index."""
        each = [data for image in self._ordered for data in image.documents]
        return (*dict.fromkeys(each), self.index_bytes)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The descriptors of the layers, each once, in the order in which images need them."""
        each = [blob for image in self._ordered for blob in image.blobs]
        return tuple({blob.digest: blob for blob in each}.values())

    @property
    def _ordered(self) -> list[Documents]:
        return sorted(
            self.images, key=lambda one: (str(one.descriptor.platform), one.descriptor.digest)
        )

    def find(self, platform: Platform) -> Documents | None:
        """Return the image of ``platform``."""
        found = (one for one in self.images if one.descriptor.platform == platform)
        return next(found, None)


Tagged: TypeAlias = Documents | ImageIndex
"""What a tag can name."""


def platforms_of(tagged: Tagged) -> tuple[Platform, ...]:
    """Return the platforms that a tag stands for, sorted."""
    images: Iterable[Documents] = tagged.images if isinstance(tagged, ImageIndex) else (tagged,)
    named = (one.descriptor.platform for one in images)
    return tuple(sorted(platform for platform in named if platform is not None))
