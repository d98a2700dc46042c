# SPDX-License-Identifier: Apache-2.0
"""Projects as users have them, in ``tests/shapes``: init, build and check, nothing edited.

The wheels are real ones of the public index. All five share one store, as on a user's machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

SHAPES = Path(__file__).parents[2] / "shapes"
NETWORK = 4
EXPECTED: dict[str, dict[str, object]] = {
    "console-script": {"command": ["nightly"]},
    "fastapi-requirements": {
        "command": ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8080"],  # noqa: S104
        "port": 8080,
        "health": "/api/health",
        "python": "3.11",
        "system-packages": ["libsndfile1"],
        "writable": ["/data"],
        "env": {"LOG_LEVEL": "info"},
    },
    "flask-extras": {
        "command": ["gunicorn", "--bind", "0.0.0.0:5000", "shop:create_app()"],
        "port": 5000,
        "health": "/healthz",
        "extras": ["server"],
    },
    "gradio-script": {
        "command": ["python", "app.py"],
        "stop-signal": "SIGINT",
        "port": 7860,
        "health": "/",
        "env": {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "7860"},  # noqa: S104
    },
    "src-layout": {
        "command": ["uvicorn", "ingest.server:app", "--host", "0.0.0.0", "--port", "9000"],  # noqa: S104
        "port": 9000,
        "health": "/livez",
    },
}
WITHOUT_A_PORT = {"healthy", "health-probe", "imports", "answers"}
WITH_A_PORT = {"imports", "answers"}


@pytest.fixture(scope="module")
def store(shell: Any) -> Iterator[Path]:
    kept: Path = shell.store("shapes")
    yield kept
    shell.keep(kept)
    shutil.rmtree(kept)


@pytest.mark.parametrize("shape", sorted(EXPECTED))
def test_a_project_is_shipped_without_editing_anything(
    shape: str, shell: Any, store: Path, missing: Callable[[str], None]
) -> None:
    root = shell.work / shape
    shutil.copytree(SHAPES / shape, root)
    if shape == "src-layout":
        lock_with_uv(root, missing)
    shell.run("init", root, store=store)
    assert wheelship_table(root) == EXPECTED[shape]
    try:
        built = shell.run("build", root, "--json", store=store)
    except AssertionError as error:
        if re.search(rf"ended with {NETWORK}:", str(error)):
            missing(f"needs the package index and the Debian mirror: {error}")
        raise
    assert built.image["budget"]["ok"]
    ran = shell.run("check", root, "--engine", "embedded", "--json", store=store)
    if "namespaces-forbidden" in ran.err:
        missing("needs user namespaces")
    checked = ran.document
    outcomes = {step["name"]: step["outcome"] for step in checked["steps"]}
    open_ended = WITH_A_PORT if "port" in EXPECTED[shape] else WITHOUT_A_PORT
    assert {name for name, outcome in outcomes.items() if outcome != "passed"} == open_ended
    print(  # noqa: T201 - the figures, with pytest -s
        f"\n{shape}: transfer {built.image['transfer_bytes'] / 1e6:.1f} MB, unpacked "
        f"{built.image['unpacked_bytes'] / 1e6:.1f} MB, {len(built.image['layers'])} layers, built "
        f"in {built.image['seconds']:.1f} s, healthy after {checked['healthy_seconds']} s"
    )


def lock_with_uv(root: Path, missing: Callable[[str], None]) -> None:
    """Make the ``uv.lock`` that such a project has; it holds addresses, so it is not kept here."""
    from uv import find_uv_bin

    command = [find_uv_bin(), "lock", "--quiet", "--no-python-downloads"]
    done = subprocess.run(
        command, cwd=root, env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        missing(f"uv lock needs the package index: {done.stderr}")
    assert 'name = "ingest"' in (root / "uv.lock").read_text()


def wheelship_table(root: Path) -> object:
    pyproject = root / "pyproject.toml"
    if not pyproject.is_file():
        return tomllib.loads((root / "wheelship.toml").read_text())
    tool = tomllib.loads(pyproject.read_text())["tool"]
    assert isinstance(tool, dict)
    return tool["wheelship"]
