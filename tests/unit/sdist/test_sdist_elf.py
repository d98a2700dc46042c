# SPDX-License-Identifier: Apache-2.0
"""Compiled files, held against what binutils says of the same ones."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.sdist.elf import Needs, read_needs
from wheelship.testing.elf import make_library


def a_library() -> Path:
    """A library of this machine that is compiled against glibc."""
    for pattern in ("libstdc++.so.6", "libssl.so.3", "libz.so.1"):
        for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64"):
            if (path := Path(folder, pattern)).is_file():
                return path
    pytest.skip("this machine has none of the libraries looked for")


def test_what_a_library_of_this_machine_needs() -> None:
    path = a_library()
    needs = read_needs(path.read_bytes())
    assert needs is not None
    assert needs.machine in ("amd64", "arm64")
    assert needs.soname == path.name
    assert "libc.so.6" in needs.libraries
    assert needs.glibc_minor > 2


def test_readelf_agrees() -> None:
    if shutil.which("readelf") is None:
        pytest.skip("readelf is not installed")
    path = a_library()
    needs = read_needs(path.read_bytes())
    assert needs is not None
    command = ["readelf", "--wide", "--dynamic", "--version-info", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wanted = re.findall(r"\(NEEDED\).*\[(.*)\]", shown)
    _, _, required = shown.partition("Version needs section")
    minors = [int(one) for one in re.findall(r"Name: GLIBC_2\.(\d+)", required)]
    assert list(needs.libraries) == wanted
    assert needs.glibc_minor == max(minors)


@pytest.mark.parametrize("data", [b"", b"PK", b"\x7fELF\x01\x01" + bytes(100)])
def test_what_is_no_such_file(data: bytes) -> None:
    assert read_needs(data) is None


def test_a_static_file_needs_nothing() -> None:
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 2, 183, 1, *[0] * 10)
    assert read_needs(head) == Needs(machine="arm64")


def test_a_dynamic_section_that_is_cut_off_is_not_half_read() -> None:
    library = make_library("libc.so.6")
    assert read_needs(library) == Needs(machine="amd64", libraries=("libc.so.6",))
    assert read_needs(library[:-8]) is None


@given(data=st.binary(max_size=400), at=st.integers(0, 64), length=st.integers(0, 4000))
def test_damaged_files_are_no_files_and_never_an_exception(
    data: bytes, at: int, length: int
) -> None:
    whole = a_library().read_bytes()[:length]
    mixed = whole[: 6 + at] + data + whole[6 + at + len(data) :]
    found = read_needs(b"\x7fELF\x02\x01" + mixed[6:])
    assert found is None or isinstance(found, Needs)
