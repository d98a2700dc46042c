# SPDX-License-Identifier: Apache-2.0
"""Zip archives: every real one is read, and none that two readers could see differently."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.archive.entry import Deflated, Streamed
from wheelship.archive.errors import ContentMismatch, InvalidZip
from wheelship.archive.inflate import inflate_all
from wheelship.archive.zip import Member, ZipLimits, read_zip
from wheelship.testing.raw_zip import RawMember, deflate_raw, raw_zip, zip64_end, zip64_extra

MAX32, MAX16 = 0xFFFFFFFF, 0xFFFF
DESCRIPTOR = 0x0008
UTF8 = 0x0800
A = RawMember(name=b"a.txt", data=b"the content of a\n")
B = RawMember(name=b"b/c.bin", data=os.urandom(300))
CRC = zlib.crc32(A.data)


class Archive:
    """An archive in a file, read as wheels are: with ``pread``."""

    def __init__(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        self.size = len(data)
        self.descriptor = os.open(path, os.O_RDONLY)

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self.descriptor, length, offset)

    def members(self, limits: ZipLimits | None = None) -> list[Member]:
        return read_zip(self.read_at, self.size, limits)

    def contents(self) -> dict[str, bytes]:
        return {member.name: self.content(member) for member in self.members()}

    def content(self, member: Member) -> bytes:
        content = member.content(self.read_at)
        if isinstance(content, Deflated):
            return inflate_all(content, member.name)
        assert isinstance(content, Streamed)
        return b"".join(content.open())


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[bytes], Archive]:
    return lambda data: Archive(tmp_path / "archive.zip", data)


Open = Callable[[bytes], Archive]


# What is accepted


def test_members_come_in_the_order_of_their_data(archive: Open) -> None:
    found = archive(raw_zip([B, A])).members()
    assert [member.name for member in found] == ["b/c.bin", "a.txt"]
    assert archive(raw_zip([B, A])).contents() == {"b/c.bin": B.data, "a.txt": A.data}


class _Unseekable(io.RawIOBase):
    """A stream that makes ``zipfile`` write data descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += memoryview(data)  # type: ignore[arg-type]
        return len(memoryview(data))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("zip64", [True, False])
def test_what_the_standard_library_writes_is_read(
    archive: Open,
    method: int,
    seekable: bool,  # noqa: FBT001
    zip64: bool,  # noqa: FBT001
) -> None:
    """With and without data descriptors (APPNOTE 4.3.9) and ZIP64 fields (4.5.3)."""
    contents = {"a.txt": b"text" * 1000, "pkg/ü.bin": os.urandom(5000), "empty": b""}
    out, stream = io.BytesIO(), _Unseekable()
    with zipfile.ZipFile(out if seekable else stream, "w", method) as writer:
        for name, data in contents.items():
            with writer.open(name, "w", force_zip64=zip64) as member:
                member.write(data)
        writer.mkdir("pkg2")
    data = out.getvalue() if seekable else bytes(stream.data)
    assert archive(data).contents() == contents
    assert any(one.flags & DESCRIPTOR for one in archive(data).members()) is not seekable


@pytest.mark.parametrize(
    ("arguments", "piped"),
    [
        (["-r"], False),
        (["-r"], True),
        (["-0", "-r"], True),
        (["-9", "-r"], True),
        (["-r", "-fz"], False),  # ZIP64; into a pipe it writes what unzip refuses, too
    ],
)
def test_what_info_zip_writes_is_read(
    archive: Open,
    tool: Callable[[str], str],
    tmp_path: Path,
    arguments: list[str],
    piped: bool,  # noqa: FBT001
) -> None:
    folder = tmp_path / "in"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg/a.py").write_bytes(b"a = 1\n" * 500)
    (folder / "pkg/run").write_bytes(os.urandom(2000))
    (folder / "pkg/run").chmod(0o755)
    target = "-" if piped else "../out.zip"
    command = [tool("zip"), "-q", *arguments, target, "."]
    result = subprocess.run(command, cwd=folder, check=True, capture_output=True)
    data = result.stdout if piped else (tmp_path / "out.zip").read_bytes()
    found = archive(data)
    assert found.contents() == {
        "pkg/a.py": b"a = 1\n" * 500,
        "pkg/run": (folder / "pkg/run").read_bytes(),
    }
    assert {one.name: one.executable for one in found.members()} == {
        "pkg/a.py": False,
        "pkg/run": True,
    }


