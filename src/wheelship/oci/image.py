# SPDX-License-Identifier: Apache-2.0
"""A finished image: configuration and layers whose digests and sizes are all known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from wheelship.oci.config import ImageConfig, canonical_json
from wheelship.oci.descriptor import CONFIG, MANIFEST, Annotations, Descriptor
from wheelship.oci.digest import Digest

__all__ = ["Documents", "Image", "Layer", "Package"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """A package in a layer; ``type`` is ``python``, ``debian`` or ``application``."""

    name: str
    version: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer blob: ``descriptor`` is of the compressed bytes, ``diff_id`` of the tar inside."""

    descriptor: Descriptor
    diff_id: Digest
    unpacked_bytes: int
    title: str = ""
    packages: tuple[Package, ...] = ()


class Documents(Protocol):
    """An image as it travels: two documents as bytes, and what names its layers."""

    @property
    def config_bytes(self) -> bytes:
        """The configuration blob."""

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest blob."""

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the manifest, with the platform."""

    @property
    def documents(self) -> tuple[bytes, ...]:
        """All JSON blobs: the configuration, then the manifest that names it."""

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The descriptors of the layers, lowest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of one platform; the documents are derived, so they always agree with the layers."""

    config: ImageConfig
    layers: tuple[Layer, ...]
    annotations: Annotations = ()

    @property
    def config_bytes(self) -> bytes:
        """The configuration blob."""
        return canonical_json(self.config.to_json())

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest blob (image-spec, manifest.md)."""
        config = self.config_bytes
        document: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": Descriptor(
                media_type=CONFIG, digest=Digest.of(config), size_bytes=len(config)
            ).to_json(),
            "layers": [layer.descriptor.to_json() for layer in self.layers],
        }
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return canonical_json(document)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor that an index lists."""
        manifest = self.manifest_bytes
        return Descriptor(
            media_type=MANIFEST,
            digest=Digest.of(manifest),
            size_bytes=len(manifest),
            platform=self.config.platform,
        )

    @property
    def documents(self) -> tuple[bytes, ...]:
        """All JSON blobs: the configuration, then the manifest that names it."""
        return self.config_bytes, self.manifest_bytes

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The descriptors of the layers, lowest first."""
        return tuple(layer.descriptor for layer in self.layers)

    @property
    def transfer_bytes(self) -> int:
        """What a machine that has nothing must download: layers, configuration and manifest."""
        blobs = sum(layer.descriptor.size_bytes for layer in self.layers)
        return blobs + len(self.config_bytes) + len(self.manifest_bytes)

    @property
    def unpacked_bytes(self) -> int:
        """Sum of the layers' tar sizes."""
        return sum(layer.unpacked_bytes for layer in self.layers)
