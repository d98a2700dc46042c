# SPDX-License-Identifier: Apache-2.0
"""``wheelship init`` as its users meet it: what it prints, asks, writes and refuses."""

from __future__ import annotations

import errno
import json
import os
import pty
import select
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from wheelship.cli.main import main

MAIN = "from fastapi import FastAPI\n\napp = FastAPI()\n"
HEALTH = "\n@app.get('/healthz')\ndef health():\n    return 1\n"
PATIENCE_SECONDS = 20
SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "schema" / "init.json"


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELSHIP_STORE", str(tmp_path / "store"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "service"
    root.mkdir()
    (root / "requirements.txt").write_text("fastapi\nuvicorn\n")
    (root / "main.py").write_text(MAIN + HEALTH)
    return root


def on_a_terminal(root: Path, *answers: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run ``init`` with a terminal on which ``answers`` are typed; return status and output."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "wheelship.cli.main", "init", *options, str(root)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        said = b""
        try:
            while select.select([ours], [], [], PATIENCE_SECONDS)[0]:
                if not (chunk := os.read(ours, 4096)):
                    break
                said += chunk
        except OSError:  # the other end is closed
            pass
        if process.poll() is None and not said_all(process):
            process.kill()
            said += b"\n(asked for more than was answered)"
    os.close(ours)
    return process.returncode, said.decode().replace("\r\n", "\n")


def said_all(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the end of a process; one that waits for an answer itself does not come to it."""
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def written(root: Path) -> dict[str, object]:
    return tomllib.loads((root / "wheelship.toml").read_text())


def test_it_says_what_it_wrote_and_why(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(root)]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("made wheelship.toml\n  command            uvicorn main:app --host")
    assert "  health             /healthz  (a route (main.py:5))\n" in shown.out
    assert shown.out.endswith(f"next: wheelship build {root} && wheelship check {root}\n")
    assert shown.err == ""
    assert written(root)["health"] == "/healthz"


def test_a_second_time_is_refused_with_a_way_on(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(root)]) == 0
    before = (root / "wheelship.toml").read_bytes()
    capsys.readouterr()
    assert main(["init", str(root)]) == 3
    shown = capsys.readouterr().err
    assert "error[already-configured]: wheelship.toml: the project has a wheelship table" in shown
    assert "wheelship init --dry-run" in shown
    assert (root / "wheelship.toml").read_bytes() == before
    assert main(["init", "--dry-run", str(root)]) == 0
    assert capsys.readouterr().out == before.decode()


def test_dry_run_writes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--dry-run", str(root)]) == 0
    assert tomllib.loads(capsys.readouterr().out)["port"] == 8000
    assert not (root / "wheelship.toml").exists()


def test_json_has_each_source(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/reference/schema/init.json: the fields, no more and no less."""
    (root / "Dockerfile").write_text("FROM x\nRUN apt-get install -y ffmpeg\nENV API_KEY=1\n")
    assert main(["init", "--json", str(root)]) == 0
    document = json.loads(capsys.readouterr().out)
    settings = {one["key"]: one for one in document["settings"]}
    assert settings["health"] == {
        "key": "health",
        "value": "/healthz",
        "found": [{"why": "a route", "where": "main.py:5"}],
    }
    assert settings["system-packages"]["value"] == ["ffmpeg"]
    assert settings["system-packages"]["found"][0]["where"] == "Dockerfile:2"
    assert document["written"] is True
    assert document["table"] == (root / "wheelship.toml").read_text()
    assert [one["where"] for one in document["remarks"]] == ["Dockerfile:3"]
    schema = json.loads(SCHEMA.read_text())
    properties = schema["properties"]
    assert properties["schema"]["const"] == document["schema"]
    assert set(properties) == set(schema["required"]) == set(document)
    for name in ("settings", "remarks"):
        assert set(properties[name]["items"]["properties"]) == set(document[name][0])


def test_nothing_to_start_shows_what_to_write(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "main.py").write_text("print('hello')\n")
    assert main(["init", str(root)]) == 3
    shown = capsys.readouterr().err
    assert "error[no-command]" in shown
    assert 'command = ["uvicorn", "package.module:app"' in shown
    assert [path.name for path in root.iterdir() if path.suffix == ".toml"] == []


def test_without_a_terminal_the_likeliest_is_taken_and_the_others_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "main.py").rename(root / "one.py")
    (root / "two.py").write_text(MAIN)
    assert main(["init", str(root)]) == 0
    assert "note: just as likely to be started: FastAPI application two:app" in (
        capsys.readouterr().err
    )


def test_a_terminal_is_asked_only_for_what_is_not_clear(root: Path) -> None:
    status, said = on_a_terminal(root)
    assert (status, said.partition("\n")[0]) == (0, "made wheelship.toml"), said


def test_a_terminal_is_asked_for_the_rest(root: Path) -> None:
    (root / "main.py").unlink()
    (root / "one.py").write_text(MAIN)
    (root / "two.py").write_text(MAIN)
    (root / "Dockerfile").write_text('FROM x\nEXPOSE 9000\nCMD ["uvicorn", "--port", "9001"]\n')
    status, said = on_a_terminal(root, "2", "9000", "no/slash", "/up")
    assert status == 0, said
    assert "  2: FastAPI application two:app (two.py:3)" in said
    assert "9000: EXPOSE (Dockerfile:2)" in said
    assert "must begin with a slash" in said
    assert written(root) == {
        "command": ["uvicorn", "two:app", "--host", "0.0.0.0", "--port", "9000"],  # noqa: S104
        "port": 9000,
        "health": "/up",
    }


def test_a_command_can_be_given_where_none_was_found(root: Path) -> None:
    (root / "main.py").write_text("print('hello')\n")
    status, said = on_a_terminal(root, "python 'main.py'", "0")
    assert status == 0, said
    assert written(root) == {"command": ["python", "main.py"]}


def test_yes_asks_nothing(root: Path) -> None:
    (root / "main.py").write_text(MAIN)
    status, said = on_a_terminal(root, options=("--yes",))
    assert (status, said.partition("\n")[0]) == (0, "made wheelship.toml"), said
    assert "health" not in written(root)


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["requirements/dev.txt", "requirements/prod.txt"], "echo '-r requirements/prod.txt' > "),
        (["requirements-test.txt", "requirements-web.txt"], "echo '-r requirements-web.txt' > "),
        (["requirements-dev.txt"], "write its packages into requirements.txt"),
    ],
)
def test_requirements_of_another_name_need_one_line(
    tmp_path: Path, names: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "service"
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("fastapi\nuvicorn\n")
    (root / "main.py").write_text(MAIN)
    assert main(["init", str(root)]) == 3
    assert hint in capsys.readouterr().err


def test_a_disk_that_refuses_is_no_bug(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(root / "wheelship.toml"))

    monkeypatch.setattr("wheelship.discover.text.write_file", refuse)
    assert main(["init", str(root)]) == 5
    assert "error[not-writable]" in capsys.readouterr().err