def test_a_comment_is_allowed(archive: Open) -> None:
    assert set(archive(raw_zip([A], comment=b"made by hand")).contents()) == {"a.txt"}


def test_an_archive_inside_the_archive_is_only_data(archive: Open) -> None:
    """A stored member may hold end records of its own; they do not end with the file."""
    inner = raw_zip([B])
    member = RawMember(name=b"inner.zip", data=inner, method=0)
    assert archive(raw_zip([member])).contents() == {"inner.zip": inner}


def test_an_empty_archive_has_no_members(archive: Open) -> None:
    assert archive(raw_zip([])).members() == []


@pytest.mark.parametrize(
    ("mode", "made_by", "expected", "executable"),
    [
        (0o100644, 3, 0o100644, False),
        (0o100755, 3, 0o100755, True),
        (0o100655, 3, 0o100655, True),
        (0o755, 3, 0o755, True),
        (0o100755, 0, 0o100755, True),
        (0o100666, 0, 0o100666, False),
        (0, 0, 0, False),
        (0, 3, 0, False),
    ],
)
def test_modes_count_whoever_wrote_them(
    archive: Open,
    mode: int,
    made_by: int,
    expected: int,
    executable: bool,  # noqa: FBT001
) -> None:
    """The upper half of the attributes is a Unix mode, in archives of Python on Windows too."""
    member = replace(A, mode=mode, central={"made_by": made_by << 8 | 20})
    (found,) = archive(raw_zip([member])).members()
    assert (found.mode, found.executable) == (expected, executable)


def test_directories_are_left_out(archive: Open) -> None:
    folder = RawMember(name=b"b/", data=b"", method=0, mode=stat.S_IFDIR | 0o755)
    assert set(archive(raw_zip([folder, folder, B])).contents()) == {"b/c.bin"}


@pytest.mark.parametrize("signature", [b"", b"PK\x07\x08"])
@pytest.mark.parametrize("form", ["<LLL", "<LQQ"])
def test_a_right_data_descriptor_is_read(archive: Open, signature: bytes, form: str) -> None:
    """APPNOTE 4.3.9: with or without signature, with 4 or 8 bytes per size."""
    descriptor = signature + struct.pack(form, CRC, len(A.packed), len(A.data))
    zeros = {"crc": 0, "packed": 0, "size": 0}
    member = replace(A, flags=DESCRIPTOR, local=zeros, after=descriptor)
    assert archive(raw_zip([member, B])).contents() == {"a.txt": A.data, "b/c.bin": B.data}
    assert archive(raw_zip([B, member])).contents() == {"b/c.bin": B.data, "a.txt": A.data}


def test_real_zip64_fields_are_read(archive: Open) -> None:
    """APPNOTE 4.5.3: numbers stand there, in this order, for the fields that are all ones."""
    sizes = zip64_extra(len(A.data), len(A.packed))
    wide = {"size": MAX32, "packed": MAX32}
    member = replace(A, local=wide, central=wide, local_extra=sizes, extra=sizes)
    assert archive(raw_zip([member, B])).contents() == {"a.txt": A.data, "b/c.bin": B.data}
    offset = len(raw_zip([A], end={"count": 0})) - 22 - 46 - len(A.name)
    moved = replace(B, central={"offset": MAX32}, extra=zip64_extra(offset))
    assert archive(raw_zip([A, moved])).contents() == {"a.txt": A.data, "b/c.bin": B.data}


