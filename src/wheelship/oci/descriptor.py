# SPDX-License-Identifier: Apache-2.0
"""Descriptors and media types (image-spec, descriptor.md and media-types.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = [
    "CONFIG",
    "DOCKER_INDEX",
    "DOCKER_MANIFEST",
    "INDEX",
    "LAYER_GZIP",
    "LAYER_TAR",
    "LAYER_ZSTD",
    "MANIFEST",
    "Annotations",
    "Descriptor",
]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"

Annotations = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What names a blob: media type, digest and size in bytes."""

    media_type: str
    digest: Digest
    size_bytes: int
    platform: Platform | None = None
    annotations: Annotations = ()

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        document: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size_bytes,
        }
        if self.platform is not None:
            document["platform"] = self.platform.to_json()
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return document
