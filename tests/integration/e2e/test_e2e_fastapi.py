# SPDX-License-Identifier: Apache-2.0
"""A small service on each Python that Debian has, and the same bytes wherever it is built."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wheelship.oci.validate import problems_of_layout

pytestmark = pytest.mark.integration

APP = """\
import sys

from fastapi import FastAPI

app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/hello/{name}")
def hello(name: str) -> dict[str, str]:
    return {"hello": name, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}
"""

PROJECT = """\
[project]
name = "hello"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["fastapi", "uvicorn"]

[tool.wheelship]
python = "{python}"
command = ["uvicorn", "hello.app:app", "--host", "0.0.0.0", "--port", "8000"]
port = 8000
health = "/healthz"

[tool.wheelship.check]
imports = ["fastapi", "pydantic_core"]

[tool.wheelship.check.request]
path = "/hello/you"
expect = {{ hello = "you", python = "{python}" }}
"""


def files_of(python: str) -> dict[str, str]:
    return {
        "pyproject.toml": PROJECT.format(python=python),
        "hello/app.py": APP,
        "hello/__init__.py": "",
        "hello/words/__init__.py": "# ä\n",
        "hello/words/z.txt": "z\n",
        "hello/words/a.txt": "a\n",
    }


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The project and its first build."""

    root: Path
    store: Path
    image: dict[str, Any]


@pytest.fixture(scope="module")
def hello(shell: Any) -> Iterator[Hello]:
    root, store = shell.project("hello", files_of("3.11")), shell.store("hello-store")
    ran = shell.run("build", root, "--json", "--jobs=2", store=store)
    shell.keep(store)
    yield Hello(root=root, store=store, image=ran.image)
    shutil.rmtree(root)
    shutil.rmtree(store)


def as_it_is(project: Path) -> None:
    del project


def shuffle(project: Path) -> None:
    """Write the same files in another order, with other rights and times."""
    paths = sorted((path for path in project.rglob("*") if path.is_file()), reverse=True)
    for number, path in enumerate(paths):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
        path.chmod(0o600)
        os.utime(path, (number, 10**9 + number))


@pytest.mark.parametrize(
    ("options", "env", "umask", "change"),
    [
        (
            ["--jobs=1"],
            {"TZ": "Pacific/Kiritimati", "LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
            0o077,
            as_it_is,
        ),
        (
            ["--jobs=2", "--frozen"],
            {
                "TZ": "America/St_Johns",
                "LANG": "tr_TR.UTF-8",
                "PYTHONHASHSEED": "4711",
                "PYTHONOPTIMIZE": "2",
                "PYTHONUTF8": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": "/var/tmp",  # noqa: S108 - another place than the usual one
            },
            0o002,
            shuffle,
        ),
    ],
    ids=["one-job-077", "two-jobs-shuffled"],
)
def test_the_same_bytes_come_out_everywhere(
    shell: Any,
    hello: Hello,
    options: list[str],
    env: dict[str, str],
    umask: int,
    change: Callable[[Path], None],
) -> None:
    """Another store, working directory, umask, zone, language, hash seed and number of cores."""
    place = shell.work / "another" / ("place" * 20)
    place.mkdir(parents=True)
    shutil.copytree(hello.root, place / "project", ignore=shutil.ignore_patterns("dist"))
    change(place / "project")
    store = shell.store("another-store")
    ran = shell.run(
        *("build", "project", "--json", *options), store=store, cwd=place, umask=umask, env=env
    )
    assert not any(layer["reused"] for layer in ran.image["layers"])
    other = {layer["title"]: layer["digest"] for layer in ran.image["layers"]}
    assert other == {layer["title"]: layer["digest"] for layer in hello.image["layers"]}
    assert ran.image["digest"] == hello.image["digest"]
    layouts = [root / "dist" / "hello" for root in (hello.root, place / "project")]
    first, second = (
        {path.name: path.read_bytes() for path in layout.rglob("*") if path.is_file()}
        for layout in layouts
    )
    assert first == second
    shutil.rmtree(place.parent)
    shutil.rmtree(store)


def test_the_time_comes_from_source_date_epoch_alone(shell: Any, hello: Hello) -> None:
    """The other half of the test above: where an input changes, so does the digest."""
    target = f"--output=oci:{shell.work / 'dated'}"
    ran = shell.run(
        *("build", hello.root, "--json", target),
        store=hello.store,
        env={"SOURCE_DATE_EPOCH": "1700000000"},
    )
    assert ran.image["digest"] != hello.image["digest"]
    assert all(layer["reused"] for layer in ran.image["layers"])
    error = shell.run(
        *("build", hello.root, "--json", target),
        store=hello.store,
        env={"SOURCE_DATE_EPOCH": "yesterday"},
        status=3,
    ).document["error"]
    assert error["code"] == "invalid-epoch"
    assert "'yesterday'" in error["message"]
    assert error["hint"]
    shutil.rmtree(shell.work / "dated")


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_it_answers_on_each_python_that_debian_has(
    shell: Any, hello: Hello, embedded: Any, python: str
) -> None:
    """3.11 is bookworm's, 3.13 is trixie's."""
    del embedded  # skips where namespaces are forbidden
    root, store = hello.root, hello.store
    if python != "3.11":
        root = shell.project("hello-other", files_of(python))
        ran = shell.run("build", root, "--json", store=store)
        shell.keep(store)
        names = {one["name"] for layer in ran.image["layers"] for one in layer["packages"]}
        assert f"python{python}-minimal" in names
        assert "python3.11-minimal" not in names
        assert problems_of_layout(root / "dist" / "hello") == []
    ran = shell.run("check", root, "--engine=embedded", "--json", store=store)
    assert ran.document["ok"] is True
    assert ran.document["answer"] == {"hello": "you", "python": python}
    outcomes = {step["name"]: step["outcome"] for step in ran.document["steps"]}
    assert outcomes["read-only-root"] == outcomes["user"] == outcomes["answers"] == "passed"
    if root != hello.root:
        shutil.rmtree(root)


def test_a_wrong_answer_fails_the_check(shell: Any, hello: Hello, embedded: Any) -> None:
    """The gate of the check: an image that works, and an expectation that it does not meet."""
    del embedded
    table = hello.root / "pyproject.toml"
    before = table.read_text()
    table.write_text(before.replace('hello = "you"', 'hello = "me"'))
    try:
        check = ("check", hello.root, "--engine=embedded")
        document = shell.run(*check, "--json", store=hello.store, status=1).document
        said = shell.run(*check, store=hello.store, status=1).err
    finally:
        table.write_text(before)
    assert document["ok"] is False
    outcomes = {step["name"]: step["outcome"] for step in document["steps"]}
    assert outcomes["answers"] == "failed"
    assert outcomes["healthy"] == "passed"
    assert "error[check-failed]: hello:cpu: answers:" in said
    assert "hint:" in said
