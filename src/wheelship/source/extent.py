# SPDX-License-Identifier: Apache-2.0
"""Parts of files, read at their offset: several threads may read different parts of one file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wheelship.oci.descriptor import Descriptor
from wheelship.source.document import DOCUMENT_BYTES
from wheelship.source.errors import InvalidImage, shown
from wheelship.source.model import BlobStream
from wheelship.source.verified import VerifiedStream

__all__ = [
    "Extent",
    "ExtentStream",
    "MemoryStream",
    "read_all",
    "read_document",
    "regular_file",
    "verified",
]

_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Extent:
    """``size_bytes`` bytes at ``offset`` of the open file ``descriptor``."""

    descriptor: int
    offset: int
    size_bytes: int

    def stream(self) -> ExtentStream:
        """Return its bytes from the beginning."""
        return ExtentStream(self)


class ExtentStream:
    """Reads an extent forward."""

    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end of the extent, or of a file cut short."""
        extent = self._extent
        wanted = min(size, extent.size_bytes - self._at)
        if wanted <= 0:
            return b""
        try:
            data = os.pread(extent.descriptor, wanted, extent.offset + self._at)
        except OSError as error:
            raise InvalidImage(f"cannot be read: {error.strerror}") from error
        self._at += len(data)
        return data


class MemoryStream:
    """Reads bytes forward."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes."""
        data, self._data = bytes(self._data[: max(size, 0)]), self._data[max(size, 0) :]
        return data


def read_all(stream: BlobStream) -> bytes:
    """Return what is left of ``stream``, which must be short."""
    return b"".join(iter(lambda: stream.read(_PIECE_BYTES), b""))


def read_document(extent: Extent, name: str, where: str) -> bytes:
    """Return the JSON document called ``name``, whole.

    Raises:
        InvalidImage: it is longer than readers take, or the file around it was cut short.
    """
    if extent.size_bytes > DOCUMENT_BYTES:
        raise InvalidImage(
            f"{shown(name)} has {extent.size_bytes} bytes; {DOCUMENT_BYTES} are read at most",
            where=where,
        )
    data = read_all(extent.stream())
    if len(data) != extent.size_bytes:
        raise InvalidImage(f"{shown(name)} is cut short", where=where)
    return data


def verified(extent: Extent, descriptor: Descriptor, where: str) -> VerifiedStream:
    """Return the blob in ``extent``, to be proven while it is read.

    Raises:
        InvalidImage: it cannot be what ``descriptor`` names: its size is another.
    """
    if extent.size_bytes != descriptor.size_bytes:
        raise InvalidImage(
            f"the blob {descriptor.digest} has {extent.size_bytes} bytes, promised are "
            f"{descriptor.size_bytes}",
            where=where,
        )
    return VerifiedStream(extent.stream(), descriptor, where=where)


@contextmanager
def regular_file(path: Path) -> Iterator[Extent]:
    """Open a file, whole; whoever waits behind a pipe or a device is not waited for.

    Raises:
        FileNotFoundError: there is none.
        InvalidImage: it is something else than a file, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidImage(f"cannot be read: {why}", where=str(path)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidImage("is no regular file", where=str(path))
        yield Extent(descriptor, 0, status.st_size)
    finally:
        os.close(descriptor)
