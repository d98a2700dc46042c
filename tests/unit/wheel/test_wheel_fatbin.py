# SPDX-License-Identifier: Apache-2.0
"""Device code is found whatever surrounds it, in whatever pieces the library comes."""

from __future__ import annotations

import random
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.testing.fatbin import MadeCode, make_fatbin
from wheelship.variant.gpu import DeviceCode
from wheelship.wheel.fatbin import FatbinReader

MAGIC = b"\x50\xed\x55\xba"


def read(data: bytes, *cuts: int) -> FatbinReader:
    reader = FatbinReader()
    places = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(places):
        reader.feed(data[start:end])
    return reader


codes = st.builds(
    MadeCode,
    sm=st.integers(50, 130),
    kind=st.sampled_from(["ptx", "cubin", "other"]),
    specific=st.booleans(),
    header_bytes=st.sampled_from([64, 80, 88, 144]),
    data=st.binary(max_size=300),
)


@given(
    containers=st.lists(st.lists(codes, max_size=5), max_size=4),
    noise=st.binary(max_size=200),
    data=st.data(),
)
def test_pieces_do_not_matter(
    containers: list[list[MadeCode]], noise: bytes, data: st.DataObject
) -> None:
    library = noise.join([b"\x7fELF", *map(make_fatbin, containers), b"end"])
    cuts = data.draw(st.lists(st.integers(0, len(library)), max_size=12))
    expected = {
        DeviceCode(code.sm, code.kind, code.specific)
        for container in containers
        for code in container
        if code.kind != "other"
    }
    whole = read(library)
    pieces = read(library, *cuts)
    assert whole.found == pieces.found
    assert whole.device_bytes == pieces.device_bytes
    if MAGIC not in noise:
        assert whole.found == expected


def test_code_that_looks_like_a_container_is_not_searched() -> None:
    inner = make_fatbin([MadeCode(sm=50)])
    outer = make_fatbin([MadeCode(sm=90, data=inner), MadeCode(sm=80)])
    assert read(outer).found == {DeviceCode(90), DeviceCode(80)}


@pytest.mark.parametrize(
    "lie",
    [
        MAGIC,
        MAGIC + b"\2\0\x10\0" + bytes(8),
        MAGIC + b"\1\0\x20\0" + bytes(8),
        MAGIC + b"\1\0\x10\0" + b"\xff" * 8,
        MAGIC + b"\1\0\x10\0" + (2**40).to_bytes(8, "little") + b"\2\0\0\0\1\0\0\0" + bytes(100),
        MAGIC + b"\1\0\x10\0" + (100).to_bytes(8, "little") + b"\2\0\0\0\x40\0\0\0" + b"\xff" * 90,
    ],
    ids=["alone", "version", "header", "endless", "entry header", "entry too long"],
)
def test_what_only_begins_like_a_container_is_passed_over(lie: bytes) -> None:
    found = read(lie + bytes(200) + make_fatbin([MadeCode(sm=90)])).found
    assert found in ({DeviceCode(90)}, set())
    if not lie.endswith(b"\xff" * 8):
        assert found == {DeviceCode(90)}


def test_an_empty_container_is_passed_over() -> None:
    assert read(make_fatbin([]) + make_fatbin([MadeCode(sm=75)])).found == {DeviceCode(75)}


def test_memory_stays_at_one_piece() -> None:
    """A library has half a gigabyte; torch's largest container 50 MB."""
    piece = random.Random(1).randbytes(1024 * 1024)
    reader = FatbinReader()
    reader.feed(make_fatbin([MadeCode(sm=90, data=bytes(8))])[:-4])
    tracemalloc.start()
    for _ in range(30):
        reader.feed(piece)
    assert tracemalloc.get_traced_memory()[1] < 4 * len(piece)
    tracemalloc.stop()