def test_a_repeated_zip64_number_is_read_when_it_agrees(archive: Open) -> None:
    """Go writes the offset too when only the sizes are wide."""
    wide = {"size": MAX32, "packed": MAX32}
    extra = zip64_extra(len(A.data), len(A.packed), 0)
    member = replace(A, central=wide, extra=extra)
    assert archive(raw_zip([member])).contents() == {"a.txt": A.data}


def directory_of(data: bytes) -> tuple[int, int, int]:
    """Return the count, length and start that the end record of ``data`` states."""
    count, length, start = struct.unpack_from("<HLL", data, len(data) - 12)
    return count, length, start


@pytest.mark.parametrize("all_ones", [True, False])
def test_a_real_zip64_end_record_is_read(archive: Open, all_ones: bool) -> None:  # noqa: FBT001
    """APPNOTE 4.3.14, 4.3.15."""
    count, length, start = directory_of(raw_zip([A, B]))
    ones = {"here": MAX16, "count": MAX16, "length": MAX32, "start": MAX32}
    data = raw_zip(
        [A, B], before_end=zip64_end(count, length, start), end=ones if all_ones else None
    )
    assert archive(data).contents() == {"a.txt": A.data, "b/c.bin": B.data}


# What is refused

SHORT_PATH_EXTRA = struct.pack("<HHBL", 0x7075, 10, 1, 0) + b"x.txt"
END = struct.Struct("<4s4H2LH")
WIDE = {"size": MAX32, "packed": MAX32}
HONEST = raw_zip([A, B])
FAKE_END = END.pack(b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)


def two_ends() -> bytes:
    """Return an archive whose comment is another archive's end, each ending with the file."""
    inner = raw_zip([A], comment=b"")
    return raw_zip([B], comment=inner)


def descriptor(*, crc: int = CRC, packed: int = len(A.packed), size: int = len(A.data)) -> bytes:
    return b"PK\x07\x08" + struct.pack("<LLL", crc, packed, size)


def with_descriptor(after: bytes, **local: int) -> list[RawMember]:
    zeros = {"crc": 0, "packed": 0, "size": 0}
    return [replace(A, flags=DESCRIPTOR, local={**zeros, **local}, after=after), B]


