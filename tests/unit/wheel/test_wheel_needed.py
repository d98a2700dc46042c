# SPDX-License-Identifier: Apache-2.0
"""What a library is linked to is read from its dynamic section, in one pass and any pieces."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.testing.elf import make_library
from wheelship.wheel.needed import NeededReader

CUDA = ("libcudart.so*", "libcublas*.so*", "libtorch_cuda.so")
NOISE = bytes(range(256)) * 300  # more than the header that is kept


def needed(data: bytes, sizes: Iterable[int] = (), patterns: Iterable[str] = CUDA) -> list[str]:
    reader = NeededReader(patterns)
    at = 0
    for size in sizes:
        reader.feed(data[at : at + size])
        at += size
    reader.feed(data[at:])
    return list(reader.finish())


@pytest.mark.parametrize("names_last", [False, True])
@pytest.mark.parametrize("filling", [b"", NOISE])
def test_only_what_is_linked_and_wanted_counts(filling: bytes, *, names_last: bool) -> None:
    library = make_library(
        "libc.so.6",
        "libcudart.so.13",
        "libtorch_cuda.so",
        "libtorch_cpu.so",
        mentioned=["libcublas.so.13", "libcublasLt.so.12"],
        filling=filling,
        names_last=names_last,
    )
    assert needed(library) == ["libcudart.so.13", "libtorch_cuda.so"]
    assert needed(library, patterns=["libc.so*"]) == ["libc.so.6"]
    assert needed(library, patterns=["libamdhip64.so*"]) == []


@given(
    sizes=st.lists(st.integers(1, 400), max_size=30),
    names_last=st.booleans(),
    filling=st.sampled_from([b"", b"\0" * 500, NOISE]),
)
def test_pieces_do_not_matter(sizes: list[int], filling: bytes, *, names_last: bool) -> None:
    library = make_library("libcudart.so.13", "libm.so.6", filling=filling, names_last=names_last)
    assert needed(library, sizes) == ["libcudart.so.13"]


@given(data=st.binary(max_size=400), cut=st.integers(0, 400))
def test_rubbish_is_no_library(data: bytes, cut: int) -> None:
    needed(data)
    needed(b"\x7fELF\x02\x01" + data)
    whole = make_library("libcudart.so.13")
    needed(whole[:cut] + data)


def test_other_kinds_of_files() -> None:
    assert needed(b"libcudart.so.13\0" * 20) == []
    other = bytearray(make_library("libcudart.so.13"))
    other[4] = 1  # 32 bits
    assert needed(bytes(other)) == []
    huge = bytearray(make_library("libcudart.so.13"))
    struct.pack_into("<H", huge, 56, 0xFFFF)
    assert needed(bytes(huge)) == []


def test_this_machine_s_own_libraries() -> None:
    """What the interpreter has loaded was linked by a real linker."""
    maps = Path("/proc/self/maps").read_text() if sys.platform == "linux" else ""
    paths = {line.split()[-1] for line in maps.splitlines() if ".so" in line}
    libraries = [Path(one) for one in paths if Path(one).is_file()]
    assert not maps or libraries
    for path in libraries:
        data = path.read_bytes()
        if b"libc.so.6\0" in data and path.name.startswith("libm"):
            assert needed(data, patterns=["libc.so.6"]) == ["libc.so.6"], path
