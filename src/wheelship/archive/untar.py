# SPDX-License-Identifier: Apache-2.0
"""Reading a layer blob of any origin: inflated, bounded, and proven against its ``diff_id``.

The tar headers are parsed by ``tarfile``; this module stands between it and the bytes, so that a
hostile archive can neither make it hold a header of gigabytes nor end early without being noticed.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wheelship.archive.blob import Undecodable, UnknownPacking
from wheelship.archive.unpacked import UnpackedStream
from wheelship.errors import InputError
from wheelship.oci.digest import Digest

__all__ = ["InvalidLayer", "LayerFile", "LayerReader", "UnsupportedLayer"]

_CHUNK_BYTES = 256 * 1024
_EXTENDED_HEADER_BYTES = 1024 * 1024
"""No honest name or attribute is longer; ``tarfile`` holds an extended header whole."""

_EXTENDED_HEADERS = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


class InvalidLayer(InputError):
    """The layer is damaged, lies about its content, or tries to write where it must not."""

    code = "invalid-layer"


class UnsupportedLayer(InputError):
    """The layer is compressed in a way that this version cannot read."""

    code = "unsupported-layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFile:
    """A layer blob on disk, packed in any way; what is inside must hash to ``diff_id``."""

    path: Path
    diff_id: Digest


class _Header(tarfile.TarInfo):
    """A tar header that refuses oversized extended headers before anybody reads them."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0:
            raise InvalidLayer(f"a tar header claims {header.size} bytes")
        if header.type in _EXTENDED_HEADERS and header.size > _EXTENDED_HEADER_BYTES:
            raise InvalidLayer(f"an extended tar header claims {header.size} bytes")
        return header


class LayerReader:
    """Streams one layer forward; a context manager.

    ``members()`` yields the headers; right after each, :meth:`content` streams that member.
    """

    def __init__(self, layer: LayerFile, *, limit_bytes: int) -> None:
        self._layer = layer
        self._limit_bytes = limit_bytes
        self._offset = 0
        self._file = layer.path.open("rb")
        self._stream = UnpackedStream(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end of the layer.

        Raises:
            InvalidLayer: the compressed stream is damaged, or the layer exceeds its limit.
            UnsupportedLayer: it is compressed in a way that is not read here.
        """
        stream = self._stream
        at = self._offset - stream.begin
        data = stream.data[at : at + size]
        if len(data) < size:
            parts = [data]
            left = size - len(data)
            while left and self._advance():
                parts.append(stream.data[:left])
                left -= len(parts[-1])
            data = b"".join(parts)
        self._offset += len(data)
        if self._offset > self._limit_bytes:
            raise self._refusal(f"inflates to more than {self._limit_bytes} bytes")
        return data

    def _advance(self) -> bool:
        try:
            return self._stream.advance()
        except UnknownPacking as error:
            raise UnsupportedLayer(
                f"layer {self._layer.diff_id} {error}, which is not read here",
                where=str(self._layer.path),
                hint="make the image anew with layers in gzip or zstd",
            ) from error
        except (Undecodable, OSError) as error:
            raise self._refusal(str(error)) from error

    def tell(self) -> int:
        """Return the offset in the inflated stream; ``tarfile`` asks for it."""
        return self._offset

    def seek(self, offset: int) -> int:
        """Skip forward to ``offset``; everything skipped is hashed all the same."""
        if offset < self._offset:
            raise self._refusal("its tar headers point backwards")
        while self._offset < offset and self.read(min(_CHUNK_BYTES, offset - self._offset)):
            pass
        return self._offset

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Yield every header in order, then prove the end of the archive and the ``diff_id``.

        Raises:
            InvalidLayer: the tar structure is broken, something follows its end, or the bytes do
                not hash to the ``diff_id``. Only a completed iteration proves the layer.
        """
        try:
            # TarFile needs no more of a file than read, tell and a forward seek.
            archive = tarfile.TarFile(
                fileobj=self,  # type: ignore[arg-type]
                tarinfo=_Header,
                encoding="utf-8",
                errors="surrogateescape",
            )
            while (header := archive.next()) is not None:
                yield header
                # The archive remembers every header it has seen; a layer may have a million.
                archive.members = []  # type: ignore[attr-defined]
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise self._refusal(f"is no readable tar archive: {error}") from error
        while rest := self.read(_CHUNK_BYTES):
            # tarfile takes a damaged header for the end of the archive.
            if rest.strip(b"\0"):
                raise self._refusal("has data after the end of its tar archive")
        found = self._stream.digest()
        if found != self._layer.diff_id:
            raise self._refusal(f"is not what its configuration promises: it hashes to {found}")

    def content(self, header: tarfile.TarInfo) -> Iterator[bytes]:
        """Yield the content of the member that ``members()`` yielded last.

        Raises:
            InvalidLayer: the layer ends before the member does.
        """
        left = header.size
        while left:
            # What is there already need not be copied together with what follows.
            there = self._stream.end - self._offset
            data = self.read(min(there or _CHUNK_BYTES, left))
            if not data:
                raise self._refusal(f"ends inside {header.name!r}")
            left -= len(data)
            yield data

    def _refusal(self, what: str) -> InvalidLayer:
        return InvalidLayer(f"layer {self._layer.diff_id} {what}", where=str(self._layer.path))
