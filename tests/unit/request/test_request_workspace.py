# SPDX-License-Identifier: Apache-2.0
"""Members of uv's workspace are found by the name that they give themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.request.workspace import find_member


def declare(folder: Path, name: str, more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n{more}')
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    table = '[tool.uv.workspace]\nmembers = ["libs/*", "app"]\nexclude = ["libs/old"]\n'
    root = declare(tmp_path / "root", "root", table)
    for folder, name in (("libs/a", "My_Lib"), ("libs/old", "old"), ("app", "app"), ("x", "x")):
        declare(root / folder, name)
    (root / "libs/empty").mkdir()
    (root / "libs/broken").mkdir()
    (root / "libs/broken/pyproject.toml").write_text("[")
    return root


@pytest.mark.parametrize(
    ("name", "place"),
    [("my-lib", "libs/a"), ("app", "app"), ("root", ""), ("old", None), ("x", None), ("no", None)],
)
@pytest.mark.parametrize("start", ["", "app", "libs/a"])
def test_a_member(root: Path, start: str, name: str, place: str | None) -> None:
    assert find_member(root / start, name) == (None if place is None else root / place)


def test_the_nearest_workspace_counts(root: Path) -> None:
    declare(root / "app", "app", "[tool.uv.workspace]\nmembers = []\n")
    assert find_member(root / "app", "my-lib") is None
    assert find_member(root / "app", "app") == root / "app"


def test_no_workspace(tmp_path: Path) -> None:
    assert find_member(declare(tmp_path / "alone", "alone"), "alone") is None
