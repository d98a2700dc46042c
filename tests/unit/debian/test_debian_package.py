# SPDX-License-Identifier: Apache-2.0
"""Reading a .deb: the locked one, well-formed, and nothing in it that no image may get."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.debian.errors import InvalidDeb, PackageMismatch
from wheelship.debian.member import Limits
from wheelship.debian.package import DebPackage, open_package
from wheelship.testing.deb import MadeDeb, TarMember, ar_bytes, make_deb, tar_bytes


def _open(deb: MadeDeb, directory: Path, limits: Limits | None = None) -> DebPackage:
    return open_package(deb.locked(), deb.write(directory), directory, limits)


def _raw(data: bytes) -> MadeDeb:
    return replace(make_deb(), data=data)


CONTROL = lzma.compress(
    tar_bytes(
        [TarMember("./control", b"Package: demo\nVersion: 1.0-1\nArchitecture: amd64\n")],
    )
)
DATA = lzma.compress(tar_bytes([TarMember("./usr/x", b"content")]))
GOOD = {"debian-binary": b"2.0\n", "control.tar.xz": CONTROL, "data.tar.xz": DATA}


def test_everything_in_a_package_is_found(tmp_path: Path) -> None:
    deb = make_deb(
        files={"usr/bin/tool": b"x" * 600_000, "usr/lib/link": "-> ../bin/tool", "etc/empty": b""},
        scripts={"postinst": "#!/bin/sh\n", "triggers": "activate-noawait ldconfig\n"},
        fields={"Depends": "libc6"},
    )
    package = _open(deb, tmp_path)
    found = {member.path: member for member in package.members}
    assert sorted(found) == [
        "etc",
        "etc/empty",
        "usr",
        "usr/bin",
        "usr/bin/tool",
        "usr/lib",
        "usr/lib/link",
    ]
    assert found["usr/bin/tool"].mode == 0o755
    assert found["usr/lib/link"].target == "../bin/tool"
    pieces = list(package.read(found["usr/bin/tool"]))
    assert b"".join(pieces) == b"x" * 600_000
    assert max(map(len, pieces)) <= 256 * 1024
    assert list(package.read(found["etc/empty"])) == []
    assert package.control["Depends"] == "libc6"
    assert package.scripts == {"postinst": "#!/bin/sh\n", "triggers": "activate-noawait ldconfig\n"}
    assert b"usr/bin/tool" in package.md5sums


@pytest.mark.parametrize(
    ("name", "pack"),
    [("data.tar.xz", lzma.compress), ("data.tar.gz", gzip.compress), ("data.tar", bytes)],
)
def test_compressions_of_debian_are_read(name: str, pack, tmp_path: Path) -> None:  # noqa: ANN001
    tar = tar_bytes([TarMember("./usr/x", bytes(3_000_000))])
    members = {"debian-binary": b"2.0\n", "control.tar.xz": CONTROL, name: pack(tar)}
    package = _open(_raw(ar_bytes(members)), tmp_path)
    assert sum(map(len, package.read(package.members[0]))) == 3_000_000


@pytest.mark.parametrize("change", ["bytes", "size", "empty"])
def test_another_file_than_the_locked_one_is_refused(change: str, tmp_path: Path) -> None:
    deb = make_deb(files={"usr/x": b"content"})
    path = deb.write(tmp_path)
    changed = {"bytes": deb.data[:-1] + b"?", "size": deb.data + b"?", "empty": b""}[change]
    path.write_bytes(changed)
    with pytest.raises(PackageMismatch, match=r"not the locked package demo 1\.0-1"):
        open_package(deb.locked(), path, tmp_path)


def test_a_package_that_calls_itself_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDeb, match=r"calls itself demo 1\.0-1 amd64"):
        _open(replace(make_deb(), version="2.0-1"), tmp_path)


CONTAINERS: dict[str, tuple[bytes, str]] = {
    "no archive": (b"PK\3\4", "no ar archive"),
    "nothing in it": (b"!<arch>\n", "unexpected members"),
    "a member too many": (ar_bytes(GOOD | {"_gpgorigin": b"x"}), "unexpected members"),
    "a member first": (ar_bytes({"x": b"", **GOOD}), "unexpected members"),
    "no data": (ar_bytes({"debian-binary": b"2.0\n", "control.tar.xz": CONTROL}), "unexpected"),
    "another order": (
        ar_bytes({"debian-binary": b"2.0\n", "data.tar.xz": DATA, "control.tar.xz": CONTROL}),
        "expected control.tar.xz",
    ),
    "version 3": (ar_bytes(GOOD | {"debian-binary": b"3.0\n"}), "not version 2"),
    "a long version": (ar_bytes(GOOD | {"debian-binary": b"2.0\n" * 99}), "not version 2"),
    "zstd": (
        ar_bytes({"debian-binary": b"2.0\n", "control.tar.zst": b"", "data.tar.zst": b""}),
        "zstd cannot be read",
    ),
    "bzip2": (
        ar_bytes({"debian-binary": b"2.0\n", "control.tar.xz": CONTROL, "data.tar.bz2": b""}),
        "expected data.tar.xz",
    ),
    "truncated": (ar_bytes(GOOD)[:-40], "truncated"),
    "no padding": (
        ar_bytes(GOOD | {"data.tar.xz": DATA + b"x" * (~len(DATA) & 1)})[:-1],
        "truncated",
    ),
    "truncated header": (ar_bytes(GOOD) + b"x" * 30, "no ar member"),
    "negative size": (ar_bytes(GOOD).replace(b"4         `", b"-4        `", 1), "no ar member"),
    "data after xz": (ar_bytes(GOOD | {"data.tar.xz": DATA + b"junk"}), "data after the end"),
    "two xz streams": (ar_bytes(GOOD | {"data.tar.xz": DATA + DATA}), "data after the end"),
    "xz cut off": (ar_bytes(GOOD | {"data.tar.xz": DATA[:-8]}), "incomplete"),
    "xz damaged": (ar_bytes(GOOD | {"data.tar.xz": DATA[:30] + b"x" + DATA[31:]}), "cannot be"),
    "no xz": (ar_bytes(GOOD | {"data.tar.xz": b"x" * 60}), "cannot be inflated"),
    "empty xz": (ar_bytes(GOOD | {"data.tar.xz": b""}), "incomplete"),
    "control missing": (
        ar_bytes(GOOD | {"control.tar.xz": lzma.compress(tar_bytes([TarMember("./x", b"x")]))}),
        "no control file",
    ),
    "control in a directory": (
        ar_bytes(GOOD | {"control.tar.xz": lzma.compress(tar_bytes([TarMember("./x/control")]))}),
        "control archive with",
    ),
    "control is a link": (
        ar_bytes(
            GOOD
            | {
                "control.tar.xz": lzma.compress(
                    tar_bytes([TarMember("./control", kind=tarfile.SYMTYPE, target="x")])
                )
            }
        ),
        "control archive with the symlink",
    ),
}


@pytest.mark.parametrize("case", CONTAINERS)
def test_a_malformed_container_is_refused(case: str, tmp_path: Path) -> None:
    data, message = CONTAINERS[case]
    with pytest.raises(InvalidDeb, match=message) as caught:
        _open(_raw(data), tmp_path)
    assert caught.value.where == "demo_1.0-1_amd64.deb"


def test_gzip_is_as_strict_as_xz(tmp_path: Path) -> None:
    tar = tar_bytes([TarMember("./usr/x", b"content")])
    packed = gzip.compress(tar)
    for data, message in [
        (packed + b"junk", "data after the end"),
        (packed + packed, "data after the end"),
        (packed[:-9], "incomplete"),
        (packed[:-8] + bytes(8), "cannot be inflated"),
    ]:
        members = {"debian-binary": b"2.0\n", "control.tar.xz": CONTROL, "data.tar.gz": data}
        with pytest.raises(InvalidDeb, match=message):
            _open(_raw(ar_bytes(members)), tmp_path)
        (tmp_path / "demo.data").unlink()


REFUSED = {
    "absolute": TarMember("/etc/passwd"),
    "climbing": TarMember("./usr/../../etc/passwd"),
    "climbing at once": TarMember("../x"),
    "dot inside": TarMember("./usr/./x"),
    "double slash": TarMember("./usr//x"),
    "whiteout": TarMember("./usr/.wh.x"),
    "opaque whiteout": TarMember("./usr/.wh..wh..opq"),
    "below a whiteout": TarMember("./.wh.usr/x"),
    "newline": TarMember("./usr/a\nb"),
    "not UTF-8": TarMember("./usr/\udcff"),
    "character device": TarMember("./dev/null", kind=tarfile.CHRTYPE),
    "block device": TarMember("./dev/sda", kind=tarfile.BLKTYPE),
    "pipe": TarMember("./run/pipe", kind=tarfile.FIFOTYPE),
    "sparse": TarMember("./usr/x", kind=tarfile.GNUTYPE_SPARSE),
    "link out": TarMember("./usr/x", kind=tarfile.SYMTYPE, target="../../etc/shadow"),
    "link out in the middle": TarMember("./a", kind=tarfile.SYMTYPE, target="b/../../c"),
    "absolute link out": TarMember("./a", kind=tarfile.SYMTYPE, target="/../etc/shadow"),
    "link to nothing": TarMember("./a", kind=tarfile.SYMTYPE, target=""),
    "link with a newline": TarMember("./a", kind=tarfile.SYMTYPE, target="b\nc"),
    "hard link out": TarMember("./a", kind=tarfile.LNKTYPE, target="../etc/shadow"),
    "hard link absolute": TarMember("./a", kind=tarfile.LNKTYPE, target="/etc/shadow"),
    "root is a file": TarMember("./", b"x"),
    "directory with content": TarMember("./usr/", b"x", kind=tarfile.DIRTYPE),
}


@pytest.mark.parametrize("case", REFUSED)
def test_members_that_no_image_may_get_are_refused(case: str, tmp_path: Path) -> None:
    deb = make_deb(members=[TarMember("./", kind=tarfile.DIRTYPE), REFUSED[case]])
    with pytest.raises(InvalidDeb):
        _open(deb, tmp_path)


def test_links_may_climb_to_the_root_but_not_beyond(tmp_path: Path) -> None:
    members = [
        TarMember("./usr/lib/a", kind=tarfile.SYMTYPE, target="../../etc/x"),
        TarMember("./usr/lib/b", kind=tarfile.SYMTYPE, target="/lib/x86_64-linux-gnu/y"),
    ]
    package = _open(make_deb(members=members), tmp_path)
    assert [member.target for member in package.members] == [
        "../../etc/x",
        "/lib/x86_64-linux-gnu/y",
    ]


def test_a_path_twice_is_refused(tmp_path: Path) -> None:
    twice = [TarMember("./usr/x", b"1"), TarMember("usr/x", b"2")]
    with pytest.raises(InvalidDeb, match="holds usr/x twice"):
        _open(make_deb(members=twice), tmp_path)


TAR = tar_bytes([TarMember("./usr/x", b"x" * 1000), TarMember("./usr/y", b"y" * 1000)])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TAR[:600], "truncated"),
        (TAR[:1000] + b"?" + TAR[1001:], None),
        (TAR.replace(b"./usr/y", b"./usr/z", 1), "data after the end of its tar"),
        (TAR + b"junk" * 128, "data after the end of its tar"),
        (b"", "no readable tar"),
        (b"junk" * 256, "no readable tar"),
    ],
    ids=["cut in a file", "other content", "bad checksum", "junk after", "empty", "no tar"],
)
def test_a_tar_archive_describes_all_of_itself(
    data: bytes, message: str | None, tmp_path: Path
) -> None:
    deb = make_deb(data_tar=data)
    if message is None:
        assert len(_open(deb, tmp_path).members) == 2
    else:
        with pytest.raises(InvalidDeb, match=message):
            _open(deb, tmp_path)


def test_long_names_are_read_but_not_endless_ones(tmp_path: Path) -> None:
    long = "usr/" + "n" * 200
    assert _open(make_deb(files={long: b"x"}), tmp_path).members[-1].path == long
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 10_000_000
    buffer = io.BytesIO()
    buffer.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000_384))
    with pytest.raises(InvalidDeb, match="claims 10000000 bytes"):
        _open(make_deb("other", data_tar=buffer.getvalue()), tmp_path)


def test_limits_hold(tmp_path: Path) -> None:
    bomb = make_deb("bomb", files={"usr/x": bytes(50_000_000)})
    assert len(bomb.data) < 100_000
    with pytest.raises(InvalidDeb, match="more than 1000000 bytes"):
        _open(bomb, tmp_path, Limits(data_bytes=1_000_000))
    many = make_deb("many", files={f"usr/{number}": b"" for number in range(20)})
    with pytest.raises(InvalidDeb, match="too many members"):
        _open(many, tmp_path, Limits(members=10))
    talk = make_deb("talk", scripts={"postinst": "#" * 100_000})
    with pytest.raises(InvalidDeb, match="more than 50000 bytes"):
        _open(talk, tmp_path, Limits(control_bytes=50_000))


def test_the_hash_is_checked_before_anything_is_read(tmp_path: Path) -> None:
    deb = _raw(b"no package at all")
    path = deb.write(tmp_path)
    locked = replace(deb.locked(), sha256=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(PackageMismatch):
        open_package(locked, path, tmp_path)


def pax(member: TarMember, **records: str) -> bytes:
    """Return a tar archive whose pax records override the header of ``member``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        header = tarfile.TarInfo(member.name)
        header.type, header.linkname, header.size = member.kind, member.target, len(member.data)
        header.pax_headers = records
        archive.addfile(header, io.BytesIO(member.data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pax(TarMember("./a", b"x"), path="../../etc/passwd"), "is not allowed"),
        (pax(TarMember("./a", b"x"), path="usr/.wh.bin"), "is not allowed"),
        (
            pax(TarMember("./a", kind=tarfile.SYMTYPE, target="b"), linkpath="../../etc/shadow"),
            "leads out",
        ),
        (
            pax(TarMember("./a", kind=tarfile.LNKTYPE, target="b"), linkpath="/etc/shadow"),
            "is not allowed",
        ),
        (pax(TarMember("./a", b"x"), size=str(2**60)), "truncated|no readable tar|data after"),
        (pax(TarMember("./a", b"x"), size="-1"), "truncated|no readable tar|claims|data after"),
        (
            pax(
                TarMember("./a", b"x" * 512),
                **{"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**50)},
            ),
            "device, pipe or something else|no readable tar",
        ),
        (tar_bytes([TarMember("./a", b"1"), TarMember("./a", b"2")]), "holds a twice"),
        (
            tar_bytes([TarMember("./a", kind=tarfile.SYMTYPE, target="b"), TarMember("./a", b"2")]),
            "holds a twice",
        ),
    ],
    ids=[
        "pax path out",
        "pax path of a whiteout",
        "pax link out",
        "pax hard link out",
        "pax size of an exabyte",
        "pax size below zero",
        "pax sparse",
        "twice",
        "a link and a file in its place",
    ],
)
def test_extended_headers_and_doubles_are_refused(
    data: bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidDeb, match=message) as caught:
        _open(make_deb(data_tar=data), tmp_path)
    assert caught.value.hint


