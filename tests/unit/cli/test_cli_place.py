# SPDX-License-Identifier: Apache-2.0
"""What IMAGE stands for when it is a directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wheelship.cli.place import find_image
from wheelship.source.errors import NoImage
from wheelship.store.errors import InvalidLayout
from wheelship.store.layout import read_layout


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


def test_the_hint_on_several_images_names_one_that_is_found(
    tmp_path: Path,
) -> None:
    digest = f"sha256:{64 * 'a'}"
    manifests = [
        {"digest": digest, "size": 1, "annotations": {"org.opencontainers.image.ref.name": tag}}
        for tag in ("cpu", "cuda")
    ]
    (tmp_path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    place = find_image(str(tmp_path), None)
    with pytest.raises(InvalidLayout, match="holds several images") as caught:
        read_layout(place.path, place.tag)
    pasted = find_image(str(caught.value.hint).removeprefix("name one: "), None)
    assert (pasted.path, pasted.tag) == (tmp_path, "cpu")


def test_a_directory_of_something_else_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(NoImage, match="neither a project nor"):
        find_image(str(tmp_path), None)
