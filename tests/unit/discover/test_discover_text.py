# SPDX-License-Identifier: Apache-2.0
"""The table that is written: read back without a finding, the file's own bytes untouched."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.discover.model import Found, Place
from wheelship.discover.propose import Proposal, Setting
from wheelship.discover.text import AlreadyConfigured, CannotAppend, render, target_of, write
from wheelship.request.errors import ConfigurationError
from wheelship.request.model import Request
from wheelship.variant.accelerator import accelerator_versions

Project = Callable[[Mapping[str, str]], Path]
Init = Callable[[Path], tuple[str, Request]]

MAIN = "from fastapi import FastAPI\n\napp = FastAPI()\n"
PYPROJECT = """# ours\r
[project]\r
name = "shop"\r
version = "1"\r
dependencies = ["fastapi", "uvicorn", "torch"]"""
DOCKERFILE = """FROM rocm/pytorch:rocm6.4
ENV LOG_LEVEL="say \\"hello\\""
RUN apt-get install -y libsndfile1 curl
VOLUME /data
EXPOSE 9000
"""


def test_everything_at_once(project: Project, initialised: Init) -> None:
    code = f"{MAIN}\n@app.get('/healthz')\ndef health():\n    return 1\n"
    files = {"pyproject.toml": PYPROJECT, "shop/__init__.py": code, "Dockerfile": DOCKERFILE}
    root = project(files)
    table, request = initialised(root)
    after = (root / "pyproject.toml").read_bytes()
    assert after.startswith(PYPROJECT.encode() + b"\r\n\r\n# Written by `wheelship init`")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert after.decode().replace("\r\n", "\n").endswith(table)
    assert sorted(request.variants) == ["cpu", "cuda", "rocm"]
    assert request.variants["cuda"].accelerator_version == accelerator_versions("cuda")[0]
    assert request.variants["rocm"].accelerator_version == "6.4"
    cpu = request.variants["cpu"]
    assert cpu.command is not None
    assert cpu.command[-1] == "9000"
    assert cpu.port == 9000
    assert cpu.health is not None
    assert cpu.health.path == "/healthz"
    assert cpu.system_packages == ("libsndfile1",)
    assert cpu.writable == ("/data",)
    assert cpu.env == {"LOG_LEVEL": 'say "hello"'}
    assert request.notes == ()
    for place in ("shop/__init__.py:5", "Dockerfile:1", "Dockerfile:3", "Dockerfile:5"):
        assert f"({place})" in table
    assert "curl (for people in a shell, and there is none)" in " ".join(table.split())


def test_a_project_without_pyproject_gets_a_file_of_its_own(
    project: Project, initialised: Init
) -> None:
    root = project({"requirements.txt": "fastapi\nuvicorn", "main.py": MAIN})
    table, request = initialised(root)
    assert (root / "wheelship.toml").read_text() == table
    assert "[tool" not in table
    # what holds anyway is not written: one variant for the CPU, and Debian's newest Python
    assert sorted(tomllib.loads(table)) == ["command", "port"]
    assert '# health = "/healthz"' in table
    assert list(request.variants) == ["cpu"]


def test_a_variant_that_needs_no_key_is_there_all_the_same(
    project: Project, initialised: Init
) -> None:
    root = project({"requirements.txt": "fastapi\nuvicorn\ntorch", "main.py": MAIN})
    table, request = initialised(root)
    assert tomllib.loads(table)["variants"]["cpu"] == {}
    assert request.default_variant == "cpu"
    assert table.index("[variants.cpu]") < table.index("[variants.cuda]")
    assert "proposed because of the dependency torch" in table


def test_only_an_accelerator_becomes_the_default(project: Project, initialised: Init) -> None:
    root = project({"requirements.txt": "fastapi\nuvicorn\nonnxruntime-gpu", "main.py": MAIN})
    assert initialised(root)[1].default_variant == "cuda"


def test_another_base_takes_no_system_packages(project: Project, initialised: Init) -> None:
    text = PYPROJECT.replace("\r", "").replace('"1"', '"1"\nrequires-python = "==3.12.*"')
    root = project({"pyproject.toml": text, "shop.py": MAIN, "Dockerfile": DOCKERFILE})
    table, request = initialised(root)
    assert request.variants["cpu"].base == "python:3.12-slim"
    assert request.variants["cpu"].python == "3.12"
    assert "The base must have these itself: libsndfile1" in table


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"pyproject.toml": PYPROJECT + "\n[tool.wheelship.env]\nA = '1'\n"}, "pyproject.toml"),
        ({"pyproject.toml": PYPROJECT, "wheelship.toml": ""}, "wheelship.toml"),
    ],
)
def test_a_table_that_is_there_is_never_overwritten(
    project: Project, files: dict[str, str], where: str
) -> None:
    root = project(files)
    with pytest.raises(AlreadyConfigured) as raised:
        target_of(root)
    assert raised.value.where == where
    assert target_of(root, again=True).prefix == ("tool", "wheelship")


def test_a_file_that_takes_no_table_keeps_its_bytes(project: Project) -> None:
    text = 'tool = { other = 1 }\n[project]\nname = "a"\nversion = "1"\n'
    root = project({"pyproject.toml": text})
    with pytest.raises(CannotAppend, match="no table can be added"):
        write(root, target_of(root), '[tool.wheelship]\ncommand = ["x"]\n')
    assert (root / "pyproject.toml").read_text() == text


@pytest.mark.parametrize("name", ["pyproject.toml", "wheelship.toml"])
def test_a_table_with_a_finding_is_taken_back(project: Project, name: str) -> None:
    files = {"pyproject.toml": PYPROJECT} if name == "pyproject.toml" else {"requirements.txt": ""}
    root = project(files)
    target = target_of(root)
    table = "".join(f"[{'.'.join(target.prefix)}]\n" for _ in target.prefix[:1]) + 'port = "x"\n'
    with pytest.raises(ConfigurationError):
        write(root, target, table)
    present = {path.name: path.read_bytes() for path in root.iterdir()}
    assert present == {file: text.encode() for file, text in files.items()}


def test_the_mode_and_the_link_of_the_file_are_kept(project: Project, initialised: Init) -> None:
    root = project({"real.toml": PYPROJECT, "shop.py": MAIN})
    (root / "real.toml").chmod(0o640)
    (root / "pyproject.toml").symlink_to("real.toml")
    initialised(root)
    assert (root / "pyproject.toml").is_symlink()
    assert (root / "real.toml").stat().st_mode & 0o777 == 0o640


@given(value=st.text(), why=st.text(), path=st.text(min_size=1), key=st.text(min_size=1))
def test_whatever_was_found_stays_in_its_string_and_its_comment(
    value: str, why: str, path: str, key: str
) -> None:
    """A file name or a route with a line end must not write into the table."""
    found = Found(value=value, why=why, place=Place(path, 3))
    settings = (
        Setting(key="a", value=value, meaning="Says " + why, found=found),
        Setting(key="b", value=(found,), meaning="Each.", found=found),
        Setting(table=("env",), key=key, value=value, meaning="", found=found),
    )
    table = render(Proposal(settings=settings, asides=(((), why), (("env",), path))), ())
    assert tomllib.loads(table) == {"a": value, "b": [value], "env": {key: value}}
