# SPDX-License-Identifier: Apache-2.0
"""Tar headers against the standard library, for names and numbers nobody thought of."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from wheelship.archive import tar
from wheelship.archive.entry import Directory, Entry, File, Hardlink, Streamed, Symlink

LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="/\0")
NAMES = st.text(LETTERS, min_size=1, max_size=120).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=6).map("/".join)
IDS = st.one_of(st.integers(0, 70_000), st.integers(0, 2**32 - 2))
MODES = st.integers(0, 0o7777)
SIZES = st.one_of(st.integers(0, 5000), st.integers(0, 2**45))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    path, mode, uid, gid = draw(PATHS), draw(MODES), draw(IDS), draw(IDS)
    match draw(st.sampled_from("fdsh")):
        case "f":
            content = Streamed(draw(SIZES), lambda: iter([]))
            return File(path=path, mode=mode, uid=uid, gid=gid, content=content)
        case "d":
            return Directory(path=path, mode=mode, uid=uid, gid=gid)
        case "s":
            return Symlink(path=path, mode=mode, uid=uid, gid=gid, target=draw(PATHS))
        case _:
            return Hardlink(path=path, mode=mode, uid=uid, gid=gid, target=draw(PATHS))


@given(entries())
def test_the_standard_library_reads_what_was_written(entry: Entry) -> None:
    """POSIX.1-2001 pax: every path, id, mode and size survives, whatever its length."""
    header = tar.header(entry)
    with tarfile.open(fileobj=io.BytesIO(header + tar.END), mode="r:") as archive:
        member = archive.next()
    assert member is not None
    assert member.name == entry.path
    assert (member.mode, member.uid, member.gid) == (entry.mode, entry.uid, entry.gid)
    assert member.size == (entry.content.size_bytes if isinstance(entry, File) else 0)
    assert member.linkname == getattr(entry, "target", "")


@given(entries())
def test_headers_are_whole_blocks_with_a_right_checksum(entry: Entry) -> None:
    """POSIX ustar: chksum is the sum of the block's bytes with eight blanks in its own place."""
    header = tar.header(entry)
    assert len(header) % tar.BLOCK_BYTES == 0
    block = header[-tar.BLOCK_BYTES :]
    expected = sum(block) - sum(block[148:156]) + 8 * 0x20
    assert int(block[148:154], 8) == expected
