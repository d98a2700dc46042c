# SPDX-License-Identifier: Apache-2.0
"""What a compiled file needs of the system it is loaded on (ELF, "Dynamic Linking").

Only the 64-bit little-endian form is read, which is that of both architectures images are for.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Needs", "read_needs"]

_MAGIC = b"\x7fELF\x02\x01"
_MACHINES = {62: "amd64", 183: "arm64"}  # EM_X86_64, EM_AARCH64
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRINGS, _SONAME, _VERNEED, _VERNEED_COUNT = 1, 5, 14, 0x6FFFFFFE, 0x6FFFFFFF
_GLIBC = re.compile(r"GLIBC_2\.(\d{1,3})(?:\.\d+)?")
_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Facts about one file.

    Attributes:
        machine: ``amd64``, ``arm64`` or ``machine 40``.
        soname: its own name as a library; empty where it has none.
        libraries: names of those it needs (DT_NEEDED).
        glibc_minor: the newest minor version of glibc 2 that a symbol of it asks for; 0 for none.
    """

    machine: str
    soname: str = ""
    libraries: tuple[str, ...] = ()
    glibc_minor: int = 0


def read_needs(data: bytes) -> Needs | None:
    """Return what ``data`` needs; None where it is no such file, or cannot be made sense of."""
    if not data.startswith(_MAGIC):
        return None
    try:
        header = _HEADER.unpack_from(data)
        machine = _MACHINES.get(header[2], f"machine {header[2]}")
        segments = list(_segments(data, header[5], header[9], header[10]))
        rows = list(_dynamic(data, segments))
        strings = _place(segments, dict(rows).get(_STRINGS, 0))
        libraries = [_text(data, strings + value) for tag, value in rows if tag == _NEEDED]
        soname = next((_text(data, strings + value) for tag, value in rows if tag == _SONAME), "")
        table = dict(rows)
        versions = _versions(
            data,
            _place(segments, table.get(_VERNEED, 0)),
            min(table.get(_VERNEED_COUNT, 0), _ROWS),
            strings,
        )
        minors = [int(match[1]) for one in versions if (match := _GLIBC.fullmatch(one))]
    except (struct.error, ValueError, OverflowError):
        return None
    return Needs(
        machine=machine,
        soname=soname,
        libraries=tuple(libraries),
        glibc_minor=max(minors, default=0),
    )


def _segments(data: bytes, at: int, size: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield kind, offset in the file, address in memory, and length in the file."""
    for row in range(count):
        kind, _, offset, address, _, length, _, _ = _SEGMENT.unpack_from(data, at + row * size)
        yield kind, offset, address, length


def _dynamic(data: bytes, segments: list[tuple[int, int, int, int]]) -> Iterator[tuple[int, int]]:
    for kind, offset, _, length in segments:
        if kind == _DYNAMIC:
            for at in range(offset, offset + min(length, 16 * _ROWS) - 15, 16):
                tag, value = struct.unpack_from("<qQ", data, at)
                if tag == 0:
                    return
                yield tag, value


def _place(segments: list[tuple[int, int, int, int]], address: int) -> int:
    """Return where in the file lies what is at ``address`` in memory."""
    for kind, offset, start, length in segments:
        if kind == _LOAD and start <= address < start + length:
            return address - start + offset
    return 0


def _versions(data: bytes, at: int, count: int, strings: int) -> Iterator[str]:
    """Yield the names of the symbol versions that are needed ("Version Requirements")."""
    for _ in range(count if at else 0):
        _, entries, _, first, following = struct.unpack_from("<HHIII", data, at)
        entry = at + first
        for _ in range(entries):
            _, _, _, name, step = struct.unpack_from("<IHHII", data, entry)
            yield _text(data, strings + name)
            entry += step
        at += following


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "replace")
