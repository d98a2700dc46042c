# SPDX-License-Identifier: Apache-2.0
"""A wheel is rewritten so that only its files decide its bytes."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.archive.errors import ContentMismatch, InvalidZip
from wheelship.archive.zip_write import ZipMember, write_zip
from wheelship.sdist.normalize import normalize
from wheelship.testing.wheel import make_wheel
from wheelship.wheel.reader import open_wheel

FILES = {"x/b.py": b"b = 1\n" * 50, "x/a.py": b"", "x/\u00e9.txt": b"accent"}


def rewritten(tmp_path: Path, **kind: object) -> bytes:
    made = make_wheel("x", files=FILES, **kind)  # type: ignore[arg-type]
    target = tmp_path / "target"
    target.unlink(missing_ok=True)
    normalize(made.write(tmp_path), target)
    return target.read_bytes()


def test_order_compression_and_modes_do_not_matter_but_the_executable_bit(tmp_path: Path) -> None:
    plain = rewritten(tmp_path)
    assert rewritten(tmp_path, method=zipfile.ZIP_STORED) == plain
    assert rewritten(tmp_path, modes={"x/a.py": 0o600, "x/b.py": 0o666}) == plain
    assert rewritten(tmp_path, modes={"x/b.py": 0o700}) != plain


def test_the_result_is_a_sound_wheel_with_the_same_files(tmp_path: Path) -> None:
    data = rewritten(tmp_path, modes={"x/b.py": 0o711})
    path = tmp_path / "x-1.0-py3-none-any.whl"
    path.write_bytes(data)
    with open_wheel(path, path.name, sha256=hashlib.sha256(data).hexdigest()) as wheel:
        assert {name: wheel.read(name) for name in FILES} == FILES
        assert wheel.members["x/b.py"].executable
        assert not wheel.members["x/a.py"].executable
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names[-1] == "x-1.0.dist-info/RECORD"
    assert names[:-1] == sorted(names[:-1])


def test_a_gap_in_record_is_closed_and_a_lie_is_not_forgiven(tmp_path: Path) -> None:
    rewritten(tmp_path, record="x-1.0.dist-info/RECORD,,\n")
    wrong = "x/b.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,300\n"
    with pytest.raises(ContentMismatch):
        rewritten(tmp_path, record=wrong)


def test_an_archive_that_zip_cannot_hold_is_refused(tmp_path: Path) -> None:
    member = ZipMember(name="a", data=b"", mode=0o644)
    with (tmp_path / "zip").open("wb") as stream, pytest.raises(InvalidZip, match="too large"):
        write_zip(stream, (member for _ in range(65_535)))


@given(
    files=st.dictionaries(st.text("abc\u00e9/", min_size=1, max_size=6), st.binary(max_size=300))
)
def test_others_read_what_was_written(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("zip") / "archive"
    with path.open("wb") as stream:
        write_zip(stream, (ZipMember(name=k, data=v, mode=0o755) for k, v in files.items()))
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert all(one.external_attr >> 16 == 0o100755 for one in archive.infolist())
