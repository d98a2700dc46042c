# SPDX-License-Identifier: Apache-2.0
"""docs/how-to/compare.md, followed: its commands print what it shows."""

from __future__ import annotations

import os
import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from integration.test_docs_commands import commands, typed, unseen
from wheelship.testing.wheel import MadeWheel, make_wheel

pytestmark = pytest.mark.integration

TEXT = (Path(__file__).parents[3] / "docs" / "how-to" / "compare.md").read_text()
_BAR = re.compile("[▏▎▍▌▋▊▉█]+")


def wheel(name: str, version: str, size: int) -> MadeWheel:
    noise = random.Random(name).randbytes(size)
    return make_wheel(name, version, files={f"{name}/data": noise})


def test_every_command_prints_what_the_page_shows(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is made, with the packages of the page; between the commands it is built anew."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    site.serve(
        wheel("numpy", "2.3.5", 90_000),
        wheel("numpy", "2.5.5", 95_000),
        wheel("pandas", "3.1.1", 80_000),
    )
    states = iter([("numpy==2.3.5",), ("numpy>=2.4", "pandas")])
    for command in commands(TEXT):
        site.project(*next(states), table='name = "service"')
        site.build()
        done = typed(command.line, site.root, {**os.environ, "PATH": path})
        assert done.returncode == command.status, f"$ {command.line}\n{done.stdout}"
        shown = tuple(_BAR.sub("#", line) for line in command.shown)
        missing = unseen(shown, _BAR.sub("#", done.stdout))
        assert missing is None, f"$ {command.line}\ndid not print: {missing}\n{done.stdout}"
    assert next(states, None) is None, "a command of the page was not found"
