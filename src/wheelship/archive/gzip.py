# SPDX-License-Identifier: Apache-2.0
"""Gzip members (RFC 1952) around DEFLATE streams, made here or taken over verbatim.

Everything that is not spliced is compressed by exactly one library at one level: libdeflate's
output depends on neither the processor nor the number of threads, and ``pyproject.toml`` pins the
package that carries it. ``CODEC`` names both and is part of every layer key.
"""

from __future__ import annotations

import struct
from functools import cache

import deflate
from isal import isal_zlib

from wheelship.errors import MachineError

__all__ = ["CODEC", "HEADER", "CodecMismatch", "member", "require_codec", "trailer"]

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""No flags (some lazy-pulling readers assume ten bytes, traps §2.4), no time, unknown system."""

_LEVEL = 6
_PACKAGE_VERSION = "0.9.0"

CODEC = f"splice-gzip/deflate-{_PACKAGE_VERSION}-{_LEVEL}"
"""Names the way layer bytes are made; a change of it changes every layer key."""


class CodecMismatch(MachineError):
    """The installed compressor is not the pinned one, so equal inputs would give other bytes."""

    code = "codec-mismatch"


@cache
def require_codec() -> None:
    """Make sure that ``CODEC`` tells the truth, before the first layer is written.

    Raises:
        CodecMismatch: another version of the compressor is installed.
    """
    from importlib.metadata import version

    found = version("deflate")
    if found != _PACKAGE_VERSION:
        raise CodecMismatch(
            f"layers are compressed by deflate {_PACKAGE_VERSION}, but {found} is installed",
            hint=f"python -m pip install deflate=={_PACKAGE_VERSION}",
        )


def trailer(crc32: int, size_bytes: int) -> bytes:
    """Return what follows the DEFLATE stream of a member."""
    return struct.pack("<II", crc32, size_bytes & 0xFFFFFFFF)


def member(data: bytes | bytearray) -> bytes:
    """Compress ``data`` into one complete member."""
    body = bytes(deflate.deflate_compress(data, _LEVEL))
    return HEADER + body + trailer(isal_zlib.crc32(data), len(data))
