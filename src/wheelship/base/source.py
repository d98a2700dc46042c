# SPDX-License-Identifier: Apache-2.0
"""The one seam to where base images come from, and what ``base`` can name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["FoundImage", "ImageSource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image of one platform, its layers not fetched.

    Attributes:
        name: for the annotation of images, fully qualified; empty for what has no name elsewhere.
        digest: of the manifest.
        config: the configuration's bytes, verified.
        layers: lowest first, with the media types of the manifest.
    """

    name: str
    digest: Digest
    config: bytes
    layers: tuple[Descriptor, ...]


class ImageSource(Protocol):
    """Where one reference leads to.

    Raises:
        NetworkError, InputError: there is no such image, or it cannot be had.
    """

    def image(self, platform: Platform) -> FoundImage:
        """Return the image of ``platform`` that the reference names now."""
        ...

    def blob(self, blob: Descriptor, destination: Path) -> None:
        """Put the blob at ``destination``, which does not exist: verified, whole or not at all."""
        ...
