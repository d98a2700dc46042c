# SPDX-License-Identifier: Apache-2.0
"""What is shown while a command works: plain lines, bars on a terminal, nothing when quiet."""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Thread

import pytest

from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings
from wheelship.events import Advanced, Event, Finished, Started, Warned

WORK: tuple[Event, ...] = (
    Started("download", "a.whl", 100),
    Advanced("download", "a.whl", 60),
    Advanced("download", "a.whl", 40),
    Finished("download", "a.whl", "done", "100 B"),
)
WARNING = Warned("odd-thing", "this is odd [and not markup]", hint="do")


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def show(*events: Event, quiet: bool = False, json: bool = False) -> str:
        settings = Settings(environ={}, quiet=quiet, json=json, color="never")
        with ProgressView(settings) as view:
            for event in events:
                view.emit(event)
        out, err = capsys.readouterr()
        assert not out, "stdout is for data"
        return str(err)

    return show


def test_a_finished_piece_of_work_is_one_line(shown: Callable[..., str]) -> None:
    assert re.fullmatch(r"download a\.whl: done: 100 B \(\d+\.\d s\)\n", shown(*WORK))


def test_work_that_nobody_saw_begin_has_no_time(shown: Callable[..., str]) -> None:
    assert shown(Finished("layer", "x", "reused")) == "layer x: reused\n"


def test_a_warning_of_several_images_is_shown_once(shown: Callable[..., str]) -> None:
    other = Warned("odd-thing", "this is odd elsewhere", hint="do")
    lines = shown(WARNING, other, WARNING).splitlines()
    assert [line for line in lines if line.startswith("warning")] == [
        "warning[odd-thing]: this is odd [and not markup]",
        "warning[odd-thing]: this is odd elsewhere",
    ]


def test_no_name_steers_the_terminal(shown: Callable[..., str]) -> None:
    lines = shown(Warned("odd", "of \x1b[2J/RECORD"), Finished("layer", "\x1b]0;x\x07", "done"))
    assert lines == "warning[odd]: of \\x1b[2J/RECORD\nlayer \\x1b]0;x\\x07: done\n"


def test_quiet_leaves_warnings_only(shown: Callable[..., str]) -> None:
    assert shown(*WORK, WARNING, quiet=True) == (
        "warning[odd-thing]: this is odd [and not markup]\n  hint: do\n"
    )


@pytest.mark.parametrize("json", [False, True])
def test_a_terminal_gets_bars_unless_the_result_is_json(
    shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch, *, json: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    text = shown(WORK[0], WARNING, *WORK[1:], json=json)
    assert ("download a.whl: done" in text) is json
    assert "this is odd [and not markup]" in text


def test_events_may_come_from_several_threads(shown: Callable[..., str]) -> None:
    with ProgressView(Settings(environ={}, color="never")) as view:

        def work(number: int) -> None:
            for step in range(50):
                view.emit(Started("layer", f"{number}-{step}"))
                view.emit(Finished("layer", f"{number}-{step}", "done"))

        threads = [Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = shown().splitlines()
    assert len(lines) == 200
    assert all(re.fullmatch(r"layer \d-\d+: done \(\d+\.\d s\)", line) for line in lines)
