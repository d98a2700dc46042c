# SPDX-License-Identifier: Apache-2.0
"""docs/how-to/lock.md, followed: its commands print what it shows, its tables are accepted."""

from __future__ import annotations

import os
import random
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from integration.test_docs_commands import _TOML, commands, typed, unseen
from wheelship.oci.platform import Platform
from wheelship.request.read import read_request
from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

MORE = random.Random(0).randbytes(2000)
TEXT = (Path(__file__).parents[3] / "docs" / "how-to" / "lock.md").read_text()


def test_every_command_prints_what_the_page_shows(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is made: it has the versions of the page, and gets newer ones after the first."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", site.index.simple_url)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    match = re.search(r"^`pyproject.toml`:\n\n```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert match is not None
    (site.root / "pyproject.toml").write_text(match[1])
    site.serve(make_wheel("fastapi", "0.164.0", requires=["starlette"]))
    site.serve(make_wheel("starlette", "1.9.0"))
    ran = 0
    for command in commands(TEXT):
        done = typed(command.line, site.root, {**os.environ, "PATH": path})
        assert done.returncode == command.status, f"$ {command.line}\n{done.stdout}"
        missing = unseen(command.shown, done.stdout)
        assert missing is None, f"$ {command.line}\ndid not print: {missing}\n{done.stdout}"
        site.serve(make_wheel("fastapi", "0.165.0", requires=["starlette"], files={"more": MORE}))
        ran += 1
    assert ran == 7


def test_every_configuration_of_the_page_is_accepted(tmp_path: Path) -> None:
    blocks = [textwrap.dedent(one) for one in _TOML.findall(TEXT)]
    assert len(blocks) > 4
    (tmp_path / "wheels").mkdir()
    for name in ("requirements.txt", "requirements-cuda.txt"):
        (tmp_path / name).write_text("fastapi\n")
    for block in blocks:
        # Each is a part of a project; what it leaves out is what every project has.
        text = block
        if "[project]" not in block:
            text = '[project]\nname = "greeter"\nversion = "1"\n' + text
        if "[tool.wheelship]" not in block:
            text += "[tool.wheelship]\n"
        if "command =" not in block:
            text = text.replace("[tool.wheelship]", '[tool.wheelship]\ncommand = ["greet"]')
        (tmp_path / "pyproject.toml").write_text(text)
        assert read_request(tmp_path, native=Platform.parse("linux/amd64")).variants, block
