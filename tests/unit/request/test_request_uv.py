# SPDX-License-Identifier: Apache-2.0
"""``[tool.uv]`` as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.oci.platform import Platform
from wheelship.request.model import Project
from wheelship.request.read import read_request
from wheelship.request.uv import UvIndex, UvSource, index_variable

HEAD = """
[project]
name = "demo"
version = "1"
[tool.wheelship]
command = ["demo"]
"""


def read(root: Path, text: str) -> Project:
    (root / "pyproject.toml").write_text(HEAD + text)
    return read_request(root, native=Platform("amd64")).project


@pytest.mark.parametrize(
    ("source", "kind", "place", "fields"),
    [
        ('{ index = "named" }', "index", "named", {}),
        ('{ url = "https://x/a-1-py3-none-any.whl?t=1" }', "url", None, {}),
        (
            '{ url = "https://me:pw@x/a.tar.gz", subdirectory = "b" }',
            "source",
            "an archive (https://x/a.tar.gz in b)",
            {"url": "https://me:pw@x/a.tar.gz", "subdirectory": "b"},
        ),
        (
            '{ git = "https://me:pw@x/a", tag = "v1", subdirectory = "b" }',
            "source",
            "a repository (https://x/a at tag v1 in b)",
            {"git": "https://me:pw@x/a", "tag": "v1", "subdirectory": "b"},
        ),
        (
            '{ git = "ssh://git@x/a", rev = "0f" }',
            "source",
            None,
            {"git": "ssh://git@x/a", "rev": "0f"},
        ),
        ("{ workspace = true }", "source", "a member of the workspace", {}),
        ('{ path = "dist/a-1-py3-none-any.whl" }', "wheel", "ROOT/dist/a-1-py3-none-any.whl", {}),
        ('{ path = "dist" }', "wheels", "ROOT/dist", {}),
        (
            '{ path = "tree", editable = true }',
            "source",
            "a source tree (tree)",
            {"path": "ROOT/tree"},
        ),
    ],
)
def test_kinds_of_sources(
    tmp_path: Path, source: str, kind: str, place: str | None, fields: dict[str, str]
) -> None:
    for name in ("dist/a-1-py3-none-any.whl", "tree/a-1-py3-none-any.whl", "tree/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    index = '[[tool.uv.index]]\nname = "named"\nurl = "idx"\nformat = "flat"\n'
    project = read(tmp_path, f'{index}[tool.uv.sources]\n"A.b" = {source}\n')
    (found,) = project.uv.sources
    assert found.package == "a-b"
    assert found.kind == kind
    assert place is None or found.place == place.replace("ROOT", str(tmp_path))
    assert dict(found.fields) == {
        key: text.replace("ROOT", str(tmp_path)) for key, text in fields.items()
    }
    assert project.uv.indexes == (UvIndex(name="named", address=str(tmp_path / "idx"), flat=True),)


def test_sources_are_chosen_by_extra_and_group() -> None:
    one = UvSource(package="a", kind="index", place="x", extra="gpu")
    other = UvSource(package="a", kind="index", place="x", group="dev")
    assert [one.applies(["gpu"], []), one.applies([], ["gpu"])] == [True, False]
    assert [other.applies([], ["dev"]), other.applies(["dev"], [])] == [True, False]


def test_former_settings_for_indexes(tmp_path: Path) -> None:
    text = """
[tool.uv]
index-url = "https://main.example.org/simple"
extra-index-url = ["https://more.example.org/simple"]
find-links = ["wheels", "https://page.example.org/"]
"""
    (tmp_path / "pyproject.toml").write_text(HEAD + text)
    sources = read_request(tmp_path, native=Platform("amd64")).variants["cpu"].sources
    assert sources.index == "https://main.example.org/simple"
    assert sources.extra_indexes == ("https://more.example.org/simple",)
    assert sources.find_links == (tmp_path / "wheels",)
    assert sources.link_pages == ("https://page.example.org/",)


def test_credentials_are_looked_for_as_uv_does() -> None:
    assert index_variable("my-index.2", "PASSWORD") == "UV_INDEX_MY_INDEX_2_PASSWORD"
