# SPDX-License-Identifier: Apache-2.0
"""Archives that nobody vouches for stay in their directory (PEP 721)."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from wheelship.sdist import unpack
from wheelship.sdist.errors import InvalidSdist
from wheelship.sdist.unpack import unpack_sdist
from wheelship.testing.sdist import make_tar

FILE = ("x-1/a.py", b"value = 1")


def header(name: str, kind: bytes, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, target, mode
    return made


def unpacked(tmp_path: Path, data: bytes) -> Path:
    archive = tmp_path / "x-1.tar.gz"
    archive.write_bytes(data)
    (tmp_path / "into").mkdir()
    return unpack_sdist(archive, archive.name, tmp_path / "into")


def test_files_directories_and_links_inside(tmp_path: Path) -> None:
    data = make_tar(
        [
            FILE,
            header("x-1/empty", tarfile.DIRTYPE),
            header("x-1/b/same.py", tarfile.LNKTYPE, "x-1/a.py"),
            header("x-1/b/link.py", tarfile.SYMTYPE, "../a.py"),
        ]
    )
    root = unpacked(tmp_path, data)
    assert root.name == "x-1"
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    assert names == ["a.py", "b", "b/link.py", "b/same.py", "empty"]
    assert (root / "b/same.py").read_bytes() == (root / "b/link.py").read_bytes() == FILE[1]
    assert not (root / "b/same.py").is_symlink()
    assert (root / "a.py").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([FILE, ("../evil", b"")], "leads outside: ../evil"),
        ([FILE, ("x-1/../../evil", b"")], "leads outside"),
        ([FILE, ("/evil", b"")], "leads outside"),
        ([FILE, header("x-1/l", tarfile.SYMTYPE, "../../evil")], "leads outside: ../../evil"),
        ([FILE, header("x-1/l", tarfile.SYMTYPE, "/etc/passwd")], "leads outside: /etc/passwd"),
        ([FILE, header("x-1/l", tarfile.LNKTYPE, "/etc/passwd")], "cannot be unpacked"),
        ([FILE, header("x-1/d", tarfile.CHRTYPE)], "holds a device"),
        ([FILE, header("x-1/d", tarfile.FIFOTYPE)], "holds a device"),
        ([FILE, FILE], "cannot be unpacked"),
        ([FILE, ("other/b.py", b"")], "exactly one directory"),
        ([("a.py", b"")], "exactly one directory"),
        ([], "exactly one directory"),
        (
            [FILE, header("x-1/l", tarfile.SYMTYPE, "."), header("x-1/l/m", tarfile.SYMTYPE, "a")],
            "a link behind another",
        ),
    ],
)
def test_what_leads_outside_or_is_no_file_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo | tuple[str, bytes]], message: str
) -> None:
    with pytest.raises(InvalidSdist, match=message):
        unpacked(tmp_path, make_tar(members))
    inside = {tmp_path / "x-1.tar.gz", tmp_path / "into"}
    assert set(tmp_path.iterdir()) == inside


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    """Links come last, so the path is a directory of its own when the file is written."""
    (tmp_path / "target").mkdir()
    members = [
        header("x-1/l", tarfile.SYMTYPE, "b"),
        ("x-1/l/evil", b"1"),
        ("x-1/b/c", b"2"),
    ]
    with pytest.raises(InvalidSdist, match="a link behind another"):
        unpacked(tmp_path, make_tar(members))
    assert not (tmp_path / "into/x-1/b/evil").exists()


def test_damaged_and_huge_archives_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_tar([("x-1/a", bytes(100_000))])
    with pytest.raises(InvalidSdist, match="cannot be unpacked"):
        unpacked(tmp_path, whole[: len(whole) // 2])
    monkeypatch.setattr(unpack, "_BYTES", 99_999)
    with pytest.raises(InvalidSdist, match="unpacks to too much"):
        unpack_sdist(write(tmp_path / "big.tar.gz", whole), "big.tar.gz", empty(tmp_path / "two"))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def empty(path: Path) -> Path:
    path.mkdir()
    return path
