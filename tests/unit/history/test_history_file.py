# SPDX-License-Identifier: Apache-2.0
"""The file of past builds: builds at the same time, torn lines, foreign files, its bounds."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wheelship.history import file as history
from wheelship.history.errors import HistoryUnavailable, InvalidHistory
from wheelship.history.line import line_of
from wheelship.history.model import PastBuild

Make = Callable[..., PastBuild]

_PROCESS = """
import sys
from pathlib import Path
from wheelship.history import file
from wheelship.history.line import past_build_of
from dataclasses import replace

path, name, most, template = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
file.MOST_BYTES = most
build = past_build_of(template.encode())
for number in range(200):
    file.append(path, [replace(build, name=name, layers=number)])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".wheelship" / "history.jsonl"


def test_what_is_appended_is_read_in_order(path: Path, make: Make) -> None:
    history.append(path, [make(0), make(1, variant="cuda")])
    history.append(path, [make(2)])
    assert history.read(path) == (make(0), make(1, variant="cuda"), make(2))
    assert path.read_bytes() == b"".join(map(line_of, history.read(path)))


def test_nothing_is_read_where_nothing_is(path: Path) -> None:
    assert history.read(path) == ()
    history.append(path, [])
    assert not path.parent.exists()


def test_the_folder_keeps_itself_out_of_git_until_somebody_wants_it_in(
    path: Path, make: Make
) -> None:
    history.append(path, [make()])
    ignore = path.parent / ".gitignore"
    assert ignore.read_text() == "*\n"
    ignore.unlink()
    history.append(path, [make()])
    assert not ignore.exists()
    history.append(path.parents[1] / "ci" / "builds.jsonl", [make()])
    assert [one.name for one in (path.parents[1] / "ci").iterdir()] == ["builds.jsonl"]


def run_two(path: Path, template: bytes, most: int) -> None:
    arguments = [sys.executable, "-P", "-c", _PROCESS, str(path)]
    both = [
        subprocess.Popen([*arguments, name, str(most), template.decode()]) for name in ("a", "b")
    ]
    assert [one.wait() for one in both] == [0, 0]


def test_builds_at_the_same_time_lose_no_line_and_mix_none(path: Path, make: Make) -> None:
    run_two(path, line_of(make()), history.MOST_BYTES)
    builds = history.read(path)
    assert len(path.read_bytes().splitlines()) == len(builds) == 400
    for name in ("a", "b"):
        assert [one.layers for one in builds if one.name == name] == list(range(200))


def test_builds_at_the_same_time_lose_none_of_the_new_lines_when_old_ones_are_dropped(
    path: Path, make: Make
) -> None:
    most = 40 * len(line_of(make()))
    run_two(path, line_of(make()), most)
    builds = history.read(path)
    assert path.stat().st_size <= most
    assert len(path.read_bytes().splitlines()) == len(builds) >= 15
    # Each drops the oldest only, so what is left of a process is its end, without a gap.
    for name in ("a", "b"):
        own = [one.layers for one in builds if one.name == name]
        assert own == list(range(200 - len(own), 200))
    assert [one.name for one in path.parent.iterdir() if ".new-" in one.name] == []


