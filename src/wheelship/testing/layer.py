# SPDX-License-Identifier: Apache-2.0
"""Writes layers from entries, and reads them with the standard library only."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from wheelship.archive.entry import Deflated, Entry
from wheelship.archive.layer import LayerWriter
from wheelship.archive.result import LayerBytes
from wheelship.testing.raw_zip import deflate_raw

__all__ = ["Found", "deflated", "gzip_members", "read_layer", "write_layer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a layer holds under one path; ``kind`` is tar's type flag."""

    path: str
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime: float
    target: str
    data: bytes


def deflated(
    data: bytes,
    *,
    stream: bytes | None = None,
    level: int = 6,
    expected_hash: tuple[str, str] | None = None,
    size_bytes: int | None = None,
    crc32: int | None = None,
) -> Deflated:
    """Return ``data`` as a promised stream; each argument is one way to break the promise."""
    raw = deflate_raw(data, level) if stream is None else stream
    return Deflated(
        read_at=lambda offset, length: raw[offset : offset + length],
        offset=0,
        compressed_bytes=len(raw),
        size_bytes=len(data) if size_bytes is None else size_bytes,
        crc32=zlib.crc32(data) if crc32 is None else crc32,
        expected_hash=expected_hash,
    )


def write_layer(entries: Iterable[Entry]) -> tuple[bytes, LayerBytes]:
    """Return the layer's compressed bytes and what the writer says about them."""
    out = io.BytesIO()
    writer = LayerWriter(out)
    for entry in entries:
        writer.add(entry)
    finished = writer.finish()
    return out.getvalue(), finished


def read_layer(blob: bytes) -> dict[str, Found]:
    """Return the entries by path, in the layer's order."""
    found: dict[str, Found] = {}
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob)), mode="r:") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            found[member.name] = Found(
                path=member.name,
                kind=member.type,
                mode=member.mode,
                uid=member.uid,
                gid=member.gid,
                mtime=member.mtime,
                target=member.linkname,
                data=b"" if stream is None else stream.read(),
            )
    return found


def gzip_members(blob: bytes) -> list[tuple[bytes, bytes]]:
    """Return ``(raw DEFLATE stream, content)`` of each member of a multi-member gzip file."""
    members: list[tuple[bytes, bytes]] = []
    while blob:
        decoder = zlib.decompressobj(-15)
        data = decoder.decompress(blob[10:])
        rest = decoder.unused_data
        members.append((blob[10 : len(blob) - len(rest)], data))
        blob = rest[8:]
    return members
