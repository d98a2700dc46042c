# SPDX-License-Identifier: Apache-2.0
"""What a file's content tells, in whatever pieces it comes."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Literal

import pytest

from wheelship.inspect.model import DebugFacts, DeviceFacts, Facts, PycFacts
from wheelship.inspect.scan.facts import looks_at
from wheelship.testing.fatbin import MadeCode, make_fatbin

KINDS = {"progbits": 1, "symtab": 2, "strtab": 3, "nobits": 8}
Row = tuple[str, Literal["progbits", "symtab", "strtab", "nobits"], int]


def elf(*rows: Row, body: bytes = b"", kind: int = 3, table_first: bool = False) -> bytes:
    """Make an ELF file; each row is a section's name, kind and size."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in rows) + b".shstrtab\0"
    table_bytes = 64 * (len(rows) + 2)
    begin = 64 + len(body) + (table_bytes if table_first else 0)
    table, content = bytes(64), b""
    for name, section, size in (*rows, (".shstrtab", "strtab", len(names))):
        place = (begin + len(content), size)
        number = names.index(name.encode() + b"\0")
        table += struct.pack("<IIQQQQIIQQ", number, KINDS[section], 0, 0, *place, *[0] * 4)
        if section != "nobits":
            content += names if name == ".shstrtab" else b"d" * size
    place_of_table = 64 if table_first else begin + len(content)
    ident = struct.pack("<4sBB10x", b"\x7fELF", 2, 1)
    header = struct.pack("<HHIQQQI", kind, 62, 1, 0, 0, place_of_table, 0)
    header += struct.pack("<HHHHHH", 64, 56, 0, 64, len(rows) + 2, len(rows) + 1)
    parts = (table, body, content) if table_first else (body, content, table)
    return b"".join((ident, header, *parts))


def facts(path: str, data: bytes, *cuts: int) -> list[Facts]:
    first = max(64, *cuts[:1], 0) if cuts else len(data)
    looks = looks_at(path, len(data), data[:first])
    places = sorted({0, first, *(one for one in cuts if first < one < len(data)), len(data)})
    for begin, end in pairwise(places):
        for look in looks:
            look.feed(data[begin:end], begin)
    return [found for look in looks if (found := look.facts()) is not None]


def every(step: int, size: int) -> tuple[int, ...]:
    return tuple(range(step, size, step))


STRIPPED: tuple[Row, ...] = ((".text", "progbits", 500), (".bss", "nobits", 9000))
DEBUG: tuple[Row, ...] = (
    (".debug_info", "progbits", 1000),
    (".zdebug_line", "progbits", 200),
    (".symtab", "symtab", 48),
    (".strtab", "strtab", 30),
    (".debug_gone", "nobits", 7000),
)


@pytest.mark.parametrize("step", [1 << 30, 100, 64])
def test_debug_sections_are_added_up(step: int) -> None:
    data = elf(*STRIPPED, *DEBUG)
    assert facts("a.so", data, *every(step, len(data))) == [DebugFacts(1278)]
    assert facts("a.so", elf(*STRIPPED)) == []


def test_a_file_that_is_not_linked_needs_its_symbols() -> None:
    assert facts("a.o", elf(*STRIPPED, *DEBUG, kind=1)) == [DebugFacts(1200)]


@pytest.mark.parametrize("step", [1 << 30, 10_000])
def test_a_table_far_from_the_end_is_found(step: int) -> None:
    rows: tuple[Row, ...] = (*DEBUG, (".text", "progbits", 100_000))
    data = elf(*rows, table_first=True)
    # The names are at the end, the table at the beginning.
    assert struct.unpack_from("<Q", data, 40) == (64,)
    assert facts("a.so", data, *every(step, len(data))) == [DebugFacts(1278)]


@pytest.mark.parametrize("at", range(0, 64, 2))
def test_nonsense_in_the_header_is_passed_over(at: int) -> None:
    data = bytearray(elf(*STRIPPED, *DEBUG))
    data[at : at + 2] = b"\xff\xff"
    assert len(facts("a.so", bytes(data))) <= 1
    assert facts("a.so", bytes(data[:70])) == []


LIBRARY = bytes(300_000)
CODE = make_fatbin(
    [MadeCode(sm=90, data=b"x" * 5000), MadeCode(sm=75, kind="ptx", data=b"y" * 100)]
)


@pytest.mark.parametrize("step", [1 << 30, 65_537, 4096])
def test_code_for_nvidias_gpus_is_counted_by_target(step: int) -> None:
    data = elf(*STRIPPED, body=LIBRARY + CODE + LIBRARY + CODE)
    found = facts("a.so", data, *every(step, len(data)))
    (device,) = [one for one in found if isinstance(one, DeviceFacts)]
    assert dict(device.targets) == {"compute_75": 200, "sm_90": 10_000}
    assert not device.hidden


def bundle(*targets: str) -> bytes:
    out = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", len(targets))
    for target in targets:
        name = f"hipv4-amdgcn-amd-amdhsa--{target}".encode()
        out += struct.pack("<QQQ", 4096, 700, len(name)) + name
    return out


@pytest.mark.parametrize("step", [1 << 30, 65_537, 4096, 4095])
def test_code_for_amds_gpus_is_counted_by_target(step: int) -> None:
    pad = bytes(-64 % 4096)
    data = elf(body=pad + LIBRARY + bundle("gfx942", "gfx90a") + LIBRARY)
    found = facts("a.so", data, *every(step, len(data)))
    assert found == [DeviceFacts((("gfx90a", 700), ("gfx942", 700)))]
    hidden = elf(body=pad + bytes(4096 * 80) + b"CCOB\2\0\1\0" + LIBRARY)
    assert facts("a.so", hidden, *every(step, len(hidden))) == [DeviceFacts((), hidden=True)]


@pytest.mark.parametrize("within", [0, 2, 23, 24])
def test_a_bundle_across_two_pieces_is_seen(within: int) -> None:
    pad = bytes(-64 % 4096) + bytes(4096 * 80)
    at = 64 + len(pad)
    plain = facts("a.so", elf(body=pad + bundle("gfx942") + bytes(9)), at + within)
    assert plain == [DeviceFacts((("gfx942", 700),))]
    packed = facts("a.so", elf(body=pad + b"CCOB\2\0\1\0" + bytes(9)), at + within)
    assert packed == [DeviceFacts((), hidden=True)]


def test_a_small_library_is_not_searched() -> None:
    assert facts("a.so", elf(*STRIPPED, body=CODE)) == []


def test_headers_of_bytecode() -> None:
    magic = struct.pack("<H2s", 3495, b"\r\n")
    timed = magic + struct.pack("<III", 0, 1_700_000_000, 42) + b"code"
    hashed = magic + struct.pack("<III", 1, 1, 2) + b"code"
    assert facts("a.pyc", timed) == [PycFacts(3495, False, 1_700_000_000, 42)]
    assert facts("a.pyc", hashed) == [PycFacts(3495, True)]
    assert facts("a.py", timed) == []
    assert facts("a.pyc", timed[:15]) == []
    assert facts("a.pyc", b"x" * 100) == []
