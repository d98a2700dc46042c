# SPDX-License-Identifier: Apache-2.0
"""Makes shared libraries that say what they are linked to, and hold nothing else of use."""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = ["make_library"]

_BASE = 0x400000


def make_library(
    *needed: str, mentioned: Sequence[str] = (), filling: bytes = b"", names_last: bool = False
) -> bytes:
    """Return a 64-bit library linked to ``needed``.

    ``mentioned`` are names that stand in it without being linked, as those of libraries that are
    loaded on demand do; ``filling`` stands between names and dynamic section. ``names_last`` puts
    the string table behind the dynamic section, as patchelf does.
    """
    table = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    offsets = [1 + sum(len(name) + 1 for name in needed[:at]) for at in range(len(needed))]
    begin = 64 + 2 * 56
    loose = b"".join(name.encode() + b"\0" for name in mentioned)
    before = b"" if names_last else table
    dynamic_at = begin + len(before) + len(loose) + len(filling)
    dynamic_bytes = 16 * (len(needed) + 2)
    table_at = dynamic_at + dynamic_bytes if names_last else begin
    rows = [(1, offset) for offset in offsets] + [(5, _BASE + table_at), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *row) for row in rows)
    body = before + loose + filling + dynamic + (table if names_last else b"")
    size = begin + len(body)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01".ljust(16, b"\0"),
        *(3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0),
    )
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 4096)
    place = _BASE + dynamic_at
    section = struct.pack(
        "<IIQQQQQQ", 2, 6, dynamic_at, place, place, dynamic_bytes, dynamic_bytes, 8
    )
    return header + load + section + body
