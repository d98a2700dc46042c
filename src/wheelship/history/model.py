# SPDX-License-Identifier: Apache-2.0
"""One build of one image, as the history keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["PastBuild"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBuild:
    """A line of the history.

    Attributes:
        time: when the build ended (RFC 3339, UTC).
        name: of the image.
        variant: which.
        platform: for which.
        digest: of the manifest.
        transfer_bytes: what a machine that has nothing downloads.
        unpacked_bytes: of the layers' archives.
        seconds: how long it took.
        layers: how many.
        reused: how many of them were made before.
        fresh_bytes: transfer bytes of the layers that were not.
    """

    time: str
    name: str
    variant: str
    platform: Platform
    digest: Digest
    transfer_bytes: int
    unpacked_bytes: int
    seconds: float
    layers: int
    reused: int
    fresh_bytes: int
