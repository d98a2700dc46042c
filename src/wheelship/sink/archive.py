# SPDX-License-Identifier: Apache-2.0
"""``oci-archive:FILE`` and ``docker-archive:FILE``: an image in a single file."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wheelship.events import Advanced, Emit
from wheelship.sink.model import Delivered, Parcel
from wheelship.sink.output import ArchiveOutput, InvalidOutput
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.errors import disk_errors
from wheelship.store.oci_archive import write_oci_archive

__all__ = ["ArchiveSink"]

_PART = ".part"


@dataclass(frozen=True, slots=True)
class ArchiveSink:
    """Writes archives."""

    output: ArchiveOutput

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Write the file; every layer's hash is computed again on the way.

        Raises:
            InvalidOutput: there is something else than a file.
            DiskFull, NotWritable: the disk refuses.
            DamagedStore: a layer is not what it was.
        """
        subject, path = str(self.output), self.output.path

        def advance(count: int) -> None:
            emit(Advanced("image", subject, count))

        image = parcel.image
        layers = [(one.digest, parcel.blob(one.digest)) for one in image.blobs]
        with disk_errors(path.parent, f"--output {self.output.kind}:FILE"), _new_file(path) as out:
            if self.output.kind == "oci-archive":
                write_oci_archive(out, image, layers, parcel.reference, advance)
            else:
                write_docker_archive(
                    out,
                    manifest=image.manifest_bytes,
                    config=image.config_bytes,
                    layers=layers,
                    reference=parcel.reference,
                    advance=advance,
                )
            size = out.tell()
        return Delivered(
            output=subject, method="written", reference=parcel.reference, moved_bytes=size
        )


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open what becomes ``path`` when all is written; what killed processes left is removed.

    Raises:
        InvalidOutput: ``path`` is a directory, a device or a pipe.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise InvalidOutput(
            "is no file that could be replaced", where=str(path), hint="name a file in a directory"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:32]}."
    _sweep(path.parent, prefix)
    descriptor, name = _locked_file(path.parent, prefix)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            Path(name).chmod(0o644)
            Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _locked_file(directory: Path, prefix: str) -> tuple[int, str]:
    while True:
        descriptor, name = tempfile.mkstemp(dir=directory, prefix=prefix, suffix=_PART)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another process may have swept it before it was locked.
        if Path(name).exists():
            return descriptor, name
        os.close(descriptor)


def _sweep(directory: Path, prefix: str) -> None:
    """Remove unfinished files that nobody holds the lock of any more."""
    for left in directory.iterdir():
        if left.name.startswith(prefix) and left.name.endswith(_PART):
            with suppress(OSError):
                descriptor = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
                finally:
                    os.close(descriptor)
