# SPDX-License-Identifier: Apache-2.0
"""Writes a zip archive (APPNOTE 6.3.10) whose bytes depend on its members alone.

``zipfile`` compresses with whatever zlib Python was linked to, which differs from machine to
machine; here the pinned compressor of the layers does it, so that equal files are equal archives.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import deflate
from zlib_ng import zlib_ng

from wheelship.archive.errors import InvalidZip
from wheelship.archive.gzip import require_codec
from wheelship.archive.result import DEFLATE_LEVEL

__all__ = ["ZipMember", "write_zip"]

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_NEEDS, _MADE_ON_UNIX = 20, 3 << 8 | 20
_DATE = 1 << 5 | 1  # 1 January 1980, the first day that zip can write
_DEFLATED = 8
_UTF8 = 0x0800
_REGULAR = 0o100000
_MEMBERS, _BYTES = 0xFFFF, 0xFFFFFFFF  # one more, and ZIP64 would be needed


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """A file to be written: ``mode`` holds its permission bits."""

    name: str
    data: bytes
    mode: int


def write_zip(stream: BinaryIO, members: Iterable[ZipMember]) -> None:
    """Write ``members`` in their order; one at a time is held in memory.

    Raises:
        InvalidZip: there are 65 535 members or more, or 4 GiB.
        CodecMismatch: another compressor than the pinned one is installed.
    """
    require_codec()
    directory: list[bytes] = []
    offset = 0
    for member in members:
        packed = bytes(deflate.deflate_compress(member.data, DEFLATE_LEVEL))
        name = member.name.encode()
        flags = 0 if name.isascii() else _UTF8
        crc = zlib_ng.crc32(member.data)
        end = offset + _LOCAL.size + len(name) + len(packed)
        if max(end, len(member.data)) >= _BYTES or len(directory) + 1 >= _MEMBERS:
            raise InvalidZip("would be too large for a zip archive", where=member.name)
        common = (flags, _DEFLATED, 0, _DATE, crc, len(packed), len(member.data), len(name), 0)
        stream.write(_LOCAL.pack(b"PK\x03\x04", _NEEDS, *common) + name)
        stream.write(packed)
        attributes = (_REGULAR | member.mode) << 16
        row = (b"PK\x01\x02", _MADE_ON_UNIX, _NEEDS, *common, 0, 0, 0, attributes, offset)
        directory.append(_CENTRAL.pack(*row) + name)
        offset = end
    rows = b"".join(directory)
    count = len(directory)
    stream.write(rows + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(rows), offset, 0))