REFUSED: dict[str, tuple[bytes, str]] = {
    # the end
    "empty file": (b"", "not a zip archive"),
    "text": (b"hello" * 100, "not a zip archive"),
    "end cut off": (HONEST[:-1], "not a zip archive|after its end"),
    "data after the end": (HONEST + b"x", "data after its end"),
    "comment shorter than said": (raw_zip([A], end={"comment": 5}), "data after its end"),
    "two end records": (two_ends(), "two end records"),
    "fake end record in the comment": (raw_zip([A], comment=FAKE_END + b"x"), "after its end"),
    "fake empty archive as the comment": (raw_zip([A], comment=FAKE_END), "two end records"),
    "one part of several": (raw_zip([A], end={"disk": 1}), "one part of several"),
    "counts differ": (raw_zip([A], end={"here": 2}), "one part of several"),
    # the directory
    "prepended data": (b"#!/bin/sh\n" + HONEST, "data between its directory and its end"),
    "directory starts too early": (
        raw_zip([A], end={"start": 3}),
        "data between its directory and its end",
    ),
    "gap before the end": (raw_zip([A], before_end=b"gap"), "data between its directory"),
    "fewer members than said": (raw_zip([A], end={"here": 2, "count": 2}), "shorter than its end"),
    "more members than said": (raw_zip([A, B], end={"here": 1, "count": 1}), "longer than its end"),
    "no directory": (raw_zip([], end={"here": 1, "count": 1}), "shorter than its end"),
    # ZIP64
    "ZIP64 end elsewhere": (
        raw_zip([A], before_end=zip64_end(*directory_of(raw_zip([A])), at=0)),
        "ZIP64 end record in the wrong place",
    ),
    "ZIP64 end at an impossible offset": (
        raw_zip([A], before_end=zip64_end(*directory_of(raw_zip([A])), at=2**64 - 1)),
        "ZIP64 end record in the wrong place",
    ),
    "ZIP64 end counts other members": (
        raw_zip([A], before_end=zip64_end(2, *directory_of(raw_zip([A]))[1:])),
        "one thing in its end record and another",
    ),
    "ZIP64 end names another directory": (
        raw_zip(
            [A],
            before_end=zip64_end(1, 50, 0, at=directory_of(raw_zip([A]))[2] + 51),
            end={"length": MAX32, "start": MAX32},
        ),
        "data between its directory and its end",
    ),
    "ZIP64 end malformed": (
        raw_zip(
            [A],
            before_end=b"XX" + zip64_end(*directory_of(raw_zip([A])))[2:],
        ),
        "malformed ZIP64 end record",
    ),
    "ZIP64 field missing": (raw_zip([replace(A, central=WIDE)]), "lacks its ZIP64 field"),
    "ZIP64 field too short": (
        raw_zip([replace(A, central=WIDE, extra=zip64_extra(len(A.data)))]),
        "ZIP64 field that is too short",
    ),
    "ZIP64 field twice": (
        raw_zip(
            [
                replace(
                    A, central=WIDE, extra=zip64_extra(len(A.data), len(A.packed)) + zip64_extra(1)
                )
            ]
        ),
        "two ZIP64 fields",
    ),
    "ZIP64 field cut off": (
        raw_zip([replace(A, central=WIDE, extra=zip64_extra(1, 2)[:-1])]),
        "truncated extra field",
    ),
    "ZIP64 field contradicts the header": (
        raw_zip([replace(A, extra=zip64_extra(1, 2))]),
        "one thing in its header and another in its ZIP64 field",
    ),
    "ZIP64 field contradicts the local header": (
        raw_zip([replace(A, local_extra=zip64_extra(1, 2))]),
        "one thing in its header and another in its ZIP64 field",
    ),
    "ZIP64 field of an odd length": (
        raw_zip([replace(A, extra=struct.pack("<HH", 1, 12) + bytes(12))]),
        "ZIP64 field of an odd length",
    ),
    "ZIP64 field with more numbers than there are": (
        raw_zip([replace(A, extra=zip64_extra(len(A.data), len(A.packed), 0, 0, 0))]),
        "one thing in its header and another in its ZIP64 field",
    ),
    "ZIP64 sizes in the local header alone": (
        raw_zip([replace(A, local=WIDE)]),
        "lacks its ZIP64 field",
    ),
    "ZIP64 sizes that disagree between the headers": (
        raw_zip(
            [
                replace(
                    A,
                    local=WIDE,
                    central=WIDE,
                    local_extra=zip64_extra(7, 7),
                    extra=zip64_extra(len(A.data), len(A.packed)),
                )
            ]
        ),
        "another size or CRC-32 in its local header",
    ),
    "ZIP64 offset beyond the file": (
        raw_zip([replace(A, central={"offset": MAX32}, extra=zip64_extra(2**63))]),
        "leaves a gap before itself",
    ),
    "another extra field cut off": (
        raw_zip([replace(A, extra=struct.pack("<HH", 0x5455, 9) + b"x")]),
        "truncated extra field",
    ),
    # local header against directory
    "other name": (raw_zip([replace(A, local_name=b"b.txt")]), "another name in its local header"),
    "other name length": (raw_zip([replace(A, local_name=b"a.tx")]), "another name"),
    "other size": (raw_zip([replace(A, local={"size": 1})]), "another size or CRC-32"),
    "other packed size": (raw_zip([replace(A, local={"packed": 1})]), "another size or CRC-32"),
    "other CRC-32": (raw_zip([replace(A, local={"crc": 1})]), "another size or CRC-32"),
    "other method": (raw_zip([replace(A, local={"method": 0})]), "another method or other flags"),
    "other flags": (raw_zip([replace(A, local={"flags": 2})]), "another method or other flags"),
    "local header zeroed without descriptor": (
        raw_zip([replace(A, local={"crc": 0, "size": 0, "packed": 0})]),
        "another size or CRC-32",
    ),
    "no local header": (raw_zip([replace(A, central={"offset": 5})]), "leaves a gap before itself"),
    "directory points into data": (
        raw_zip([A, replace(B, central={"offset": 0})]),
        "overlaps another member|overlaps what follows",
    ),
    "stored with two sizes": (
        raw_zip([replace(A, method=0, central={"size": 5}, local={"size": 5})]),
        "stored, yet has two different sizes",
    ),
    "other disk": (raw_zip([replace(A, central={"disk": 1})]), "another part of the archive"),
    # tiling
    "gap between members": (raw_zip([A, replace(B, before=b"hidden")]), "leaves a gap"),
    "gap before the first": (raw_zip([replace(A, before=b"stub"), B]), "leaves a gap"),
    "gap before the directory": (
        raw_zip([A], before_directory=b"hidden"),
        "data between its last member and its directory",
    ),
    "overlap": (
        raw_zip([replace(A, central={"packed": 400}, local={"packed": 400}), B]),
        "overlaps what follows it",
    ),
    "hidden member": (
        raw_zip([A, B], end={"here": 1, "count": 1}),
        "longer than its end record says",
    ),
    # data descriptors
    "descriptor missing": (raw_zip(with_descriptor(b"")), "data descriptor that contradicts"),
    "descriptor with another CRC-32": (
        raw_zip(with_descriptor(descriptor(crc=1))),
        "data descriptor that contradicts",
    ),
    "descriptor with another size": (
        raw_zip(with_descriptor(descriptor(size=1))),
        "data descriptor that contradicts",
    ),
    "descriptor with another packed size": (
        raw_zip(with_descriptor(descriptor(packed=1))),
        "data descriptor that contradicts",
    ),
    "data behind the descriptor": (
        raw_zip(with_descriptor(descriptor() + b"x")),
        "data descriptor that contradicts",
    ),
    "descriptor, and another size in front": (
        raw_zip(with_descriptor(descriptor(), size=1)),
        "another size or CRC-32",
    ),
    "descriptor, and another CRC-32 in front": (
        raw_zip(with_descriptor(descriptor(), crc=1)),
        "another size or CRC-32",
    ),
    "descriptor without its flag": (
        raw_zip([replace(A, after=descriptor()), B]),
        "leaves a gap before itself",
    ),
    # methods and flags
    "encrypted": (raw_zip([replace(A, flags=1)]), "encrypted or uses compression method"),
    "strongly encrypted": (raw_zip([replace(A, flags=0x41)]), "encrypted or uses"),
    "patch data": (raw_zip([replace(A, flags=0x20)]), "encrypted or uses"),
    "masked directory": (raw_zip([replace(A, flags=0x2000)]), "encrypted or uses"),
    "bzip2": (raw_zip([replace(A, method=12)]), "compression method 12"),
    "lzma": (raw_zip([replace(A, method=14)]), "compression method 14"),
    "zstd": (raw_zip([replace(A, method=93)]), "compression method 93"),
    # names
    "twice": (raw_zip([A, A]), "stands in the archive twice"),
    "file and directory": (
        raw_zip([A, RawMember(name=b"a.txt/b")]),
        "both a file and a directory",
    ),
    "file and directory entry": (
        raw_zip([RawMember(name=b"a.txt/", data=b"", method=0), A]),
        "both a file and a directory",
    ),
    "directory with content": (raw_zip([RawMember(name=b"a/")]), "a directory with content"),
    "name not UTF-8": (raw_zip([RawMember(name=b"\xff", flags=UTF8)]), "neither ASCII nor marked"),
    "name in another encoding": (raw_zip([RawMember(name="ü".encode("cp437"))]), "neither ASCII"),
    "second name": (raw_zip([replace(A, extra=SHORT_PATH_EXTRA)]), "second name in an extra field"),
    "second name in the local header": (
        raw_zip([replace(A, local_extra=SHORT_PATH_EXTRA)]),
        "second name in an extra field",
    ),
    "path too long": (raw_zip([RawMember(name=b"x/" * 1600 + b"y")]), "longer than 3072 bytes"),
    "name with a C1 control": (
        raw_zip([RawMember(name="a\x9b31m".encode(), flags=UTF8)]),
        "no plain relative path",
    ),
    "component too long": (raw_zip([RawMember(name=b"x" * 256)]), "longer than 255 bytes"),
    # kinds of files
    "symbolic link": (raw_zip([replace(A, mode=stat.S_IFLNK | 0o777)]), "a link or a device"),
    "directory by its mode": (
        raw_zip([replace(A, mode=stat.S_IFDIR | 0o755)]),
        "a file by its name and a directory by its mode",
    ),
    "socket": (raw_zip([replace(A, mode=stat.S_IFSOCK | 0o644)]), "a link or a device"),
    "device": (raw_zip([replace(A, mode=stat.S_IFCHR | 0o644)]), "a link or a device"),
    "pipe": (raw_zip([replace(A, mode=stat.S_IFIFO | 0o644)]), "a link or a device"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_an_archive_with_two_meanings_is_refused(archive: Open, data: bytes, message: str) -> None:
    """DESIGN §11, zip confusion: local headers and directory must agree and nothing be hidden."""
    with pytest.raises(InvalidZip, match=message):
        archive(data).members()
    archive(HONEST).members()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "a/..",
        "..",
        ".",
        "./a",
        "a/./b",
        "/etc/passwd",
        "//a",
        "a//b",
        "a\\b",
        "C:\\a",
        "C:/a",
        "c:evil",
        "..\\evil",
        "a\0.py",
        "a\nb",
        "a\x1b[31m",
        "a\x7f",
        "",
        "/",
        "a//",
    ],
)
def test_a_name_that_is_no_plain_relative_path_is_refused(archive: Open, name: str) -> None:
    """CVE-2026-1703 and its kin: absolute, climbing, Windows and control characters."""
    content = b"" if name.endswith("/") else b"x"
    data = raw_zip([RawMember(name=name.encode(), data=content, method=0)])
    with pytest.raises(InvalidZip, match="no plain relative path"):
        archive(data).members()


