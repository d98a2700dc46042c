# SPDX-License-Identifier: Apache-2.0
"""What every source of images offers (image-spec, manifest.md and config.md)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from wheelship.oci.config import ImageConfig
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest

__all__ = ["BlobStream", "ImageSource", "SourceLayer"]


class BlobStream(Protocol):
    """The bytes of a blob, forward only."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none only at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLayer:
    """A layer as the source holds it: ``descriptor`` is of the stored blob, maybe compressed."""

    descriptor: Descriptor
    diff_id: Digest


class ImageSource(Protocol):
    """An image of one platform that can be read layer by layer."""

    @property
    def reference(self) -> str:
        """What the user would call it, for messages and reports."""

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest; empty where the source has none (archives of older engines)."""

    @property
    def config_bytes(self) -> bytes:
        """The configuration."""

    @property
    def config(self) -> ImageConfig:
        """The configuration, read."""

    @property
    def layers(self) -> tuple[SourceLayer, ...]:
        """The layers, lowest first."""

    @property
    def as_transferred(self) -> bool:
        """Whether the blobs are what a registry would send.

        What an engine exports is not: its layers come out uncompressed, so how much a pull would
        move cannot be told from it.
        """

    def open(self, layer: SourceLayer) -> AbstractContextManager[BlobStream]:
        """Open the blob of ``layer``; who reads it to the end has it verified.

        Raises:
            InputError: reading found it missing, truncated, or other than its digest says.
            NetworkError: the registry did not answer usefully.
        """
