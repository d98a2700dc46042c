# SPDX-License-Identifier: Apache-2.0
"""How commands end: exit statuses, and errors as text and as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from wheelship.cli import group
from wheelship.cli.failure import render_failure
from wheelship.cli.main import main
from wheelship.cli.settings import Settings, common_options
from wheelship.errors import (
    ExitStatus,
    GateFailed,
    InputError,
    MachineError,
    NetworkError,
    WheelshipError,
)
from wheelship.request.errors import ConfigurationError, Finding


def ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``wheelship build`` end with ``error``."""

    @click.command("build")
    @common_options
    def command() -> None:
        raise error

    monkeypatch.setattr(group, "import_module", lambda _: SimpleNamespace(command=command))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (GateFailed("no"), 1),
        (click.UsageError("no"), 2),
        (InputError("no"), 3),
        (NetworkError("no"), 4),
        (MachineError("no"), 5),
        (RuntimeError("no"), 70),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (group.Terminated(), 143),
        (EOFError("marshal data too short"), 70),
        (click.exceptions.Exit(1), 1),
        (click.exceptions.Exit(0), 0),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_each_kind_of_end_has_its_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, options: list[str]
) -> None:
    ends_with(monkeypatch, error)
    assert main(["build", *options]) == status


def test_a_command_that_says_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    command = click.command("build")(lambda: None)
    monkeypatch.setattr(group, "import_module", lambda _: SimpleNamespace(command=command))
    assert main(["build"]) == ExitStatus.DONE


def test_a_bug_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, RuntimeError("the sky fell"))
    assert main(["build", "--json"]) == 70
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "bug"
    assert "error[bug]: RuntimeError: the sky fell" in shown.err
    assert "--verbose" in shown.err
    assert "Traceback" not in shown.err
    assert main(["build", "--verbose"]) == 70
    assert "Traceback" in capsys.readouterr().err


class Odd(InputError):
    code = "odd-thing"


def text_of(
    error: WheelshipError, capsys: pytest.CaptureFixture[str], *, color: str = "never"
) -> str:
    assert render_failure(error, Settings(environ={}, color=color)) == error.exit_status
    shown = capsys.readouterr()
    assert not shown.out, "stdout is for data"
    return shown.err


def test_an_error_says_code_place_cause_and_fix(capsys: pytest.CaptureFixture[str]) -> None:
    error = Odd("is odd", where="a.toml", hint="first line\nsecond = 2")
    assert text_of(error, capsys) == (
        "error[odd-thing]: a.toml: is odd\n  hint: first line\n        second = 2\n"
    )


def test_what_an_error_does_not_know_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert text_of(Odd("is odd"), capsys) == "error[odd-thing]: is odd\n"


def test_what_an_error_quotes_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    error = Odd("quotes\t\x1b[2J\u202e\rx", where="a\x07", hint="do\nso\x9b31m")
    assert text_of(error, capsys) == (
        "error[odd-thing]: a\\x07: quotes\t\\x1b[2J\\u202e\\x0dx\n  hint: do\n        so\\x9b31m\n"
    )


def test_colour_changes_nothing_but_colour(capsys: pytest.CaptureFixture[str]) -> None:
    error = Odd("is odd", where="a.toml", hint="do")
    colored = text_of(error, capsys, color="always")
    assert "\x1b[31merror[odd-thing]\x1b[0m" in colored
    for sequence in ("\x1b[31m", "\x1b[1m", "\x1b[36m", "\x1b[0m"):
        colored = colored.replace(sequence, "")
    assert colored == text_of(error, capsys)


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org; and what the user asks for on the command line wins."""
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: True))
    assert Settings(environ={}).colored
    assert not Settings(environ={"NO_COLOR": "1"}).colored
    assert Settings(environ={"NO_COLOR": ""}).colored
    assert Settings(environ={"NO_COLOR": "1"}, color="always").colored


def test_findings_stand_in_the_document_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    error = ConfigurationError(
        [
            Finding(file="pyproject.toml", key="a.b", message="is odd", hint="do", line=3),
            Finding(file="wheelship.toml", message="is worse"),
        ]
    )
    render_failure(error, Settings(environ={}, json=True))
    shown = capsys.readouterr()
    document = json.loads(shown.out)["error"]
    assert not shown.err
    assert document["code"] == "configuration"
    assert document["exit_status"] == 3
    assert document["findings"] == [
        {"file": "pyproject.toml", "line": 3, "key": "a.b", "message": "is odd", "hint": "do"},
        {"file": "wheelship.toml", "line": None, "key": None, "message": "is worse", "hint": None},
    ]
    text = text_of(error, capsys)
    assert text.count("pyproject.toml:3") == 1
    assert "fix: do" in text


@pytest.mark.parametrize("options", [["--help"], ["--version"], ["build", "--help"]])
def test_a_stdout_that_takes_nothing_is_said(options: list[str]) -> None:
    """Python itself would end with 120 and a line about an ignored exception."""
    command = [sys.executable, "-P", "-m", "wheelship.cli.main", *options]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert ended.returncode == 5
    assert ended.stderr.startswith("error[output-lost]: stdout: cannot be written to: No space")


LONG = """
import sys
from types import SimpleNamespace

import click

from wheelship.cli import group
from wheelship.cli.main import entry
from wheelship.cli.settings import common_options

@click.command("build")
@common_options
def command():
    {body}

group.import_module = lambda _: SimpleNamespace(command=command)
sys.argv = ["wheelship", "build", *sys.argv[1:]]
entry()
"""
WRITES = "sys.stdout.write('x' * 1_000_000)"


def run_long(body: str, stdout: int, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", LONG.format(body=body), *options]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=False, text=True)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_long_text_that_stdout_does_not_take_is_no_bug(options: list[str]) -> None:
    """Nothing of it is left in the buffer, so flushing succeeds."""
    with Path("/dev/full").open("w") as full:
        ended = run_long(WRITES, full.fileno(), *options)
    assert ended.stderr.startswith("error[output-lost]: stdout: cannot be written to: No space")
    assert ended.returncode == 5


@pytest.mark.parametrize(("body", "status"), [(WRITES, 0), ("raise BrokenPipeError", 70)])
def test_a_reader_that_left_is_no_broken_gate(body: str, status: int) -> None:
    reading, writing = os.pipe()
    if status == 0:
        os.close(reading)
    try:
        ended = run_long(body, writing)
    finally:
        os.close(writing)
    assert ended.returncode == status, ended.stderr
    assert ("error[bug]" in ended.stderr) == (status != 0)