@pytest.mark.parametrize("name", ["a", "a.b/c d/é", "...", "..a", "a..b/.c", "x" * 255, "ü" * 127])
def test_unusual_but_plain_names_are_read(archive: Open, name: str) -> None:
    (found,) = archive(raw_zip([RawMember(name=name.encode(), flags=UTF8)])).members()
    assert found.name == name


@pytest.mark.parametrize(
    "names",
    [("a/x.h", "a/X.h"), ("é", "e\u0301"), ("a.", "a"), ("a ", "a")],
    ids=["case", "spelling of Unicode", "trailing dot", "trailing blank"],
)
def test_names_that_only_other_systems_confuse_are_two(
    archive: Open, names: tuple[str, str]
) -> None:
    """The image's file system is Linux's, and honest wheels have names that differ in case."""
    data = raw_zip([RawMember(name=name.encode(), flags=UTF8) for name in names])
    assert tuple(one.name for one in archive(data).members()) == names


def test_the_memory_for_a_directory_is_bounded() -> None:
    """1 kB for each member at most: 200 MB for the largest directory that is read at all."""
    data = raw_zip([RawMember(name=b"%07d" % one, data=b"", method=0) for one in range(20_000)])
    tracemalloc.start()
    try:
        assert len(read_zip(lambda at, size: data[at : at + size], len(data))) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000 * 1000


