# SPDX-License-Identifier: Apache-2.0
"""``docker-archive:FILE``: an image in a single file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wheelship.events import Advanced, Emit
from wheelship.sink.model import Delivered, Parcel
from wheelship.sink.output import ArchiveOutput
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.errors import disk_errors

__all__ = ["ArchiveSink"]


@dataclass(frozen=True, slots=True)
class ArchiveSink:
    """Writes archives."""

    output: ArchiveOutput

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Write the file; every layer's hash is computed again on the way.

        Raises:
            DiskFull, NotWritable: the disk refuses.
            DamagedStore: a layer is not what it was.
        """
        subject, path = str(self.output), self.output.path
        image = parcel.image
        layers = [(one.digest, parcel.blob(one.digest)) for one in image.blobs]
        with disk_errors(path.parent, f"--output {self.output.kind}:FILE"), _new_file(path) as out:
            write_docker_archive(
                out,
                manifest=image.manifest_bytes,
                config=image.config_bytes,
                layers=layers,
                reference=parcel.reference,
                advance=lambda count: emit(Advanced("image", subject, count)),
            )
            size = out.tell()
        return Delivered(
            output=subject, method="written", reference=parcel.reference, moved_bytes=size
        )


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open what becomes ``path`` when all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
