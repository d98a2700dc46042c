# SPDX-License-Identifier: Apache-2.0
"""``oci:DIR[:TAG]``: an OCI image layout, filled by hard link from the store where that works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wheelship.events import Emit
from wheelship.oci.digest import Digest
from wheelship.oci.index import platforms_of
from wheelship.sink.model import Delivered, Parcel
from wheelship.sink.output import LayoutOutput
from wheelship.store.layout_writer import write_layout

__all__ = ["LayoutSink"]


@dataclass(frozen=True, slots=True)
class LayoutSink:
    """Writes layouts."""

    output: LayoutOutput

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Put the image into the layout under its tag; other tags stay.

        Raises:
            InvalidLayout, DiskFull, NotWritable, DamagedStore: as of ``write_layout``.
        """
        del emit  # too quick for progress
        image, directory = parcel.image, self.output.directory
        tag = self.output.tag or parcel.reference.rpartition(":")[2]
        before = {one.digest: _identity(directory, one.digest) for one in image.blobs}
        linked = write_layout(directory, image, tag, parcel.blob)
        if linked:
            parcel.linked(linked)
        sizes = {one.digest: one.size_bytes for one in image.blobs if one.digest not in linked}
        return Delivered(
            output=str(self.output),
            method="written",
            reference=tag,
            moved_bytes=sum(
                size
                for digest, size in sizes.items()
                if _identity(directory, digest) != before[digest]
            ),
            platforms=platforms_of(image),
            digest=image.descriptor.digest,
        )


def _identity(directory: Path, digest: Digest) -> int | None:
    """Return the inode of a blob; None while it is not there."""
    try:
        return (directory / "blobs" / "sha256" / digest.hex).stat().st_ino
    except OSError:
        return None
