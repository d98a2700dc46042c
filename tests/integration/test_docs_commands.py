# SPDX-License-Identifier: Apache-2.0
"""The tutorial, followed word for word; the configurations of the how-tos, read.

Files are the blocks introduced as "`name`:"; commands are the lines of ``console`` blocks that
begin with a dollar sign. A line of output must appear in its order, numbers and digests aside; "…"
stands for any number of lines. ``sh`` blocks need a terminal each and are not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from wheelship.oci.platform import Platform
from wheelship.request.read import read_request

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = DOCS / "tutorial" / "first-image.md"
NETWORK = 4
_FILE = re.compile(r"`(?P<name>[\w.-]+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOML = re.compile(r"^ *```toml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_PROJECT = """\
[project]
name = "service"
version = "1"
dependencies = ["fastapi", "uvicorn"]
[project.optional-dependencies]
diarize = []
[dependency-groups]
serving = []
"""
_VOLATILE = (
    (re.compile(r"\b(oci|docker-archive):/\S*/"), r"\1:/"),
    (re.compile(r"sha256:[0-9a-f]+"), "sha256:#"),
    (re.compile(r"\d+(?:\.\d+)*"), "#"),
    (re.compile(r"# [kMG]?B\b"), "# B"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of the tutorial, the output it shows, and the status it ends with."""

    line: str
    shown: tuple[str, ...]
    status: int = 0


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a new user who has wheelship on the PATH.

    The store is a new one: in a used one the changed layer may be there from the last time.
    """
    store = tmp_path_factory.mktemp("store")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    yield {**os.environ, "PATH": path, "WHEELSHIP_STORE": str(store)}
    shutil.rmtree(store)


@pytest.fixture(scope="module")
def followed(
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
    missing: Callable[[str], None],
) -> Path:
    """The project at the end of the tutorial; every command but Docker's was run."""
    project = tmp_path_factory.mktemp("tutorial") / "greeter"
    project.mkdir()
    text = TUTORIAL.read_text()
    files = {match["name"]: match["text"] for match in _FILE.finditer(text)}
    assert sorted(files) == ["greeter.py", "pyproject.toml"]
    for name, content in files.items():
        (project / name).write_text(content)
    ran = [one.line for one in commands(text) if not one.line.startswith("docker ")]
    assert len(ran) > 5, "the tutorial's commands were not found"
    for command in commands(text):
        if command.line in ran:
            follow(command, project, environment, missing)
    return project


def test_every_command_does_what_the_tutorial_shows(followed: Path) -> None:
    assert (followed / "greeter.tar").is_file()
    assert (followed / "pylock.cpu.toml").is_file()


def test_init_does_what_its_how_to_shows(
    tmp_path: Path, environment: dict[str, str], missing: Callable[[str], None]
) -> None:
    text = (DOCS / "how-to" / "start-a-project.md").read_text()
    files = {match["name"]: match["text"] for match in _FILE.finditer(text)}
    assert sorted(files) == ["pyproject.toml", "shop.py"]
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    shown = list(commands(text))
    assert [one.line for one in shown] == ["wheelship init --dry-run", "wheelship init"]
    for command in shown:
        follow(command, tmp_path, environment, missing)
    request = read_request(tmp_path, native=Platform.parse("linux/amd64"))
    assert request.variants["cpu"].extras == ("server",)


def test_docker_loads_what_the_tutorial_built(
    followed: Path,
    environment: dict[str, str],
    docker_client: tuple[Path, dict[str, str]],
    missing: Callable[[str], None],
) -> None:
    _, client = docker_client
    loads = [one for one in commands(TUTORIAL.read_text()) if one.line.startswith("docker load ")]
    assert len(loads) == 1
    where = {**environment, "DOCKER_HOST": client["DOCKER_HOST"]}
    follow(loads[0], followed, where, missing)


@pytest.mark.parametrize(
    "page", ["configure", "history", "shrink", "source-packages", "troubleshoot"]
)
def test_every_configuration_of_a_how_to_is_accepted(page: str, tmp_path: Path) -> None:
    blocks = _TOML.findall((DOCS / "how-to" / f"{page}.md").read_text())
    assert len(blocks) > 1, "the configurations were not found"
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "two-sentences.wav").touch()
    (tmp_path / "service.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    for block in blocks:
        (tmp_path / "pyproject.toml").write_text(_PROJECT + textwrap.dedent(block))
        request = read_request(tmp_path, native=Platform.parse("linux/amd64"))
        assert request.project.config_file is not None, block


def test_a_shown_line_that_is_missing_is_noticed() -> None:
    """The comparison itself can fail."""
    said = "resolve cpu: done: 14 packages (1.2 s)\n  lock: unchanged\n"
    assert unseen(("resolve cpu: done: 9 packages (0.1 s)", "…"), said) is None
    assert unseen(("  lock: unchanged", "resolve cpu: done: 14 packages (1.2 s)"), said) is not None
    assert unseen(("  lock: wrote pylock.cpu.toml",), said) == "lock: wrote pylock.cpu.toml"


def commands(text: str) -> Iterator[Command]:
    """Yield the commands; ``$ echo $?`` says what status the one before it has."""
    for block in _CONSOLE.findall(text):
        found: list[Command] = []
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.rstrip("\n").split("\n")
            if line == "echo $?":
                before = found.pop()
                found.append(Command(line=before.line, shown=before.shown, status=int(shown[0])))
            else:
                found.append(Command(line=line, shown=tuple(shown)))
        yield from found


def follow(
    command: Command, project: Path, environment: dict[str, str], missing: Callable[[str], None]
) -> None:
    done = typed(command.line, project, environment)
    if done.returncode == NETWORK:
        missing(f"the tutorial needs the package index and the Debian mirror: {done.stdout}")
    if "warning[namespaces-forbidden]" in done.stdout:
        missing(f"the tutorial needs user namespaces: {done.stdout}")
    assert done.returncode == command.status, f"$ {command.line}\n{done.stdout}"
    line = unseen(command.shown, done.stdout)
    assert line is None, f"$ {command.line}\ndid not print (in this order): {line}\n{done.stdout}"


def typed(
    line: str, directory: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell does; ``stdout`` has all that a terminal would show."""
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def unseen(shown: tuple[str, ...], said: str) -> str | None:
    """Return the first line that was not printed after those before it."""
    printed = iter([plain(line) for line in said.splitlines()])
    for line in shown:
        if line != "…" and plain(line) not in printed:
            return line.strip()
    return None


def plain(line: str) -> str:
    """Return ``line`` without what differs from run to run and from machine to machine."""
    for pattern, replacement in _VOLATILE:
        line = pattern.sub(replacement, line)
    return line.strip()
