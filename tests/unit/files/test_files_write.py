# SPDX-License-Identifier: Apache-2.0
"""Files appear whole or not at all, and nobody's unfinished work stays."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wheelship.files.digest import file_digest
from wheelship.files.write import is_unfinished, replacing, write_file
from wheelship.oci.digest import Digest

WRITER = """
import os, sys
from pathlib import Path
from wheelship.files.write import replacing
with replacing(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    sys.stdin.readline()
"""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_new_content_appears_at_the_end_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = os.umask(0o077)
    try:
        with replacing(path, mode=0o640, synced=True) as stream:
            stream.write(b"new")
            stream.flush()
            assert path.read_bytes() == b"old"
            assert all(is_unfinished(name) for name in names(tmp_path) if name != "file")
        write_file(tmp_path / "other", b"text")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o644
    assert names(tmp_path) == ["file", "other"]


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as stream:
        stream.write(b"new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_directory_in_its_place_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]


def test_unfinished_work_lies_where_its_owner_wants_it(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with replacing(tmp_path / "file", work=work) as stream:
        stream.write(b"new")
        assert len(names(work)) == 1
        assert names(tmp_path) == ["work"]
    assert names(work) == []
    assert (tmp_path / "file").read_bytes() == b"new"


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    """Traps §6: no temporary file left, or collected by the next run."""
    path = tmp_path / "file"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
    assert len(names(tmp_path)) == 2
    writers[0].send_signal(signal.SIGKILL)
    writers[0].communicate()
    unrelated = tmp_path / ".file.other"
    unrelated.touch()
    write_file(path, b"whole")
    assert path.read_bytes() == b"whole"
    (living,) = [name for name in names(tmp_path) if is_unfinished(name)]
    assert (tmp_path / living).read_bytes() == b"half"
    assert unrelated.exists()
    writers[1].communicate(b"\n")
    assert writers[1].returncode == 0
    assert path.read_bytes() == b"half"
    assert names(tmp_path) == [".file.other", "file"]


def test_a_file_system_without_locks_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / ".file.new-abc").touch()
    write_file(tmp_path / "file", b"text")
    assert names(tmp_path) == [".file.new-abc", "file"]  # it may be somebody's


def test_a_digest_is_of_all_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert file_digest(path) == Digest.of(b"x" * 3_000_000)
