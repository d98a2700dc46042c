# SPDX-License-Identifier: Apache-2.0
"""What IMAGE stands for when it is a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.cli.place import NoImage, find_image


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", ""),
        ("wheelship.toml", 'command = ["x"]\n'),
        (
            "pyproject.toml",
            '[project]\nname = "a"\nversion = "1"\n[tool.wheelship]\ncommand = ["x"]\n',
        ),
    ],
)
def test_every_project_that_can_be_built_can_be_checked(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    (tmp_path / "requirements.txt").write_text("fastapi\nuvicorn\n")
    with pytest.raises(NoImage, match="has not been built yet"):
        find_image(str(tmp_path), None)


def test_a_directory_of_something_else_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(NoImage, match="neither a project nor"):
        find_image(str(tmp_path), None)
