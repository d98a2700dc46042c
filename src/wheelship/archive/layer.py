# SPDX-License-Identifier: Apache-2.0
"""Writes entries as one compressed layer in one pass, splicing DEFLATE streams it is handed.

A layer is a sequence of gzip members. Tar headers, padding and small files are gathered into runs
of a mebibyte and compressed by the pinned codec; each larger deflated file becomes a member
of its own around its original, untouched DEFLATE stream (DESIGN §2). The same pass computes the
digest, the diff_id and every file's SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from wheelship.archive import gzip, tar
from wheelship.archive.entry import Deflated, Directory, Entry, File, InMemory
from wheelship.archive.errors import ContentMismatch, DuplicatePath, WhiteoutName
from wheelship.archive.inflate import inflate, inflate_all
from wheelship.archive.result import IndexRow, LayerBytes
from wheelship.oci.digest import Digest

__all__ = ["LayerWriter", "with_parents"]

SPLICE_MIN_BYTES = 64 * 1024
"""Smaller files are cheaper recompressed together: torch has 11 900 of them, 14 MB in its wheel."""

_RUN_BYTES = 1024 * 1024


class LayerWriter:
    """Turns entries into the bytes of one layer.

    ``advance`` is called with the number of compressed bytes written since the last call. The
    writer holds at most one run (1 MiB) and one small file in memory.
    """

    def __init__(self, sink: BinaryIO, advance: Callable[[int], None] | None = None) -> None:
        gzip.require_codec()
        self._sink = sink
        self._advance = advance
        self._run = bytearray()
        self._blob_hash = hashlib.sha256()
        self._tar_hash = hashlib.sha256()
        self._blob_bytes = 0
        self._tar_bytes = 0
        self._rows: list[IndexRow] = []
        self._paths: set[str] = set()

    def add(self, entry: Entry) -> None:
        """Append ``entry``.

        Raises:
            DuplicatePath: the layer holds its path already.
            WhiteoutName: engines would take its name for an order to delete (image-spec).
            ContentMismatch: its content is not what was promised.
        """
        if entry.path in self._paths:
            raise DuplicatePath(f"two files claim /{entry.path}", where=entry.path)
        if entry.path.startswith(".wh.") or "/.wh." in entry.path:
            raise WhiteoutName(f"/{entry.path} would delete what lies below it", where=entry.path)
        self._paths.add(entry.path)
        self._raw(tar.header(entry))
        size, sha256 = 0, ""
        if isinstance(entry, File):
            size = entry.content.size_bytes
            sha256 = self._content(entry)
            self._raw(tar.padding(size))
        self._rows.append(IndexRow(entry.path, entry.mode, size, sha256))

    def finish(self) -> LayerBytes:
        """Write the end of the archive and return what the layer turned out to be."""
        self._raw(tar.END)
        self._flush()
        return LayerBytes(
            digest=Digest(self._blob_hash.hexdigest()),
            diff_id=Digest(self._tar_hash.hexdigest()),
            size_bytes=self._blob_bytes,
            unpacked_bytes=self._tar_bytes,
            index=tuple(self._rows),
        )

    def _content(self, entry: File) -> str:
        content = entry.content
        if isinstance(content, InMemory):
            self._raw(content.data)
            return hashlib.sha256(content.data).hexdigest()
        if isinstance(content, Deflated):
            if content.size_bytes >= SPLICE_MIN_BYTES:
                return self._splice(content, entry.path)
            data = inflate_all(content, entry.path)
            self._raw(data)
            sha256 = hashlib.sha256(data)
            _check(content, entry.path, sha256, [data])
            return sha256.hexdigest()
        sha256, size = hashlib.sha256(), 0
        for piece in content.open():
            self._raw(piece)
            sha256.update(piece)
            size += len(piece)
        if size != content.size_bytes:
            raise ContentMismatch(
                f"promised {content.size_bytes} bytes, got {size}", where=entry.path
            )
        return sha256.hexdigest()

    def _splice(self, content: Deflated, path: str) -> str:
        self._flush()
        self._write(gzip.HEADER)
        sha256 = hashlib.sha256()
        other = _other_hash(content)
        for raw, data in inflate(content, path):
            if raw:
                self._write(raw)
            sha256.update(data)
            if other is not None:
                other.update(data)
            self._tar_hash.update(data)
        self._tar_bytes += content.size_bytes
        self._write(gzip.trailer(content.crc32, content.size_bytes))
        _compare(content, path, sha256 if other is None else other)
        return sha256.hexdigest()

    def _raw(self, data: bytes) -> None:
        """Append to the run; runs end at fixed lengths, however the data came in pieces."""
        self._run += data
        while len(self._run) >= _RUN_BYTES:
            self._compress(self._run[:_RUN_BYTES])
            del self._run[:_RUN_BYTES]

    def _flush(self) -> None:
        if self._run:
            self._compress(self._run)
            self._run.clear()

    def _compress(self, run: bytearray) -> None:
        self._tar_hash.update(run)
        self._tar_bytes += len(run)
        self._write(gzip.member(run))

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._blob_hash.update(data)
        self._blob_bytes += len(data)
        if self._advance is not None:
            self._advance(len(data))


def with_parents(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield ``entries`` in their order, each after those parent directories not yielded yet.

    A layer without them unpacks to directories of any mode (traps §1.1), and a parent's entry must
    not depend on what other layers hold, so that shared layers stay shared (peers §8).
    """
    seen: set[str] = set()
    for entry in entries:
        at = entry.path.find("/")
        while at >= 0:
            parent = entry.path[:at]
            if parent not in seen:
                seen.add(parent)
                yield Directory(path=parent)
            at = entry.path.find("/", at + 1)
        if isinstance(entry, Directory):
            if entry.path in seen:
                continue
            seen.add(entry.path)
        yield entry


def _other_hash(content: Deflated) -> hashlib._Hash | None:
    """Return a fresh hash of the promised algorithm when that is not SHA-256."""
    if content.expected_hash is None or content.expected_hash[0] == "sha256":
        return None
    return hashlib.new(content.expected_hash[0])


def _check(content: Deflated, path: str, sha256: hashlib._Hash, pieces: list[bytes]) -> None:
    other = _other_hash(content)
    if other is not None:
        for piece in pieces:
            other.update(piece)
    _compare(content, path, sha256 if other is None else other)


def _compare(content: Deflated, path: str, found: hashlib._Hash) -> None:
    if content.expected_hash is not None and found.hexdigest() != content.expected_hash[1]:
        algorithm, expected = content.expected_hash
        raise ContentMismatch(
            f"its {algorithm} is {found.hexdigest()}, promised was {expected}", where=path
        )