@pytest.mark.parametrize("name", [".wh.a", "pkg/.wh.module.py", "pkg/.wh..wh..opq", ".wh.d/a"])
def test_a_whiteout_name_is_refused(archive: Open, name: str) -> None:
    """Traps §1.1: an ordinary file of that name vanishes, and takes another with it."""
    with pytest.raises(InvalidZip, match="whiteout") as caught:
        archive(raw_zip([RawMember(name=name.encode())])).members()
    assert caught.value.where == name
    assert archive(raw_zip([RawMember(name=b"pkg/a.wh.py")])).contents()


def test_too_many_members_are_refused_before_the_directory_is_read(archive: Open) -> None:
    with pytest.raises(InvalidZip, match="2 members in a directory of"):
        archive(HONEST).members(ZipLimits(members=1))
    with pytest.raises(InvalidZip, match="that is too much"):
        archive(HONEST).members(ZipLimits(directory_bytes=50))
    assert len(archive(HONEST).members(ZipLimits(members=2))) == 2


def test_a_bomb_is_refused_before_it_is_inflated(archive: Open) -> None:
    """Refused by ratio, and by size whatever the ratio."""
    data = raw_zip([RawMember(name=b"zeros", data=bytes(2_000_000))])
    bomb = ZipLimits(ratio=200, ratio_from_bytes=1_000_000)
    with pytest.raises(InvalidZip, match="looks like a bomb"):
        archive(data).members(bomb)
    with pytest.raises(InvalidZip, match="looks like a bomb"):
        archive(data).members(ZipLimits(unpacked_bytes=1_999_999))
    assert archive(data).members(replace(bomb, ratio_from_bytes=2_000_000))
    assert archive(data).members(replace(bomb, ratio=2_000_000))


