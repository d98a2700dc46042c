# SPDX-License-Identifier: Apache-2.0
"""Reading a promised DEFLATE stream: bounded, and refused unless it is exactly as promised.

A stream that is accepted here is spliced into a layer, so it must be one that every engine accepts.
zlib-ng refuses what zlib refuses; faster readers (isal) take incomplete Huffman codes, with which a
crafted wheel would make a layer that no engine can unpack.
"""

from __future__ import annotations

from collections.abc import Iterator

from zlib_ng import zlib_ng

from wheelship.archive.entry import Deflated
from wheelship.archive.errors import ContentMismatch

__all__ = ["inflate", "inflate_all"]

_RAW = -15
_IN_BYTES = 128 * 1024
_OUT_BYTES = 256 * 1024
"""Pieces that stay in the processor's cache until all hashes have seen them: with 1 MiB, and the
page faults of allocating that anew each time, inflating cost a fifth more."""


def inflate(content: Deflated, path: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield ``(compressed, inflated)`` pieces of at most 128 KiB and 256 KiB.

    A compressed piece is empty when one read inflates into several pieces.

    Raises:
        ContentMismatch: the stream does not end exactly at ``compressed_bytes``, or its size or
            CRC-32 is not the promised one. Pieces yielded before are then worthless.
    """
    decoder = zlib_ng.decompressobj(_RAW)
    offset, left = content.offset, content.compressed_bytes
    size = crc = 0
    ended = False
    while left:
        raw = content.read_at(offset, min(_IN_BYTES, left))
        if not raw or ended:
            raise ContentMismatch("its DEFLATE stream ends before its member does", where=path)
        offset += len(raw)
        left -= len(raw)
        feed, more = raw, True
        while more:
            try:
                data = decoder.decompress(feed, _OUT_BYTES)
            except zlib_ng.error as error:
                why = f"has a damaged DEFLATE stream: {error}"
                raise ContentMismatch(why, where=path) from error
            size += len(data)
            if size > content.size_bytes:
                raise ContentMismatch(
                    f"inflates to more than the promised {content.size_bytes} bytes", where=path
                )
            crc = zlib_ng.crc32(data, crc)
            yield raw, data
            raw, feed = b"", decoder.unconsumed_tail
            # Output may be kept back although all input was taken: a full piece means more.
            ended = decoder.eof
            more = not ended and (bool(feed) or len(data) == _OUT_BYTES)
    if not ended or decoder.unused_data:
        raise ContentMismatch("its DEFLATE stream does not end where its member ends", where=path)
    if size != content.size_bytes or crc != content.crc32:
        raise ContentMismatch(
            f"has {size} bytes with CRC-32 {crc:08x}, promised were "
            f"{content.size_bytes} bytes with {content.crc32:08x}",
            where=path,
        )


def inflate_all(content: Deflated, path: str) -> bytes:
    """Return the whole content of a small stream.

    Raises:
        ContentMismatch: as for :func:`inflate`.
    """
    return b"".join(data for _, data in inflate(content, path))
