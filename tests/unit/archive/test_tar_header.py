# SPDX-License-Identifier: Apache-2.0
"""Tar headers: what the standard library reads is what the entry said."""

from __future__ import annotations

import io
import tarfile

import pytest

from wheelship.archive import tar
from wheelship.archive.entry import (
    EPOCH_SECONDS,
    Directory,
    Entry,
    File,
    Hardlink,
    InMemory,
    Streamed,
    Symlink,
)


def read(entry: Entry) -> tarfile.TarInfo:
    """Read a header as the standard library does; the data of large files is not needed."""
    with tarfile.open(fileobj=io.BytesIO(tar.header(entry) + tar.END), mode="r:") as archive:
        member = archive.next()
    assert member is not None
    return member


def blocks(entry: Entry) -> int:
    return len(tar.header(entry)) // tar.BLOCK_BYTES


def file(path: str, *, size: int = 0, uid: int = 0, gid: int = 0) -> File:
    return File(path=path, content=Streamed(size, lambda: iter([])), uid=uid, gid=gid)


def test_a_plain_file_is_one_ustar_block() -> None:
    """POSIX.1-2001, ustar: names of at most 100 bytes need no extension."""
    header = tar.header(File(path="opt/a.py", mode=0o640, content=InMemory(b"12345")))
    assert len(header) == tar.BLOCK_BYTES
    assert header[257:265] == b"ustar\x0000"
    member = read(File(path="opt/a.py", mode=0o640, content=InMemory(b"12345")))
    assert (member.name, member.mode, member.size) == ("opt/a.py", 0o640, 5)
    assert (member.type, member.uid, member.gid) == (tarfile.REGTYPE, 0, 0)
    assert (member.uname, member.gname) == ("", "")


@pytest.mark.parametrize(
    ("entry", "kind", "target", "mode"),
    [
        (Directory(path="a/b"), tarfile.DIRTYPE, "", 0o755),
        (Symlink(path="a/b", target="../c"), tarfile.SYMTYPE, "../c", 0o777),
        (Hardlink(path="a/b", target="a/c"), tarfile.LNKTYPE, "a/c", 0o644),
    ],
)
def test_each_kind_of_entry_reads_back(entry: Entry, kind: bytes, target: str, mode: int) -> None:
    member = read(entry)
    assert (member.name, member.type, member.linkname) == ("a/b", kind, target)
    assert (member.mode, member.size) == (mode, 0)


def test_every_entry_has_the_same_time() -> None:
    """DESIGN §10: fixed times; 1980 is the earliest that zip tools inside an image accept."""
    assert read(Directory(path="a")).mtime == EPOCH_SECONDS == 315_532_800


@pytest.mark.parametrize("length", [1, 99, 100])
def test_a_name_of_up_to_100_bytes_stays_in_its_field(length: int) -> None:
    """POSIX ustar: the name field holds 100 bytes and need not end with NUL."""
    entry = file("n" * length)
    assert blocks(entry) == 1
    assert read(entry).name == "n" * length


@pytest.mark.parametrize("prefix", [1, 154, 155])
@pytest.mark.parametrize("name", [99, 100])
def test_a_long_path_is_split_at_a_slash(prefix: int, name: int) -> None:
    """POSIX ustar: prefix (155 bytes) + "/" + name (100 bytes), without a pax record."""
    path = "p" * prefix + "/" + "n" * name
    assert blocks(file(path)) == 1
    assert read(file(path)).name == path


@pytest.mark.parametrize(
    "path",
    ["n" * 101, "p" * 156 + "/" + "n" * 100, "p" * 10 + "/" + "n" * 101, "p" * 300],
)
def test_a_path_that_cannot_be_split_gets_a_pax_record(path: str) -> None:
    """POSIX pax: the record ``path`` stands for what name and prefix cannot hold."""
    assert blocks(file(path)) == 3
    assert read(file(path)).name == path


def test_the_slash_of_a_directory_counts() -> None:
    """A directory's stored name ends with a slash: 99 bytes fit, 100 do not."""
    assert blocks(Directory(path="d" * 99)) == 1
    assert blocks(Directory(path="d" * 100)) == 3
    assert read(Directory(path="d" * 100)).name == "d" * 100
    assert read(Directory(path="p" * 155 + "/" + "d" * 99)).name == "p" * 155 + "/" + "d" * 99


@pytest.mark.parametrize("path", ["ä", "日本/語.py", "e\u0301.txt", "a\nb", "\U0001f40d" * 60])
def test_a_name_beyond_ascii_is_a_pax_record_in_utf8(path: str) -> None:
    """POSIX pax: records are UTF-8, header fields are not; GNU tar would guess an encoding."""
    entry = file(path)
    assert read(entry).name == path
    assert blocks(entry) == (1 if path.isascii() else 3)


@pytest.mark.parametrize(("target", "count"), [("t" * 100, 1), ("t" * 101, 3), ("zü", 3)])
def test_a_long_link_target_is_a_pax_record(target: str, count: int) -> None:
    """POSIX ustar: the linkname field holds 100 bytes; pax ``linkpath`` holds the rest."""
    for entry in (Symlink(path="l", target=target), Hardlink(path="l", target=target)):
        assert blocks(entry) == count
        assert read(entry).linkname == target


@pytest.mark.parametrize(
    ("size", "count"), [(8 * 1024**3 - 1, 1), (8 * 1024**3, 3), (5 * 1024**4 + 7, 3)]
)
def test_a_file_of_8_gib_or_more_has_its_size_in_a_pax_record(size: int, count: int) -> None:
    """POSIX ustar: eleven octal digits; pax ``size`` takes over from there."""
    assert blocks(file("big", size=size)) == count
    assert read(file("big", size=size)).size == size


@pytest.mark.parametrize(("number", "count"), [(2_097_151, 1), (2_097_152, 3), (3_000_000_000, 3)])
def test_an_owner_above_2097151_is_a_pax_record(number: int, count: int) -> None:
    """POSIX ustar: seven octal digits; ids of three milliards exist (traps §1.1)."""
    assert blocks(file("a", uid=number)) == count
    member = read(file("a", uid=number, gid=number))
    assert (member.uid, member.gid) == (number, number)


def test_several_extensions_share_one_pax_header() -> None:
    entry = file("ü" * 300, size=9 * 1024**3, uid=3_000_000_000, gid=5)
    member = read(entry)
    assert (member.name, member.size) == ("ü" * 300, 9 * 1024**3)
    assert (member.uid, member.gid) == (3_000_000_000, 5)


@pytest.mark.parametrize("length", range(80, 106))
def test_a_pax_record_counts_its_own_digits(length: int) -> None:
    """POSIX pax: a record begins with its length, the digits of the length included."""
    path = "ü" + "n" * length
    assert read(file(path)).name == path


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_padding_fills_the_last_block(size: int, expected: int) -> None:
    assert tar.padding(size) == bytes(expected)


def test_only_permission_bits_reach_the_header() -> None:
    """POSIX ustar: mode holds the permission bits; a file type in it would confuse readers."""
    assert read(File(path="a", mode=0o100755, content=InMemory(b""))).mode == 0o755
