# SPDX-License-Identifier: Apache-2.0
"""Reads one layer, once and forward: every entry with its bytes, proven against its ``diff_id``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from wheelship.archive.blob import ByteStream, Undecodable, UnknownPacking
from wheelship.archive.header import (
    BLOCK_BYTES,
    EXTENDED,
    SPARSE,
    Header,
    InvalidHeader,
    Override,
    continues,
    extend,
    parse_header,
)
from wheelship.archive.unpacked import UnpackedStream
from wheelship.archive.untar import InvalidLayer, UnsupportedLayer
from wheelship.events import Emit, Warned
from wheelship.inspect.model import Entry, EntryKind, Facts, LayerContent
from wheelship.inspect.scan.documents import (
    DOCUMENT_BYTES_MAX,
    DOCUMENTS_BYTES_MAX,
    document_of,
    is_document,
)
from wheelship.inspect.scan.facts import looks_at
from wheelship.inspect.scan.path import InvalidPath, placed, plain_path
from wheelship.inspect.scan.span import Spans, TooShort, padding_of
from wheelship.source.model import SourceLayer

__all__ = ["READER_VERSION", "Limits", "read_layer"]

READER_VERSION = 1
"""Raised when the same blob would give another :class:`LayerContent` than before."""

_FRAMING = "(end of the archive)"
_EXTENDED_BYTES = 1024 * 1024
"""No honest name or attribute is longer; the header is held whole. Go's reader has this limit."""

