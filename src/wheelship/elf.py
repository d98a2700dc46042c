# SPDX-License-Identifier: Apache-2.0
"""The parts of ELF files that several readers need (System V ABI, "Object Files").

Only the 64-bit little-endian form is read, which is that of both architectures images are for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "DYNAMIC",
    "ELF",
    "INTERPRETER",
    "LOAD",
    "NEEDED",
    "SONAME",
    "STRING_TABLE",
    "Header",
    "Section",
    "SectionTable",
    "Segment",
    "entries_in",
    "header_of",
    "place_of",
    "section_table_of",
    "sections_in",
    "segments_in",
]

ELF = b"\x7fELF\x02\x01"
"""What such a file begins with."""

LOAD, DYNAMIC, INTERPRETER = 1, 2, 3
"""Kinds of segments: ``PT_LOAD``, ``PT_DYNAMIC`` and ``PT_INTERP``."""

NEEDED, STRING_TABLE, SONAME = 1, 5, 14
"""Tags in the dynamic section: ``DT_NEEDED``, ``DT_STRTAB`` and ``DT_SONAME``."""

_MACHINES = {62: "amd64", 183: "arm64"}  # EM_X86_64, EM_AARCH64
_HEADER = struct.Struct("<16sHHIQQQIHHH")
_SEGMENT = struct.Struct("<IIQQQQ")  # what follows in a row is not needed
_ENTRY = struct.Struct("<qQ")
_SECTION_TABLE = struct.Struct("<16xH22xQ10xHHH")
_SECTION = struct.Struct("<II16xQQ")  # what follows in a row is not needed
_RELOCATABLE, _NO_BITS = 1, 8  # ET_REL, SHT_NOBITS


@dataclass(frozen=True, slots=True)
class Header:
    """The file's header, as far as it is needed.

    ``machine`` is ``amd64``, ``arm64``, or another number as ``machine 40``. ``table`` is the
    offset of the table of segments, which has ``count`` rows of ``size`` bytes.
    """

    machine: str
    table: int
    size: int
    count: int

    @property
    def end(self) -> int:
        """The offset behind the table."""
        return self.table + self.size * self.count


class Segment(NamedTuple):
    """Part of a file: ``size`` bytes from ``offset`` on, which are loaded at ``address``."""

    kind: int
    offset: int
    address: int
    size: int


def header_of(head: bytes) -> Header:
    """Read the header that ``head`` begins with.

    Raises:
        struct.error: it is cut off.
    """
    _, _, number, _, _, table, _, _, _, size, count = _HEADER.unpack_from(head)
    return Header(_MACHINES.get(number, f"machine {number}"), table, size, count)


def segments_in(head: bytes, header: Header) -> Iterator[Segment]:
    """Yield the rows of the table of segments, which is in ``head``; none if they are too short.

    Raises:
        struct.error: it is cut off.
    """
    for row in range(header.count if header.size >= _SEGMENT.size else 0):
        found = _SEGMENT.unpack_from(head, header.table + row * header.size)
        kind, _, offset, address, _, size = found
        yield Segment(kind, offset, address, size)


class SectionTable(NamedTuple):
    """Where a file's table of sections is: ``rows`` of ``size`` bytes at ``offset``.

    ``names`` is the row of the section that holds the names; ``relocatable`` tells that the file
    is not linked yet (``ET_REL``).
    """

    offset: int
    size: int
    rows: int
    names: int
    relocatable: bool

    @property
    def end(self) -> int:
        """The offset behind the table."""
        return self.offset + self.size * self.rows


class Section(NamedTuple):
    """A section: ``size`` bytes of the file from ``offset`` on, none where it takes none there.

    ``name`` is where its name begins in the section of names.
    """

    name: int
    offset: int
    size: int


def section_table_of(head: bytes) -> SectionTable:
    """Read where the sections are from the header that ``head`` begins with.

    Raises:
        struct.error: it is cut off.
    """
    kind, offset, size, count, names = _SECTION_TABLE.unpack_from(head)
    return SectionTable(offset, size, count, names, kind == _RELOCATABLE)


def sections_in(table: bytes, size: int) -> Iterator[Section]:
    """Yield the rows of a table of sections; none if rows of ``size`` bytes are too short."""
    for at in range(0, len(table) - size + 1 if size >= _SECTION.size else 0, size):
        name, kind, offset, length = _SECTION.unpack_from(table, at)
        yield Section(name, offset, 0 if kind == _NO_BITS else length)


def entries_in(section: bytes) -> Iterator[tuple[int, int]]:
    """Yield tag and value of the entries of a dynamic section, up to the one that ends it."""
    for tag, value in _ENTRY.iter_unpack(section[: len(section) // _ENTRY.size * _ENTRY.size]):
        if tag == 0:
            return
        yield tag, value


def place_of(address: int, segments: Iterable[Segment]) -> int | None:
    """Return where in the file lies what is at ``address`` in memory; None where it is nowhere."""
    for one in segments:
        if one.kind == LOAD and one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    return None