def test_a_dictionary_that_needs_gibibytes_is_not_allocated(tmp_path: Path) -> None:
    """Xz says how much memory it wants; 256 MiB is more than Debian ever asks for."""
    packed = bytearray(lzma.compress(lzma.decompress(DATA), check=lzma.CHECK_CRC32))
    header = packed[12 : 12 + (packed[12] + 1) * 4]
    at = header.index(b"\x21\x01") + 2
    header[at] = 36  # 1 GiB
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    packed[12 : 12 + len(header)] = header
    with pytest.raises(InvalidDeb, match="cannot be inflated: Memory usage limit"):
        _open(_raw(ar_bytes(GOOD | {"data.tar.xz": bytes(packed)})), tmp_path)


def test_a_control_file_twice_is_refused(tmp_path: Path) -> None:
    control = lzma.compress(tar_bytes([TarMember("./control", b"a"), TarMember("control", b"b")]))
    with pytest.raises(InvalidDeb, match="holds control twice"):
        _open(_raw(ar_bytes(GOOD | {"control.tar.xz": control})), tmp_path)


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    """Dpkg would take the first data member, other tools the last."""
    again = ar_bytes({"data.tar.xz": DATA})[8:]
    with pytest.raises(InvalidDeb, match="unexpected members"):
        _open(_raw(ar_bytes(GOOD) + again), tmp_path)


@pytest.mark.parametrize("name", ["../../x", "#1/20", "//", "control.tar.xz\0", "Data.tar.xz"])
def test_other_names_of_members_are_refused(name: str, tmp_path: Path) -> None:
    data = ar_bytes({"debian-binary": b"2.0\n", "control.tar.xz": CONTROL, name: DATA})
    with pytest.raises(InvalidDeb, match=r"unexpected member|no ar member"):
        _open(_raw(data), tmp_path)
