# SPDX-License-Identifier: Apache-2.0
"""Gzip members (RFC 1952) around DEFLATE streams, made here or taken over verbatim.

Everything that is not spliced is compressed by exactly one library at one level: libdeflate's
output depends on neither the processor nor the number of threads, and ``pyproject.toml`` pins the
package that carries it. :data:`wheelship.archive.result.CODEC` names both in every layer key.
"""

from __future__ import annotations

import struct
from functools import cache

import deflate
from zlib_ng import zlib_ng

from wheelship.archive.result import DEFLATE_LEVEL, DEFLATE_VERSION
from wheelship.errors import MachineError

__all__ = ["HEADER", "CodecMismatch", "member", "require_codec", "trailer"]

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""No flags (some lazy-pulling readers assume ten bytes, traps §2.4), no time, unknown system."""


class CodecMismatch(MachineError):
    """The installed compressor is not the pinned one, so equal inputs would give other bytes."""

    code = "codec-mismatch"


@cache
def require_codec() -> None:
    """Make sure that the codec's name tells the truth, before the first layer is written.

    Raises:
        CodecMismatch: another version of the compressor is installed.
    """
    from importlib.metadata import version

    found = version("deflate")
    if found != DEFLATE_VERSION:
        raise CodecMismatch(
            f"layers are compressed by deflate {DEFLATE_VERSION}, but {found} is installed",
            hint=f"python -m pip install deflate=={DEFLATE_VERSION}",
        )


def trailer(crc32: int, size_bytes: int) -> bytes:
    """Return what follows the DEFLATE stream of a member."""
    return struct.pack("<II", crc32, size_bytes & 0xFFFFFFFF)


def member(data: bytes | bytearray) -> bytes:
    """Compress ``data`` into one complete member."""
    body = bytes(deflate.deflate_compress(data, DEFLATE_LEVEL))
    return HEADER + body + trailer(zlib_ng.crc32(data), len(data))
