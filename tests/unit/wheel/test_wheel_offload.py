# SPDX-License-Identifier: Apache-2.0
"""Targets of AMD device code, read from bundles in pieces of any size."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from wheelship.testing.offload import make_bundle
from wheelship.wheel.offload import OffloadReader

MAGIC = b"__CLANG_OFFLOAD_BUNDLE__"


def read(data: bytes, sizes: Iterable[int] = ()) -> OffloadReader:
    reader = OffloadReader()
    at = 0
    for size in sizes:
        reader.feed(data[at : at + size])
        at += size
    reader.feed(data[at:])
    return reader


def test_targets_and_how_much_code_there_is() -> None:
    data = b"\x7fELF" + make_bundle("gfx942", "gfx90a:xnack-") + b"\0" * 300
    data += make_bundle("gfx1100", code=b"\x01" * 50, host=False)
    reader = read(data)
    assert reader.found == {"gfx942", "gfx90a", "gfx1100"}
    assert reader.device_bytes == 450
    assert not reader.hidden


@given(sizes=st.lists(st.integers(1, 90), max_size=40))
def test_pieces_do_not_matter(sizes: list[int]) -> None:
    data = b"noise" * 30 + make_bundle("gfx942", "gfx1100") + b"noise" + make_bundle("gfx1201")
    reader = read(data, sizes)
    assert (reader.found, reader.device_bytes) == ({"gfx942", "gfx1100", "gfx1201"}, 600)


def test_what_only_looks_like_a_bundle() -> None:
    assert read(MAGIC + struct.pack("<Q", 1 << 40) + bytes(64)).found == set()
    odd = MAGIC + struct.pack("<QQQQ", 1, 0, 10, 1 << 40) + bytes(64)
    assert read(odd + make_bundle("gfx942")).found == {"gfx942"}
    name = b"hipv4-amdgcn-amd-amdhsa--sm_90"
    other = MAGIC + struct.pack("<QQQQ", 1, 0, 10, len(name)) + name
    assert read(other).found == set()


def test_what_is_compressed_says_nothing() -> None:
    data = b"x" * 50 + b"CCOB" + struct.pack("<HH", 2, 1) + bytes(32)
    assert read(data).hidden
    assert read(data, [53, 1, 1, 1]).hidden
    assert not read(b"CCOB is a word here").hidden


@given(data=st.binary(max_size=200))
def test_rubbish(data: bytes) -> None:
    read(MAGIC + data)
