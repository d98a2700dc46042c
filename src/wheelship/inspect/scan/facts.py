# SPDX-License-Identifier: Apache-2.0
"""What a file's content tells about it, found while its bytes pass by."""

from __future__ import annotations

import struct
from typing import Protocol

from wheelship.elf import ELF, SectionTable, section_table_of, sections_in
from wheelship.inspect.model import DebugFacts, DeviceFacts, Facts, PycFacts
from wheelship.wheel.fatbin import FatbinReader
from wheelship.wheel.offload import OffloadReader

__all__ = ["Look", "looks_at"]

_PYC = struct.Struct("<H2sIII")
_PYC_MAGIC_END = b"\r\n"
_HASHED = 1

_ELF_HEADER_BYTES = 64
_DEVICE_SMALLEST_BYTES = 256 * 1024
"""As in builds: a smaller library holds no code for GPUs worth speaking of."""

_NAMES_BYTES = 64 * 1024
_TABLE_BYTES_MAX = 256 * 1024
_DEBUG = (b".debug_", b".zdebug_")
_SYMBOLS = (b".symtab", b".strtab")

_BUNDLE = b"__CLANG_OFFLOAD_BUNDLE__"
_COMPRESSED_BUNDLE = b"CCOB"
_PAGE_BYTES = 4096


class Look(Protocol):
    """Looks at the content of one file."""

    def feed(self, data: bytes, offset: int, /) -> None:
        """Take the next piece, which begins at ``offset`` of the file."""

    def facts(self) -> Facts | None:
        """Return what was found, when all pieces were fed."""


def looks_at(path: str, size_bytes: int, head: bytes) -> list[Look]:
    """Return who wants to see the file, by what it begins with; mostly nobody."""
    if head.startswith(ELF) and size_bytes >= _ELF_HEADER_BYTES <= len(head):
        looks: list[Look] = [_DebugLook(section_table_of(head), size_bytes)]
        if size_bytes >= _DEVICE_SMALLEST_BYTES:
            looks.append(_DeviceLook())
        return looks
    if path.endswith(".pyc"):
        return [_PycLook()]
    return []


class _PycLook:
    """Reads the header of a bytecode file (PEP 552)."""

    def __init__(self) -> None:
        self._facts: PycFacts | None = None

    def feed(self, data: bytes, offset: int) -> None:
        if offset or len(data) < _PYC.size:
            return
        magic, end, flags, mtime, size = _PYC.unpack_from(data)
        if end != _PYC_MAGIC_END:
            return
        hashed = bool(flags & _HASHED)
        self._facts = PycFacts(magic, hashed, 0 if hashed else mtime, 0 if hashed else size)

    def facts(self) -> PycFacts | None:
        return self._facts


class _Range:
    """Keeps a range of a file that comes in pieces."""

    def __init__(self, begin: int, end: int) -> None:
        self.begin = max(0, begin)
        self.end = end
        self._data = bytearray()

    def feed(self, data: bytes, offset: int) -> None:
        if offset < self.end and offset + len(data) > self.begin:
            self._data += data[max(0, self.begin - offset) : self.end - offset]

    def slice(self, begin: int, end: int) -> bytes | None:
        """Return what the file has there, or None where that was not kept."""
        if self.begin <= begin <= end <= self.begin + len(self._data):
            return bytes(self._data[begin - self.begin : end - self.begin])
        return None


class _DebugLook:
    """Adds up the sections that only debuggers read.

    The table of sections, and their names, stand at the end of a file unless a tool has rewritten
    it; then the names mostly stand before the table. Where they do not, nothing is said.
    """

    def __init__(self, table: SectionTable, size_bytes: int) -> None:
        self._table = table
        size = min(table.end, size_bytes) - table.offset
        known = 0 < size <= _TABLE_BYTES_MAX
        self._ranges = [_Range(size_bytes - _NAMES_BYTES, size_bytes)] if known else []
        if known and table.offset < size_bytes - _NAMES_BYTES:
            self._ranges.append(_Range(table.offset - _NAMES_BYTES, table.end))

    def feed(self, data: bytes, offset: int) -> None:
        for one in self._ranges:
            one.feed(data, offset)

    def facts(self) -> DebugFacts | None:
        table = self._slice(self._table.offset, self._table.end)
        if table is None:
            return None
        sections = list(sections_in(table, self._table.size))
        if self._table.names >= len(sections):
            return None
        at = sections[self._table.names]
        names = self._slice(at.offset, at.offset + at.size)
        if names is None:
            return None
        # What is not linked yet needs its symbols.
        wanted = _DEBUG if self._table.relocatable else (*_DEBUG, *_SYMBOLS)
        found = sum(one.size for one in sections if names.startswith(wanted, one.name))
        return DebugFacts(found) if found else None

    def _slice(self, begin: int, end: int) -> bytes | None:
        for one in self._ranges:
            if (found := one.slice(begin, end)) is not None:
                return found
        return None


class _DeviceLook:
    """Finds code for GPUs.

    Bundles for AMD's GPUs are looked for in a cheaper way than their reader does, which is called
    once one is seen: HIP's runtime wants them to begin on a page, compressed ones included.
    """

    def __init__(self) -> None:
        self._fatbin = FatbinReader()
        self._offload: OffloadReader | None = None
        self._tail = b""

    def feed(self, data: bytes, offset: int) -> None:
        self._fatbin.feed(data)
        if self._offload is None:
            seam = self._tail + data[: len(_BUNDLE)]
            if _BUNDLE in data or _BUNDLE in seam or _is_compressed(data, seam, offset):
                self._offload = OffloadReader()
                self._offload.feed(self._tail)
            self._tail = data[-len(_BUNDLE) :]
        if self._offload is not None:
            self._offload.feed(data)

    def facts(self) -> DeviceFacts | None:
        targets: dict[str, int] = {}
        for code, size in self._fatbin.code_bytes.items():
            targets[str(code)] = targets.get(str(code), 0) + size
        hidden = False
        if self._offload is not None:
            targets |= self._offload.code_bytes
            hidden = self._offload.hidden
        return DeviceFacts(tuple(sorted(targets.items())), hidden) if targets or hidden else None


def _is_compressed(data: bytes, seam: bytes, offset: int) -> bool:
    first = -offset % _PAGE_BYTES
    return _COMPRESSED_BUNDLE in seam or any(
        data.startswith(_COMPRESSED_BUNDLE, at) for at in range(first, len(data), _PAGE_BYTES)
    )