def test_who_waited_for_a_file_that_was_replaced_meanwhile_adds_to_the_new_one(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append(path, [make(0)])
    flock = fcntl.flock

    def wait(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        shortened = path.with_name("shortened")
        shortened.write_bytes(line_of(make(1)))
        shortened.replace(path)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", wait)
    history.append(path, [make(2)])
    assert history.read(path) == (make(1), make(2))


def test_the_newer_half_is_kept(path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    line = len(line_of(make()))
    monkeypatch.setattr(history, "MOST_BYTES", 20 * line)
    for number in range(20):
        history.append(path, [make(number)])
    path.chmod(0o640)
    assert len(history.read(path)) == 20
    history.append(path, [make(20)])
    numbers = [one.transfer_bytes - 300_000_000 for one in history.read(path)]
    assert numbers == list(range(21 - len(numbers), 21))
    assert 9 <= len(numbers) <= 11
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_to_a_history_stays_a_link(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_BYTES", 3 * len(line_of(make())))
    real = path.parents[1] / "kept" / "builds.jsonl"
    real.parent.mkdir(parents=True)
    path.parent.mkdir()
    path.symlink_to(real)
    for number in range(8):
        history.append(path, [make(number)])
    assert path.is_symlink()
    assert history.read(real)[-1] == make(7)


@pytest.mark.parametrize("kept", [1, 10, 100, -1])
def test_a_torn_line_costs_nothing_but_itself(path: Path, make: Make, kept: int) -> None:
    history.append(path, [make(0), make(1)])
    whole = path.read_bytes()
    path.write_bytes(whole + line_of(make(2))[:kept])
    before = history.read(path)
    # Without its end alone, the line is all there.
    assert before == ((make(0), make(1), make(2)) if kept == -1 else (make(0), make(1)))
    history.append(path, [make(3)])
    assert history.read(path) == (*before, make(3))


@pytest.mark.parametrize("kept", [1, 12, 100])
def test_a_history_whose_first_line_is_torn_goes_on(path: Path, make: Make, kept: int) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(line_of(make())[:kept])
    history.append(path, [make(1)])
    assert history.read(path) == (make(1),)


@pytest.mark.parametrize(
    "content",
    [b"# Read me\n", b"{}", b'{"name": "x"}\n', b'{"dig"}', b"\0" * 5_000, b"text\n" * 50_000],
)
def test_a_foreign_file_is_left_alone(path: Path, make: Make, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(InvalidHistory) as raised:
        history.append(path, [make()])
    assert raised.value.where == str(path)
    assert path.read_bytes() == content
    with pytest.raises(InvalidHistory):
        history.read(path)


def test_a_history_of_a_later_release_is_added_to(path: Path, make: Make) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(line_of(make()).replace(b"past-build/1", b"past-build/2"))
    with pytest.raises(InvalidHistory, match="newer wheelship"):
        history.read(path)
    history.append(path, [make(1)])
    assert history.read(path) == (make(1),)


def test_of_a_huge_file_the_end_is_read(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append(path, [make(number) for number in range(50)])
    monkeypatch.setattr(history, "_MOST_READ", 10 * len(line_of(make())) + 5)
    assert history.read(path) == tuple(make(number) for number in range(40, 50))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, make: Make) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidHistory, match="no regular file"):
        history.append(tmp_path / "pipe", [make()])
    with pytest.raises(InvalidHistory, match="no regular file"):
        history.read(tmp_path / "pipe")


def test_a_place_that_cannot_be_written_is_an_error_with_a_way_out(
    tmp_path: Path, make: Make
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HistoryUnavailable) as raised:
        history.append(tmp_path / "file" / "history.jsonl", [make()])
    assert "--history none" in str(raised.value.hint)
    with pytest.raises(HistoryUnavailable):
        history.read(tmp_path / "file" / "history.jsonl")
    with pytest.raises(InvalidHistory):
        history.read(tmp_path)


def test_a_full_disk_leaves_no_part_of_a_line(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append(path, [make(0)])
    whole, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:50]))
    with pytest.raises(HistoryUnavailable, match="No space left"):
        history.append(path, [make(1)])
    assert path.read_bytes() == whole


def test_who_holds_the_lock_for_ever_does_not_hold_the_build(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append(path, [make(0)])
    monkeypatch.setattr(history, "_PATIENCE_SECONDS", 0.02)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(HistoryUnavailable, match="another process"):
            history.append(path, [make(1)])
    history.append(path, [make(2)])
    assert history.read(path) == (make(0), make(2))


def test_where_locks_do_nothing_lines_are_added_and_none_dropped(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(history, "MOST_BYTES", 1)
    for number in range(3):
        history.append(path, [make(number)])
    assert history.read(path) == (make(0), make(1), make(2))