def test_a_bomb_of_promised_sizes_needs_no_content(archive: Open) -> None:
    """The directory alone can promise exabytes."""
    wide = {"size": MAX32, "packed": len(A.packed)}
    extra = zip64_extra(2**62)
    member = replace(A, central=wide, local=wide, extra=extra, local_extra=extra)
    with pytest.raises(InvalidZip, match="looks like a bomb"):
        archive(raw_zip([member])).members()


# Content of stored members


def stored(data: bytes, **central: int) -> RawMember:
    return RawMember(name=b"s", data=data, method=0, central=central, local=central)


def test_stored_content_comes_in_pieces(archive: Open) -> None:
    data = os.urandom(2_500_000)
    found = archive(raw_zip([stored(data)]))
    (member,) = found.members()
    content = member.content(found.read_at)
    assert isinstance(content, Streamed)
    pieces = list(content.open())
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 1024 * 1024


def test_stored_content_with_a_wrong_checksum_is_refused(archive: Open) -> None:
    found = archive(raw_zip([stored(b"data", crc=5)]))
    with pytest.raises(ContentMismatch, match="not 00000005"):
        found.contents()


def test_stored_content_with_a_wrong_hash_is_refused(archive: Open) -> None:
    found = archive(raw_zip([stored(b"data")]))
    (member,) = found.members()
    content = member.content(found.read_at, ("sha256", "00" * 32))
    assert isinstance(content, Streamed)
    with pytest.raises(ContentMismatch, match="promised was 0000"):
        list(content.open())


def test_stored_content_that_was_cut_off_is_refused(archive: Open, tmp_path: Path) -> None:
    found = archive(raw_zip([stored(bytes(5000))]))
    (member,) = found.members()
    os.truncate(tmp_path / "archive.zip", 1000)
    with pytest.raises(ContentMismatch, match="ends before its promised size"):
        found.content(member)


def test_deflated_content_carries_its_promises(archive: Open) -> None:
    found = archive(raw_zip([A]))
    (member,) = found.members()
    content = member.content(found.read_at, ("sha256", "ab"))
    assert isinstance(content, Deflated)
    assert (content.size_bytes, content.crc32) == (len(A.data), CRC)
    assert content.compressed_bytes == len(deflate_raw(A.data))
    assert content.expected_hash == ("sha256", "ab")
