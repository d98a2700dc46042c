# SPDX-License-Identifier: Apache-2.0
"""``oci-archive:FILE`` and ``docker-archive:FILE``: an image in a single file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wheelship.events import Advanced, Emit
from wheelship.files.write import replacing
from wheelship.oci.index import platforms_of
from wheelship.oci.platform import Platform
from wheelship.sink.model import Delivered, Parcel
from wheelship.sink.output import ArchiveOutput, InvalidOutput
from wheelship.sink.single import single
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.errors import disk_errors
from wheelship.store.oci_archive import write_oci_archive

__all__ = ["ArchiveSink"]


@dataclass(frozen=True, slots=True)
class ArchiveSink:
    """Writes archives; one for ``docker load`` gets the platform ``native`` of several."""

    output: ArchiveOutput
    native: Platform | None = None

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Write the file; every layer's hash is computed again on the way.

        Raises:
            InvalidOutput: there is something else than a file.
            NoPlatformFits: as of :func:`~wheelship.sink.single.single`.
            DiskFull, NotWritable: the disk refuses.
            DamagedStore: a layer is not what it was.
        """
        subject, path = str(self.output), self.output.path

        def advance(count: int) -> None:
            emit(Advanced("image", subject, count))

        tagged, write = parcel.image, partial(write_oci_archive, image=parcel.image)
        if self.output.kind == "docker-archive":
            parcel, image = single(parcel, str(self.native), subject, emit)
            tagged, write = (
                image,
                partial(
                    write_docker_archive, manifest=image.manifest_bytes, config=image.config_bytes
                ),
            )
        layers = [(one.digest, parcel.blob(one.digest)) for one in tagged.blobs]
        with (
            disk_errors(path.parent, f"--output {self.output.kind}:FILE"),
            replacing(_target(path)) as out,
        ):
            write(out, layers=layers, reference=parcel.reference, advance=advance)
            size = out.tell()
        return Delivered(
            output=subject,
            method="written",
            reference=parcel.reference,
            moved_bytes=size,
            platforms=platforms_of(tagged),
            digest=tagged.descriptor.digest,
        )


def _target(path: Path) -> Path:
    """Return the file to replace, which a link may name.

    Raises:
        InvalidOutput: ``path`` is a directory, a device or a pipe.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise InvalidOutput(
            "is no file that could be replaced", where=str(path), hint="name a file in a directory"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
