# SPDX-License-Identifier: Apache-2.0
"""Finds out which shared libraries a library is linked to, while its bytes pass by.

A library names them in its dynamic section (``DT_NEEDED``, System V ABI, "Dynamic Section"), which
stands near the end of the file; the names themselves stand in a string table, most often near the
start. Rather than keep the file or read it twice, names of interest are noted with their places as
they pass, and what the dynamic section points to decides. What merely stands in the file, as the
names of libraries that are loaded on demand do, does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

from wheelship.elf import (
    DYNAMIC,
    ELF,
    NEEDED,
    STRING_TABLE,
    Segment,
    entries_in,
    header_of,
    place_of,
    segments_in,
)

__all__ = ["NeededReader"]

_HEADER_BYTES = 64
_HEAD_BYTES = 64 * 1024
_NAME_BYTES = 128  # longer than any name of a library that is looked for
_DYNAMIC_BYTES = 1024 * 1024
_LIBRARY = re.compile(rb"lib[\w.+-]{1,100}\.so(?:\.[\w.]{1,20})?(?=\0)")


class NeededReader:
    """Takes a library's bytes in pieces of any size; :meth:`finish` says what it is linked to.

    Only names that match one of ``patterns`` (``libcudart.so*``) are reported.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._wanted = re.compile("|".join(translate(one) for one in patterns))
        self._head = bytearray()
        self._names: dict[int, str] = {}
        self._tail = b""
        self._at = 0  # offset in the file of what comes next
        self._segments: list[Segment] | None = None
        self._section = (0, 0)
        self._dynamic = bytearray()

    def feed(self, piece: bytes) -> None:
        """Look through the next piece."""
        if len(self._head) < _HEAD_BYTES:
            self._head += piece[: _HEAD_BYTES - len(self._head)]
        window = self._tail + piece
        start = self._at - len(self._tail)
        for found in _LIBRARY.finditer(window):
            name = found[0].decode("ascii", "replace")
            if self._wanted.fullmatch(name):
                self._names[start + found.start()] = name
        if self._segments is None:
            self._segments = self._read_head()
        self._keep_dynamic(window, start)
        self._at += len(piece)
        self._tail = window[-_NAME_BYTES:]

    def finish(self) -> tuple[str, ...]:
        """Return the names, sorted; none for what is no library of a supported kind."""
        offset, size = self._section
        if offset + size <= len(self._head):
            self._dynamic = self._head[offset : offset + size]
        entries = list(entries_in(bytes(self._dynamic)))
        tables = [value for tag, value in entries if tag == STRING_TABLE]
        if not tables:
            return ()
        place = place_of(tables[0], self._segments or ())
        table = tables[0] if place is None else place
        needed = {table + value for tag, value in entries if tag == NEEDED}
        return tuple(sorted({name for at, name in self._names.items() if at in needed}))

    def _read_head(self) -> list[Segment] | None:
        """Return the segments; remember the dynamic section.

        None while more bytes are needed.
        """
        head = bytes(self._head)
        if len(head) < _HEADER_BYTES:
            return None
        if not head.startswith(ELF):
            return []
        header = header_of(head)
        if header.end > _HEAD_BYTES:
            return []
        if header.end > len(head):
            return None
        segments = list(segments_in(head, header))
        for one in segments:
            if one.kind == DYNAMIC:
                self._section = (one.offset, min(one.size, _DYNAMIC_BYTES))
        return segments

    def _keep_dynamic(self, window: bytes, start: int) -> None:
        offset, size = self._section
        have = offset + len(self._dynamic)
        if size and have < offset + size and start <= have < start + len(window):
            self._dynamic += window[have - start : offset + size - start]
