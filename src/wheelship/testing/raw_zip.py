# SPDX-License-Identifier: Apache-2.0
"""Makes zip archives byte by byte, so that any of their fields can lie (APPNOTE 6.3.10)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["RawMember", "deflate_raw", "raw_zip", "zip64_end", "zip64_extra"]

_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_STORED, _DEFLATED = 0, 8
_DATE = 33  # 1980-01-01, MS-DOS


def deflate_raw(data: bytes, level: int = 6) -> bytes:
    """Compress ``data`` into one raw DEFLATE stream with the standard library."""
    codec = zlib.compressobj(level, zlib.DEFLATED, -15)
    return codec.compress(data) + codec.flush()


def zip64_extra(*numbers: int) -> bytes:
    """Return a ZIP64 extra field that holds ``numbers``."""
    return struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


def zip64_end(count: int, length: int, start: int, *, at: int | None = None) -> bytes:
    """Return a ZIP64 end record and its locator; ``at`` is where the locator says the record is."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    where = start + length if at is None else at
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, where, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMember:
    """One member, honest unless told otherwise.

    Attributes:
        stream: stands in the archive instead of ``data`` compressed by ``method``.
        local / central: fields that lie there: ``flags``, ``method``, ``crc``, ``packed``,
            ``size``, ``offset``, ``disk``, ``made_by``, ``attributes``.
        local_name: another name in the local header.
        before / after: bytes before the local header and after the data (a data descriptor).
    """

    name: bytes = b"a.txt"
    data: bytes = b"content\n"
    method: int = _DEFLATED
    flags: int = 0
    stream: bytes | None = None
    mode: int = 0o100644
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    local_extra: bytes = b""
    extra: bytes = b""
    comment: bytes = b""
    before: bytes = b""
    after: bytes = b""

    @property
    def packed(self) -> bytes:
        """The bytes that stand in the archive."""
        if self.stream is not None:
            return self.stream
        return deflate_raw(self.data) if self.method == _DEFLATED else self.data

    def fields(self, offset: int) -> dict[str, int]:
        """Return the true fields."""
        return {
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.data),
            "packed": len(self.packed),
            "size": len(self.data),
            "offset": offset,
            "disk": 0,
            "made_by": 3 << 8 | 20,
            "attributes": self.mode << 16,
        }


def raw_zip(
    members: Sequence[RawMember],
    *,
    before_directory: bytes = b"",
    before_end: bytes | None = None,
    end: Mapping[str, int] | None = None,
    comment: bytes = b"",
) -> bytes:
    """Return the archive; ``end`` overrides ``disk``, ``count``, ``length`` and ``start``.

    ``before_end`` stands between the directory and the end record (ZIP64 records).
    """
    out = bytearray()
    directory = bytearray()
    for member in members:
        out += member.before
        offset = len(out)
        out += _local(member, {**member.fields(offset), **member.local})
        directory += _row(member, {**member.fields(offset), **member.central})
    out += before_directory
    fields = {
        "disk": 0,
        "here": len(members),
        "count": len(members),
        "length": len(directory),
        "start": len(out),
        "comment": len(comment),
    }
    fields |= end or {}
    out += directory + (before_end or b"")
    out += _END.pack(
        b"PK\x05\x06",
        fields["disk"],
        fields["disk"],
        fields["here"],
        fields["count"],
        fields["length"],
        fields["start"],
        fields["comment"],
    )
    return bytes(out) + comment


def _local(member: RawMember, fields: Mapping[str, int]) -> bytes:
    name = member.name if member.local_name is None else member.local_name
    head = _LOCAL.pack(
        b"PK\x03\x04",
        20,
        fields["flags"],
        fields["method"],
        0,
        _DATE,
        fields["crc"],
        fields["packed"],
        fields["size"],
        len(name),
        len(member.local_extra),
    )
    return head + name + member.local_extra + member.packed + member.after


def _row(member: RawMember, fields: Mapping[str, int]) -> bytes:
    head = _CENTRAL.pack(
        b"PK\x01\x02",
        fields["made_by"],
        20,
        fields["flags"],
        fields["method"],
        0,
        _DATE,
        fields["crc"],
        fields["packed"],
        fields["size"],
        len(member.name),
        len(member.extra),
        len(member.comment),
        fields["disk"],
        0,
        fields["attributes"],
        fields["offset"],
    )
    return head + member.name + member.extra + member.comment
