# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: version, help, options before and after, errors, exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wheelship import __version__
from wheelship.cli.main import main


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELSHIP_STORE", str(tmp_path / "store"))


def test_version_is_printed_without_importing_a_parser() -> None:
    """Scripts ask for it before every call, so it must not wait for click."""
    code = (
        "import sys; from wheelship.cli.main import main; status = main(['--version']);"
        "print('click' in sys.modules, status)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == f"wheelship {__version__}\nFalse 0\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("init", "build", "lock", "check", "inspect", "cache"):
        assert f"\n  {name} " in shown


@pytest.mark.parametrize("command", ["init", "build", "lock", "check", "inspect", "cache"])
def test_each_command_has_help_that_explains(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: wheelship {command}")
    assert "--json" in shown


def test_examples_in_help_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """In a raw docstring click sees no backspace, and fills the examples into one paragraph."""
    for arguments, examples in (
        (["--help"], ("wheelship build  ", "wheelship check  ")),
        (["inspect", "--help"], ("wheelship inspect python:3.11-slim  ",)),
        (["completion", "--help"], ('bash  eval "$', 'zsh   eval "$', "fish  wheelship")),
    ):
        assert main(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert not [line for line in lines if "\\b" in line]
        for example in examples:
            assert any(line.lstrip().startswith(example) for line in lines), example


def test_unknown_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["biuld"]) == 2
    assert "Did you mean 'build'?" in capsys.readouterr().err


def test_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--json", "cache", "info"], ["cache", "info", "--json"]])
def test_json_is_accepted_before_and_after_the_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "wheelship.cache/1"
    assert document["path"] == str(tmp_path / "store")


def test_store_option_wins_over_the_environment(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["cache", "info", "--json", "--store", str(tmp_path / "other")]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(tmp_path / "other")


def _project(directory: Path, table: str) -> Path:
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "demo"\nversion = "1"\n\n[tool.wheelship]\n{table}\n'
    )
    (directory / "demo.py").write_text("")
    return directory


def test_configuration_errors_are_shown_all_at_once_with_a_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = _project(tmp_path, 'comand = ["x"]\nport = "many"')
    assert main(["build", str(project)]) == 3
    shown = capsys.readouterr().err
    assert "pyproject.toml:6" in shown
    assert "comand" in shown
    assert "command" in shown
    assert "pyproject.toml:7" in shown
    assert "port" in shown


def test_errors_are_json_under_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = _project(tmp_path, 'comand = ["x"]')
    assert main(["build", str(project), "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["exit_status"] == 3
    assert error["findings"][0]["line"] == 6


def test_traceback_only_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = _project(tmp_path, 'comand = ["x"]')
    assert main(["build", str(project)]) == 3
    assert "Traceback" not in capsys.readouterr().err
    assert main(["build", str(project), "--verbose"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_cache_prune_frees_what_info_showed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store" / "downloads").mkdir(parents=True)
    (tmp_path / "store" / "downloads" / ("a" * 64)).write_bytes(b"x" * 5000)
    assert main(["cache", "verify", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["damaged"]) == 1
    (tmp_path / "store" / "downloads" / ("a" * 64)).write_bytes(b"x" * 5000)
    assert main(["cache", "prune", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["freed_bytes"] == 5000
    assert not list((tmp_path / "store" / "downloads").iterdir())
