# SPDX-License-Identifier: Apache-2.0
"""The parts of ELF files that several readers share, held against files made by hand."""

from __future__ import annotations

import struct

import pytest

from wheelship.elf import DYNAMIC, LOAD, Segment, entries_in, header_of, place_of, segments_in
from wheelship.testing.elf import make_library

LIBRARY = make_library("libc.so.6", filling=bytes(64))


def test_header_and_segments_of_a_library() -> None:
    header = header_of(LIBRARY)
    assert (header.machine, header.table, header.size, header.count) == ("amd64", 64, 56, 2)
    loaded, dynamic = segments_in(LIBRARY, header)
    assert loaded == Segment(LOAD, 0, 0x400000, len(LIBRARY))
    assert dynamic.kind == DYNAMIC
    assert dynamic.address == 0x400000 + dynamic.offset


def test_another_machine_is_named_by_its_number() -> None:
    head = bytearray(LIBRARY)
    struct.pack_into("<H", head, 18, 40)
    assert header_of(bytes(head)).machine == "machine 40"


def test_what_is_cut_off_is_an_error_and_rows_too_short_are_none() -> None:
    header = header_of(LIBRARY)
    with pytest.raises(struct.error):
        header_of(LIBRARY[:57])
    with pytest.raises(struct.error):
        list(segments_in(LIBRARY[:128], header))
    head = bytearray(LIBRARY)
    struct.pack_into("<H", head, 54, 39)
    assert list(segments_in(bytes(head), header_of(bytes(head)))) == []


def test_entries_end_where_the_section_says_so() -> None:
    rows = [(1, 7), (5, 9), (0, 0), (1, 8)]
    section = b"".join(struct.pack("<qQ", *row) for row in rows)
    assert list(entries_in(section)) == [(1, 7), (5, 9)]
    assert list(entries_in(section[:31])) == [(1, 7)]


def test_only_what_is_loaded_has_a_place() -> None:
    segments = [Segment(DYNAMIC, 0, 0, 100), Segment(LOAD, 4096, 0x5000, 16)]
    assert place_of(0x500F, segments) == 4111
    assert place_of(0x5010, segments) is None
    assert place_of(50, segments) is None
