# SPDX-License-Identifier: Apache-2.0
"""Tar headers in all the forms that were ever written; ``tarfile`` writes those it can."""

from __future__ import annotations

import tarfile

import pytest

from wheelship.archive.header import (
    Header,
    InvalidHeader,
    Override,
    apply_pax,
    continues,
    parse_header,
)


def block_of(form: int = tarfile.USTAR_FORMAT, **fields: object) -> bytearray:
    info = tarfile.TarInfo("dir/file")
    info.size, info.mtime = 5, 1_700_000_000
    for name, value in fields.items():
        setattr(info, name, value)
    return bytearray(info.tobuf(form, "utf-8", "surrogateescape")[-512:])


def with_checksum(block: bytearray, *, signed: bool = False) -> bytes:
    block[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def patched(at: int, data: bytes, form: int = tarfile.USTAR_FORMAT, **fields: object) -> bytes:
    block = block_of(form, **fields)
    block[at : at + len(data)] = data
    return with_checksum(block)


def test_a_plain_header() -> None:
    assert parse_header(bytes(block_of(mode=0o4755))) == Header(
        "dir/file", ord("0"), 5, 5, 0o4755, 1_700_000_000, ""
    )


def test_a_long_path_of_ustar_is_put_together() -> None:
    path = "/".join(["d" * 60] * 3) + "/file"
    assert parse_header(bytes(block_of(name=path))).name == path


def test_the_prefix_of_star_is_shorter() -> None:
    block = block_of(name="file")
    block[345:476] = b"p" * 131
    block[476:488] = b"14000000000 "
    block[508:512] = b"tar\0"
    assert parse_header(with_checksum(block)).name == "p" * 131 + "/file"


def test_what_gnu_has_in_place_of_a_prefix_is_none() -> None:
    block = block_of(tarfile.GNU_FORMAT)
    block[345:357] = b"14000000000 "
    assert parse_header(with_checksum(block)).name == "dir/file"


def test_a_header_from_before_ustar() -> None:
    block = block_of(name="old/")
    block[257:] = bytes(255)
    block[156] = 0
    found = parse_header(with_checksum(block))
    assert (found.name, found.kind, found.size) == ("old/", ord("5"), 0)


def test_a_checksum_over_signed_bytes_is_right_too() -> None:
    block = block_of(name="f\u00fc\u00fc")
    assert parse_header(with_checksum(block, signed=True)).name == "f\u00fc\u00fc"


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_what_is_no_file_has_no_content_whatever_it_says(kind: bytes) -> None:
    found = parse_header(bytes(block_of(type=kind, linkname="there")))
    assert found.size == 0
    assert found.target == ("there" if kind in b"12" else "")


def test_numbers_in_base_256() -> None:
    found = parse_header(bytes(block_of(tarfile.GNU_FORMAT, size=9 << 33, mtime=-5)))
    assert (found.size, found.mtime) == (9 << 33, -5)


def test_a_name_that_is_no_utf8_is_kept() -> None:
    found = parse_header(patched(0, b"caf\xe9\0"))
    assert found.name.encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_a_sparse_file_of_gnu() -> None:
    found = parse_header(
        patched(482, b"\1" + b"%011o\0" % 10_000_000, tarfile.GNU_FORMAT, type=b"S")
    )
    assert (found.size, found.real_size, found.more_sparse) == (5, 10_000_000, True)
    assert not continues(bytes(512))
    assert continues(bytes(504) + b"\1" + bytes(7))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (b"no header" + bytes(503), "checksum"),
        (bytes(block_of()[:100]) + b"x" + bytes(block_of()[101:]), "checksum"),
        (patched(124, b"0000000009x\0"), "number that is none"),
        (patched(124, b"-0000000001\0"), "number that is none"),
        (patched(124, b"0o000000011\0"), "number that is none"),
        (patched(124, b"\xff" * 12), "claims -1 bytes"),
        (patched(0, b"f", type=b"S"), "sparse file in a form that has none"),
        (patched(124, b"\x80\x7f" + b"\xff" * 10), "absurd"),
    ],
)
def test_a_damaged_header_is_refused(block: bytes, message: str) -> None:
    with pytest.raises(InvalidHeader, match=message):
        parse_header(block)


def records(*pairs: tuple[str, str]) -> bytes:
    out = b""
    for key, value in pairs:
        body = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        size = len(body) + 1
        while len(str(size)) + len(body) != size:
            size = len(str(size)) + len(body)
        out += str(size).encode() + body
    return out


def test_pax_records_override() -> None:
    found = apply_pax(
        records(
            ("path", "a=b\nc"),
            ("linkpath", "there"),
            ("size", "9000000000"),
            ("mtime", "1700000000.75"),
            ("SCHILY.xattr.security.capability", "x"),
        ),
        Override(),
    )
    assert found == Override("a=b\nc", "there", 9_000_000_000, 1_700_000_000)


def test_a_time_before_1970_is_rounded_down() -> None:
    assert apply_pax(records(("mtime", "-1.5")), Override()).mtime == -2
    assert apply_pax(records(("mtime", "-1.0")), Override()).mtime == -1


def test_pax_tells_of_sparse_files_in_three_ways() -> None:
    old = apply_pax(
        records(
            ("GNU.sparse.size", "999"),
            ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "5"),
            ("GNU.sparse.offset", "500"),
        ),
        Override(),
    )
    new = apply_pax(
        records(("GNU.sparse.major", "1"), ("GNU.sparse.name", "n"), ("GNU.sparse.realsize", "7")),
        Override(name="GNUSparseFile.1/n"),
    )
    assert (old.real_size, old.sparse.count(b"offset")) == (999, 2)
    assert (new.real_size, new.name) == (7, "n")
    assert new.sparse


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"nonsense",
            b"12",
            b"999 path=a\n",
            b"9 path=ab",
            b"5 =a\n",
            b"0 path=a\n",
            b"-9 path=a\n",
        ),
        *(b"11 size=-1\n", b"11 size=0x\n", b"11 size=1.5\n", records(("size", "9" * 30))),
        *(records(("mtime", "1e9")), records(("mtime", "nan")), records(("size", ""))),
    ],
)
def test_malformed_pax_records_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidHeader, match="pax"):
        apply_pax(content, Override())