_KINDS: dict[int, EntryKind] = {
    0: "file",
    ord("0"): "file",
    ord("7"): "file",
    SPARSE: "file",
    ord("1"): "hardlink",
    ord("2"): "symlink",
    ord("3"): "device",
    ord("4"): "device",
    ord("5"): "directory",
    ord("6"): "device",
}
_ZEROS = bytes(BLOCK_BYTES)
_HEAD_BYTES = 64
_EMPTY = hashlib.sha256().digest()
_SHARED_MAX = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be read; beyond is an error, so that no archive fills the memory.

    All but the first hold for a layer, and for all layers of an image together: a manifest of some
    kilobytes may name a small layer of many entries a thousand times.

    Attributes:
        unpacked_bytes: of a layer's archive.
        entries: in it.
        name_bytes: characters of their names and targets together.
        documents_bytes: of what the layers say about who owns what; one layer keeps at most
            :data:`~wheelship.inspect.scan.documents.DOCUMENTS_BYTES_MAX`. An image with a thousand
            packages has some 20 MB.
    """

    unpacked_bytes: int = 1_000_000_000_000
    entries: int = 5_000_000
    name_bytes: int = 1_000_000_000
    documents_bytes: int = 256_000_000


def read_layer(
    stream: ByteStream,
    layer: SourceLayer,
    *,
    limits: Limits,
    advance: Callable[[int], None],
    emit: Emit,
    where: str,
) -> LayerContent:
    """Read the blob ``stream`` of ``layer`` to its end.

    ``advance`` is called with bytes of the blob; what it raises stops the reading. ``where`` is
    what the user calls the image. Memory does not grow with the layer's bytes, only with its
    entries.

    Raises:
        InvalidLayer: it is damaged, no tar archive, leads out of the image, exceeds ``limits``, or
            hashes to another ``diff_id``.
        UnsupportedLayer: it is compressed in a way that is not read here.
        WheelshipError: whatever reading the blob raises.
    """
    name = f"layer {layer.descriptor.digest}"
    with UnpackedStream(stream) as unpacked:
        reading = _Reading(unpacked, layer, limits, advance, emit)
        try:
            return reading.run()
        except UnknownPacking as error:
            raise UnsupportedLayer(
                f"{name} {error}, which is not read here",
                where=where,
                hint="make the image anew with layers in gzip or zstd",
            ) from error
        except (Undecodable, InvalidHeader, InvalidPath, _Refused) as error:
            raise InvalidLayer(f"{name} {error}", where=where) from error
        except TooShort as error:
            raise InvalidLayer(f"{name} ends inside its tar archive", where=where) from error


class _Refused(ValueError):
    """Something about the layer as a whole; the text goes on a sentence about it."""


class _Reading:
    """The state of reading one layer."""

    def __init__(
        self,
        stream: UnpackedStream,
        layer: SourceLayer,
        limits: Limits,
        advance: Callable[[int], None],
        emit: Emit,
    ) -> None:
        self._stream = stream
        self._layer = layer
        self._limits = limits
        self._advance = advance
        self._emit = emit
        self._told = 0
        self._spans = Spans(stream, self._advanced)
        self._entries: list[Entry] = []
        self._documents: list[tuple[str, bytes]] = []
        self._documents_bytes = self._name_bytes = 0
        self._end = self._blob_end = 0
        self._shared: dict[int, int] = {}

    def run(self) -> LayerContent:
        spans = self._spans
        said, begun = Override(), False
        while (block := spans.block()) and block != _ZEROS:
            header = parse_header(block)
            if header.kind in EXTENDED:
                said, begun = self._said(header, said), True
                continue
            self._entry(header, said)
            said, begun = Override(), False
        if begun:
            raise _Refused("ends behind an extended tar header")
        if not spans.rest_is_zero():
            raise _Refused("has data after the end of its tar archive")
        found = self._stream.digest()
        if found != self._layer.diff_id:
            raise _Refused(
                f"is not what its configuration promises: it unpacks to {found}, "
                f"not to {self._layer.diff_id}"
            )
        total, blob = spans.offset, self._stream.blob_offset
        self._entries.append(
            Entry(_FRAMING, "framing", 0, total - self._end, blob - self._blob_end, 0)
        )
        return LayerContent(
            digest=self._layer.descriptor.digest,
            diff_id=self._layer.diff_id,
            transfer_bytes=blob,
            unpacked_bytes=total,
            entries=tuple(self._entries),
            documents=tuple(self._documents),
        )

    def _said(self, header: Header, said: Override) -> Override:
        if header.size > _EXTENDED_BYTES:
            raise _Refused(f"has an extended tar header that claims {header.size} bytes")
        content = self._spans.take(header.size)
        self._spans.skip(padding_of(header.size))
        return extend(header, content, said)

    def _entry(self, header: Header, said: Override) -> None:
        entry_kind = _KINDS.get(header.kind)
        name = header.name if said.name is None else said.name
        if entry_kind is None:
            raise _Refused(f"has {name[:200]!r}, an entry of type {chr(header.kind)!r}")
        kind, path = placed(plain_path(name), entry_kind)
        target = header.target if said.target is None else said.target
        if kind == "hardlink":
            target = plain_path(target)
        elif kind != "symlink":
            target = ""
        self._name_bytes += len(path) + len(target)
        if len(self._entries) >= self._limits.entries:
            raise _Refused(f"has more than {self._limits.entries} entries")
        if self._name_bytes > self._limits.name_bytes:
            raise _Refused(f"has names of more than {self._limits.name_bytes} bytes")
        size, sha256 = 0, b""
        facts: tuple[Facts, ...] = ()
        if entry_kind == "file":
            stored = header.size if said.size is None else said.size
            if kind == "file":
                size, sha256, facts = self._file(path, header, said, stored)
            else:
                self._spans.skip(stored)
            self._spans.skip(padding_of(stored))
        end = self._spans.offset
        blob_end = self._stream.blob_offset_of(end)
        share = self._share
        self._entries.append(
            Entry(
                path,
                kind,
                share(size),
                share(end - self._end),
                share(blob_end - self._blob_end),
                header.mode,
                share(header.mtime if said.mtime is None else said.mtime),
                sha256,
                target,
                facts,
            )
        )
        self._end, self._blob_end = end, blob_end

    def _file(
        self, path: str, header: Header, said: Override, stored: int
    ) -> tuple[int, bytes, tuple[Facts, ...]]:
        """Read the content; return size, hash and facts.

        The hash of a sparse file is of what is stored, its map in front: writing out what a header
        claims could take days.
        """
        if header.kind == SPARSE or said.sparse:
            size = header.real_size if said.real_size is None else said.real_size
            sparse = hashlib.sha256(b"sparse %d\n%b" % (size, said.sparse))
            more = header.more_sparse
            while more:
                block = self._spans.take(len(_ZEROS))
                sparse.update(block)
                more = continues(block)
            while stored:
                piece = self._spans.first(stored, 1)
                sparse.update(piece)
                stored -= len(piece)
            return size, sparse.digest(), ()
        digest, facts = self._content(path, stored) if stored else (_EMPTY, ())
        if not stored and is_document(path):
            self._documents.append((path, b""))
        return stored, digest, facts

    def _content(self, path: str, size: int) -> tuple[bytes, tuple[Facts, ...]]:
        piece = self._spans.first(size, _HEAD_BYTES)
        looks = looks_at(path, size, piece)
        kept: list[bytes] | None = [] if self._is_kept(path, size) else None
        digest = hashlib.sha256(piece)
        offset = 0
        while True:
            for look in looks:
                look.feed(piece, offset)
            if kept is not None:
                kept.append(piece)
            offset += len(piece)
            if offset == size:
                break
            piece = self._spans.first(size - offset, 1)
            digest.update(piece)
        if kept is not None:
            self._documents.append((path, document_of(path, b"".join(kept))))
        facts = tuple(fact for look in looks if (fact := look.facts()) is not None)
        return digest.digest(), facts

    def _is_kept(self, path: str, size: int) -> bool:
        if not is_document(path):
            return False
        if size > DOCUMENT_BYTES_MAX or self._documents_bytes + size > DOCUMENTS_BYTES_MAX:
            self._emit(
                Warned(
                    "document-too-large",
                    f"/{path} is too large to be read ({size} bytes): what it says about who owns "
                    "which file does not count",
                )
            )
            return False
        self._documents_bytes += size
        return True

    def _advanced(self) -> None:
        if self._stream.end > self._limits.unpacked_bytes:
            raise _Refused(f"unpacks to more than {self._limits.unpacked_bytes} bytes")
        self._advance(self._stream.blob_offset - self._told)
        self._told = self._stream.blob_offset

    def _share(self, value: int) -> int:
        """Return an equal number that is there already: most numbers of a layer occur often."""
        shared = self._shared
        if len(shared) < _SHARED_MAX:
            return shared.setdefault(value, value)
        return shared.get(value, value)
