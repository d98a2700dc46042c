# SPDX-License-Identifier: Apache-2.0
"""Undoes zstd (RFC 8878), one block at a time.

The library inflates; what is read here are the lengths that a frame is made of. Handing over one
block at a time bounds what comes back (128 KiB) whatever the block claims, and tells where in the
blob each piece ends. Frames that decoders skip (zstd:chunked keeps its table in one) are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator

import zstandard

from wheelship.archive.blob import BlobInput, Undecodable

__all__ = ["frames"]

_WINDOW_BYTES = 128 * 1024 * 1024
"""What zstd(1) agrees to without being asked; a frame may make its reader hold this much."""

_MAGIC = 0xFD2FB528
_SKIPPABLE = 0x184D2A50
_SKIP_BYTES = 128 * 1024
_RLE = 1
_HAS_CHECKSUM = 4


def frames(source: BlobInput) -> Iterator[tuple[bytes, int]]:
    """Yield unpacked bytes, maybe none, each with the offset in the blob that they reach to.

    Raises:
        Undecodable: a frame is damaged, cut off, needs a dictionary or a larger window, or
            something that is no frame follows.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
    while source.peek(1):
        magic = int.from_bytes(source.need(4), "little")
        if magic == _MAGIC:
            yield from _frame(source, decompressor.decompressobj())
        elif magic & 0xFFFFFFF0 == _SKIPPABLE:
            left = int.from_bytes(source.need(8)[4:], "little")
            source.skip(8)
            while left:
                source.need(1)
                size = len(source.some(min(left, _SKIP_BYTES)))
                source.skip(size)
                left -= size
            yield b"", source.offset
        else:
            raise Undecodable("has something behind its zstd stream")


def _frame(
    source: BlobInput, decoder: zstandard.ZstdDecompressionObj
) -> Iterator[tuple[bytes, int]]:
    head = source.need(5)[4]
    size = _header_bytes(head)
    _decoded(source, decoder, size)
    checksum = 4 if head & _HAS_CHECKSUM else 0
    last = False
    while not last:
        block = int.from_bytes(source.need(3), "little")
        last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        size = 3 + (1 if kind == _RLE else size) + (checksum if last else 0)
        yield _decoded(source, decoder, size), source.offset
    if not decoder.eof:
        raise Undecodable("has a damaged zstd stream: a frame goes on behind its last block")


def _header_bytes(descriptor: int) -> int:
    """Return how many bytes a frame's header has, magic included (RFC 8878, 3.1.1.1)."""
    single = descriptor >> 5 & 1
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (single, 2, 4, 8)[descriptor >> 6]
    return 4 + 1 + (1 - single) + dictionary + content


def _decoded(source: BlobInput, decoder: zstandard.ZstdDecompressionObj, size: int) -> bytes:
    piece = source.need(size)
    try:
        data = decoder.decompress(piece)
    except zstandard.ZstdError as error:
        raise Undecodable(f"cannot be unpacked: {error}") from error
    source.skip(size)
    return data
