# SPDX-License-Identifier: Apache-2.0
"""What a compiled file needs of the system it is loaded on (ELF, "Dynamic Linking").

Only the 64-bit little-endian form is read, which is that of both architectures images are for.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from wheelship.elf import (
    DYNAMIC,
    ELF,
    NEEDED,
    SONAME,
    STRING_TABLE,
    Segment,
    entries_in,
    header_of,
    place_of,
    segments_in,
)

__all__ = ["Needs", "read_needs"]

_VERNEED, _VERNEED_COUNT = 0x6FFFFFFE, 0x6FFFFFFF
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
    if not data.startswith(ELF):
        return None
    try:
        header = header_of(data)
        segments = list(segments_in(data, header))
        rows = list(_dynamic(data, segments))
        table = dict(rows)
        strings = place_of(table.get(STRING_TABLE, 0), segments) or 0
        libraries = [_text(data, strings + value) for tag, value in rows if tag == NEEDED]
        soname = next((_text(data, strings + value) for tag, value in rows if tag == SONAME), "")
        versions = _versions(
            data,
            place_of(table.get(_VERNEED, 0), segments) or 0,
            min(table.get(_VERNEED_COUNT, 0), _ROWS),
            strings,
        )
        minors = [int(match[1]) for one in versions if (match := _GLIBC.fullmatch(one))]
    except (struct.error, ValueError, OverflowError):
        return None
    return Needs(
        machine=header.machine,
        soname=soname,
        libraries=tuple(libraries),
        glibc_minor=max(minors, default=0),
    )


def _dynamic(data: bytes, segments: list[Segment]) -> Iterator[tuple[int, int]]:
    for one in segments:
        if one.kind == DYNAMIC:
            section = data[one.offset : one.offset + min(one.size, 16 * _ROWS)]
            if len(section) < min(one.size, 16 * _ROWS):
                raise ValueError("the file is cut off")
            yield from entries_in(section)


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
