# SPDX-License-Identifier: Apache-2.0
"""What the commands refuse before they look at a project, and where the store is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wheelship.cli.main import main
from wheelship.cli.settings import Settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELSHIP_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["build", "--locked", "--frozen"], "--locked and --frozen exclude each other"),
        (["build", "--all", "--variant", "cpu"], "--all and --variant exclude each other"),
        (["plan", "--all", "--variant", "cpu"], "--all and --variant exclude each other"),
        (["build", "--jobs", "0"], "0 is not in the range"),
        (["build", "nowhere"], "'nowhere' does not exist"),
        (["build", "--color", "pink"], "'pink' is not one of"),
        (["build", ".", "more"], "more"),
        (["lock", "--upgrade-package"], "requires an argument"),
        (["check", "--engine", "steam"], "'steam' is not one of"),
        (["check", "--start-timeout", "0"], "0.0 is not in the range"),
        (["cache", "burn"], "burn"),
    ],
)
def test_wrong_arguments_are_usage_errors(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Error: " in shown.err
    assert not shown.out
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("text", ["linux/riscv64", "windows/amd64", "linux/arm64/v7", "", "linux"])
def test_unknown_platforms_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--json", f"--platform={text}"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "invalid-platform"
    assert "linux/amd64" in error["hint"]


@pytest.mark.parametrize("command", [["build"], ["plan"], ["check"], ["push", ".", "host/name"]])
def test_a_refusal_is_json_wherever_that_was_asked_for(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--platform=banana", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid-platform"


@pytest.mark.parametrize(
    "tag", ["Foo Bar", "team/app:x y", "app@sha256:1", "https://example.org/a"]
)
def test_names_that_no_engine_takes_are_refused_before_the_project_is_read(
    tag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--tag", tag, "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["where"]) == ("invalid-output", tag)


@pytest.mark.parametrize("text", ["", "oci", "oci:", "tar:x", "docker-archive:"])
def test_unknown_outputs_are_refused_before_the_project_is_read(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no project here at all."""
    assert main(["build", "--json", f"--output={text}"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "invalid-output"
    assert repr(text) in error["message"]
    assert "oci:DIR" in error["hint"]


def test_a_directory_without_a_project_says_what_would_be_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["build", "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "configuration"
    assert "pyproject.toml" in error["message"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WHEELSHIP_STORE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/wheelship"),
        ({"XDG_CACHE_HOME": ""}, "~/.cache/wheelship"),
        ({"WHEELSHIP_STORE": ""}, "~/.cache/wheelship"),
        ({}, "~/.cache/wheelship"),
    ],
)
def test_the_store_is_where_the_environment_says(environ: dict[str, str], expected: str) -> None:
    assert Settings(environ=environ).store_root == Path(expected).expanduser()


def test_a_relative_store_is_one_place_from_wherever_it_is_named(tmp_path: Path) -> None:
    assert Settings(environ={"WHEELSHIP_STORE": "here"}).store_root == tmp_path / "here"
    assert Settings(environ={}, store=Path("there")).store_root == tmp_path / "there"


@pytest.mark.parametrize("keep", ["banana", "-1 MB", "5 XB"])
def test_pruning_to_no_size_prunes_nothing(
    keep: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "store" / "downloads" / ("a" * 64)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"x" * 5000)
    assert main(["cache", "prune", "--json", "--keep", keep]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid-value"
    assert kept.exists()


def test_pruning_stops_at_the_size_to_keep(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    downloads = tmp_path / "store" / "downloads"
    downloads.mkdir(parents=True)
    for number, name in enumerate(("a", "b")):
        path = downloads / (name * 64)
        path.write_bytes(b"x" * 5000)
        os.utime(path, (number, number))
    assert main(["cache", "prune", "--json", "--keep", "6 kB"]) == 0
    assert json.loads(capsys.readouterr().out)["freed_bytes"] == 5000
    assert [path.name[0] for path in downloads.iterdir()] == ["b"], "the older one went"
