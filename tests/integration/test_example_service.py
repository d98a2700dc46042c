# SPDX-License-Identifier: Apache-2.0
"""The example is a project of its own: its tests pass on exactly the wheels that are locked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from wheelship.cli.main import main

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[2] / "examples" / "speech-service"


def test_the_example_passes_its_own_tests_on_the_locked_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "speech-service"
    ignored = shutil.ignore_patterns("dist", "pylock.*", "wheelship.lock", ".venv", "*.db")
    shutil.copytree(EXAMPLE, project, ignore=ignored)
    monkeypatch.setenv("WHEELSHIP_STORE", str(tmp_path / "store"))
    assert main(["lock", str(project), "--variant", "cpu", "--quiet"]) == 0

    environ = {**os.environ, "VIRTUAL_ENV": str(tmp_path / "venv"), "UV_PYTHON_DOWNLOADS": "never"}

    def uv(*arguments: str) -> None:
        subprocess.run([find_uv_bin(), "--quiet", *arguments], env=environ, cwd=project, check=True)

    uv("venv", "--python", sys.executable, str(tmp_path / "venv"))
    uv("pip", "sync", "pylock.cpu.toml")
    uv("pip", "install", "--group", "pyproject.toml:dev")
    tested = subprocess.run(
        [tmp_path / "venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        env={**environ, "PYTHONPATH": str(project / "src")},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout[-3000:]
    assert " passed" in tested.stdout
