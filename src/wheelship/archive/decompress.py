# SPDX-License-Identifier: Apache-2.0
"""Undoes a layer blob's compression, forward only, in pieces of bounded size.

What a blob is packed with is told by its first bytes, as every engine tells it, and not by a media
type that somebody wrote: gzip (RFC 1952) of any number of members, zstd (RFC 8878) of any number of
frames, or nothing. Every piece comes with where in the blob it ends, which is how a share of the
compressed bytes can be told for whatever lies inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from zlib_ng import zlib_ng

from wheelship.archive.blob import BlobInput, ByteStream, Undecodable, UnknownPacking

__all__ = ["Batch", "batches"]

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_FOREIGN = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x04\x22\x4d\x18": "lz4"}
_MAGIC_BYTES = 6

_MEMBER = 31
"""For zlib: one gzip member, header and checksum included."""

_IN_FIRST_BYTES = 4 * 1024
_IN_BYTES = 128 * 1024
_OUT_BYTES = 256 * 1024
_BATCH_BYTES = 256 * 1024
_MARKS_MAX = 4096


class Batch(NamedTuple):
    """The next bytes of what is inside.

    ``marks`` are pairs of an offset inside and the offset in the blob that belongs to it: one at
    the end of each gzip member or zstd frame, and as many between as there were pieces. The last
    inside offset is the end of ``data``, unless the batch has no data at all.
    """

    data: bytes
    marks: tuple[tuple[int, int], ...]


def batches(stream: ByteStream) -> Iterator[Batch]:
    """Yield what ``stream`` holds, unpacked, about 256 KiB at a time and never above 768 KiB.

    Raises:
        Undecodable: the compressed data is damaged, cut off, or followed by something else.
        UnknownPacking: it is compressed in a way that is not read here.
    """
    parts: list[bytes] = []
    marks: list[tuple[int, int]] = []
    inside = held = 0
    for data, blob in _pieces(BlobInput(stream)):
        if data:
            parts.append(data)
            inside += len(data)
            held += len(data)
        if len(marks) > 1 and marks[-1][0] == marks[-2][0] == inside:
            marks.pop()  # of many empty members the first and the last beginning are enough
        marks.append((inside, blob))
        if held >= _BATCH_BYTES or len(marks) >= _MARKS_MAX:
            yield Batch(parts[0] if len(parts) == 1 else b"".join(parts), tuple(marks))
            parts, marks, held = [], [], 0
    if marks:
        yield Batch(b"".join(parts), tuple(marks))


def _pieces(source: BlobInput) -> Iterator[tuple[bytes, int]]:
    """Yield unpacked bytes, maybe none, each with the offset in the blob that they reach to."""
    magic = bytes(source.peek(_MAGIC_BYTES))
    if magic.startswith(_GZIP):
        return _gzip(source)
    if magic.startswith(_ZSTD) or _SKIPPABLE.match(magic):
        from wheelship.archive.zstd import frames  # its library is loaded by who needs it

        return frames(source)
    for first, name in _FOREIGN.items():
        if magic.startswith(first):
            raise UnknownPacking(f"is compressed with {name}")
    return _plain(source)


def _plain(source: BlobInput) -> Iterator[tuple[bytes, int]]:
    while data := bytes(source.some(_OUT_BYTES)):
        source.skip(len(data))
        yield data, source.offset


def _gzip(source: BlobInput) -> Iterator[tuple[bytes, int]]:
    while True:
        yield from _member(source)
        # gzip(1) takes zeros for the padding of a tape; everything else must be a member.
        while (rest := source.some(_IN_BYTES)) and not rest[0]:
            source.skip(len(rest) - len(bytes(rest).lstrip(b"\0")))
            yield b"", source.offset
        if not rest:
            return
        if bytes(source.peek(len(_GZIP))) != _GZIP:
            raise Undecodable("has something behind its gzip stream")


def _member(source: BlobInput) -> Iterator[tuple[bytes, int]]:
    decoder = zlib_ng.decompressobj(_MEMBER)
    # zlib hands back a copy of what it was given too much: members may be tiny.
    step = _IN_FIRST_BYTES
    held, place = b"", source.offset
    while not decoder.eof:
        feed = source.some(step)
        if not feed:
            raise Undecodable("ends inside its gzip stream")
        try:
            data = decoder.decompress(feed, _OUT_BYTES)
        except zlib_ng.error as error:
            raise Undecodable(f"cannot be inflated: {error}") from error
        # At the end zlib may leave the tail of an earlier call standing.
        left = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        source.skip(len(feed) - len(left))
        step = min(step * 2, _IN_BYTES)
        if data and held:
            yield held, place
        # Where only the checksum was left to be read, it belongs to the data before it.
        held, place = data or held, source.offset
    yield held, place
