# SPDX-License-Identifier: Apache-2.0
"""The user's build requirements join those of the source, and nothing else changes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from wheelship.lock.errors import SourceUnusable
from wheelship.sdist.declare import add_requirements

REST = '[project]\nname = "x"\n[tool.x]\na = ["[build-system]", \'[y]\']\n'
TABLE = """[build-system] # how
requires = [
    "flit_core<4",  # [why]
]
build-backend = "flit_core.buildapi"
backend-path = ["."]
"""
FLIT = {
    "requires": ["flit_core<4", "extra", "more<2"],
    "build-backend": "flit_core.buildapi",
    "backend-path": ["."],
}
LEGACY = {
    "requires": ["setuptools>=40.8.0", "extra", "more<2"],
    "build-backend": "setuptools.build_meta:__legacy__",
}


def added(tmp_path: Path, text: str | None) -> dict[str, Any]:
    path = tmp_path / "pyproject.toml"
    if text is not None:
        path.write_text(text)
    add_requirements(tmp_path, ("extra", "more<2"))
    return tomllib.loads(path.read_text())


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (TABLE + REST, FLIT),
        (REST + TABLE, FLIT),
        (REST + TABLE + "[tool.y]\nb = 1\n", FLIT),
        (REST, LEGACY),
        (None, LEGACY),
    ],
)
def test_requirements_are_added(tmp_path: Path, text: str | None, table: dict[str, Any]) -> None:
    found = added(tmp_path, text)
    assert found.pop("build-system") == table
    before = tomllib.loads(text or "")
    before.pop("build-system", None)
    assert found == before


def test_a_table_in_another_notation_is_refused_rather_than_damaged(tmp_path: Path) -> None:
    text = 'build-system = { requires = ["a"] }\n' + REST
    with pytest.raises(SourceUnusable, match="cannot be added"):
        added(tmp_path, text)
    assert (tmp_path / "pyproject.toml").read_text() == text


def test_nothing_to_add_changes_nothing(tmp_path: Path) -> None:
    add_requirements(tmp_path, ())
    assert list(tmp_path.iterdir()) == []
