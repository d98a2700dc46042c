# SPDX-License-Identifier: Apache-2.0
"""``wheelship plan``: what it tells before a build is what the build then makes."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wheelship.cli.services import native_platform
from wheelship.testing.base import MadeBase
from wheelship.testing.deb import make_deb
from wheelship.testing.wheel import MadeWheel, make_wheel

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[3] / "docs"
SCHEMAS, HOW_TO = DOCS / "reference" / "schema", DOCS / "how-to"
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = """
port = 8000
health = { path = "/healthz" }
writable = ["/data"]
stop-signal = "SIGINT"
omit = { beta = ["beta/tests/**"] }
env = { LANG = "de_DE.UTF-8", MODE = "fast" }

[tool.wheelship.variants.cpu]
accelerator = "cpu"
budget = "1 GB"

[tool.wheelship.variants.cuda]
accelerator = "cuda"
version = "13.0"
extras = ["gpu"]
budget = { transfer = "1 kB", layers = 40 }

[project.optional-dependencies]
gpu = ["gamma>=1"]
"""
_SIZE = re.compile(r"(?P<mark>[~≥]?)\d[\d.]* [kMG]?B")


def stored(name: str, *requires: str, size: int = 10) -> MadeWheel:
    """Make a wheel whose size no compressor decides."""
    files = {f"{name}/__init__.py": b"#" * size, f"{name}/tests/test.py": b"1\n"}
    return make_wheel(name, files=files, requires=requires, method=zipfile.ZIP_STORED)


@pytest.fixture
def planned(site: Any) -> Any:
    """A project of two variants: alpha → beta, gamma → beta by an extra of one of them."""
    site.serve(stored("alpha", "beta"), stored("beta"), stored("gamma", "beta", size=30_000))
    site.project("alpha", table=TABLE)
    site.base(make_deb("libdemo1", architecture="all", fields={"Depends": "base-files"}))
    text = (site.root / "pyproject.toml").read_text()
    (site.root / "pyproject.toml").write_text(
        text.replace('python = "3.11"\n', 'python = "3.11"\nsystem-packages = ["libdemo1"]\n')
    )
    return site


def plan(site: Any, *options: str) -> dict[str, Any]:
    document: dict[str, Any] = site.run("plan", str(site.root), "--json", *options).document
    conforms(document, "why" if "--why" in options else "plan")
    return document


def conforms(document: dict[str, Any], schema: str) -> None:
    validator = jsonschema.Draft202012Validator(
        json.loads((SCHEMAS / f"{schema}.json").read_text())
    )
    assert [error.message for error in validator.iter_errors(document)] == []


def test_the_plan_of_two_variants(planned: Any, golden: Callable[[str, str], None]) -> None:
    text = planned.run("plan", str(planned.root), "--all", "--packages", "--quiet").out
    shown = _SIZE.sub(r"\g<mark>#", text)
    golden("plan.txt", re.sub(r" +(?=[~≥]?#)", " ", shown).replace("arm64", "amd64"))


def test_a_plan_makes_nothing_and_fetches_no_package(planned: Any) -> None:
    document = plan(planned)
    assert planned.blobs() == set()
    assert list(planned.store.glob("downloads/*")) == []
    assert not [path for path in planned.index.paths() if path.endswith((".whl", ".deb"))]
    (image,) = document["images"]
    assert image["lock"] == "wrote pylock.cpu.toml"
    assert {layer["state"] for layer in image["layers"]} == {"make"}
    wheels = [layer for layer in image["layers"] if layer["kind"] == "wheels"]
    files = {path.name: path.stat().st_size for path in planned.index.files.iterdir()}
    expected = sum(files[f"{name}-1.0-py3-none-any.whl"] for name in ("alpha", "beta"))
    assert sum(layer["transfer_bytes"] for layer in wheels) == expected
    assert all(layer["estimate"] for layer in wheels)
    debs = len([one for one in planned.index.documents if one.startswith("/debian/")])
    assert image["download"]["files"] == 2 + debs
    assert image["total"]["estimate"] is True
    assert image["omitted"] == [{"package": "beta", "version": "1.0", "pattern": "beta/tests/**"}]
    assert image["left_out"] == {"packages": [], "bytecode": True}


def test_what_was_planned_is_what_is_built(planned: Any) -> None:
    before = plan(planned)["images"][0]
    built = planned.build()
    after = plan(planned)["images"][0]
    assert [one["title"] for one in before["layers"]] == [one["title"] for one in after["layers"]]
    there = [one for one in after["layers"] if one["state"] != "empty"]
    assert {one["state"] for one in there} == {"stored"}
    sizes = [(one["digest"], one["transfer_bytes"], one["unpacked_bytes"]) for one in there]
    assert sizes == [
        (one["digest"], one["transfer_bytes"], one["unpacked_bytes"]) for one in built["layers"]
    ]
    assert after["download"] == {"files": 0, "bytes": 0, "unknown": 0}
    assert after["total"]["estimate"] is False
    assert after["total"]["unpacked_bytes"] == built["unpacked_bytes"]


def test_a_pruned_wheel_is_not_missed_while_its_layer_is_there(planned: Any) -> None:
    planned.build()
    for path in planned.store.glob("downloads/*"):
        path.unlink()
    assert plan(planned)["images"][0]["download"]["files"] == 0
    (planned.root / "demo.py").write_text("value = 2\n")
    image = plan(planned)["images"][0]
    made = [one["title"] for one in image["layers"] if one["state"] == "make"]
    assert made == ["demo 1.0"]
    assert image["download"]["files"] == 0  # bytecode = "none": no interpreter is needed


def test_a_wheel_that_was_downloaded_is_not_downloaded_again(planned: Any) -> None:
    planned.build()
    text = (planned.root / "pyproject.toml").read_text()
    (planned.root / "pyproject.toml").write_text(text.replace("beta/tests/**", "beta/tests/*.py"))
    (layer,) = [one for one in plan(planned)["images"][0]["layers"] if one["state"] == "make"]
    assert (layer["title"], layer["download_bytes"]) == ("2 wheels: alpha to beta", 0)
    for path in planned.store.glob("downloads/*"):
        path.unlink()
    assert plan(planned)["images"][0]["download"]["files"] == 2


def test_a_local_wheel_need_not_be_downloaded(planned: Any, tmp_path: Path) -> None:
    plan(planned)
    directory = tmp_path / "local"
    directory.mkdir()
    (planned.index.files / "beta-1.0-py3-none-any.whl").rename(
        directory / "beta-1.0-py3-none-any.whl"
    )
    before = plan(planned, "--frozen")["images"][0]["download"]["files"]
    text = (planned.root / "pyproject.toml").read_text()
    (planned.root / "pyproject.toml").write_text(
        text.replace('bytecode = "none"', f'bytecode = "none"\nfind-links = ["{directory}"]')
    )
    assert plan(planned, "--frozen")["images"][0]["download"]["files"] == before - 1


def test_each_variable_tells_where_it_comes_from(planned: Any) -> None:
    cpu, cuda = plan(planned, "--all")["images"]
    origins = {one["name"]: one["origin"] for one in cuda["environment"]}
    assert origins["HOME"] == "common"
    assert origins["NVIDIA_VISIBLE_DEVICES"] == "accelerator"
    assert origins["VIRTUAL_ENV"] == "wheelship"
    assert origins["MODE"] == "project"
    assert {one["name"]: one["origin"] for one in cpu["environment"]}["OMP_NUM_THREADS"] == (
        "accelerator"
    )
    (language,) = [one for one in cpu["environment"] if one["name"] == "LANG"]
    assert (language["origin"], language["value"]) == ("project", "de_DE.UTF-8")
    assert language["replaces"] == "C.UTF-8"
    assert cpu["env"] == {one["name"]: one["value"] for one in cpu["environment"]}


def test_a_budget_that_even_the_estimate_breaks_is_said(planned: Any) -> None:
    cpu, cuda = plan(planned, "--all")["images"]
    assert (cuda["budget"]["ok"], cuda["budget"]["over"]) == (False, ["transfer"])
    assert (cpu["budget"]["ok"], cpu["budget"]["over"]) == (None, [])
    planned.build()
    assert plan(planned)["images"][0]["budget"]["ok"] is True


def test_variants_share_layers_and_the_plan_says_what_that_saves(planned: Any) -> None:
    """All but the group that gamma is in, which differs."""
    planned.run("build", str(planned.root), "--all", "--quiet", "--allow-over-budget")
    document = plan(planned, "--all")
    cpu, cuda = ({one["digest"]: one for one in image["layers"]} for image in document["images"])
    common = [cpu[digest] for digest in cpu if digest in cuda and digest is not None]
    assert document["shared"]["layers"] == len(common) >= 4
    saved = document["shared"]["saved"]
    assert saved["transfer_bytes"] == sum(one["transfer_bytes"] for one in common)
    assert saved["estimate"] is False


# --- why ---


def test_why_names_extra_and_way(planned: Any) -> None:
    document = plan(planned, "--all", "--why", "Beta")
    assert [(one["variant"], one["dependants"]) for one in document["found"]] == [
        ("cpu", ["alpha"]),
        ("cuda", ["alpha", "gamma"]),
    ]
    assert [(one["origin"], one["requirement"], one["path"]) for one in _ways(document, 1)] == [
        ("project", "alpha", ["alpha", "beta"]),
        ("extra gpu", "gamma>=1", ["gamma", "beta"]),
    ]
    text = planned.run("plan", str(planned.root), "--variant", "cuda", "--why", "beta").out
    assert "  extra gpu: gamma>=1 → beta\n" in text


def _ways(document: dict[str, Any], at: int) -> list[dict[str, Any]]:
    ways: list[dict[str, Any]] = document["found"][at]["ways"]
    return ways


def test_why_tells_of_debian_packages_once_they_are_there(planned: Any) -> None:
    first = plan(planned, "--why", "base-files")["found"][0]
    assert (first["complete"], [one["path"] for one in first["ways"]]) == (False, [["base-files"]])
    planned.build()
    found = plan(planned, "--why", "base-files")["found"][0]
    assert (found["complete"], found["dependants"]) == (True, ["libdemo1"])
    assert [(one["origin"], one["path"]) for one in found["ways"]] == [
        ("base", ["base-files"]),
        ("system-packages", ["libdemo1", "base-files"]),
    ]


def test_why_of_a_package_that_is_not_there_names_what_is_alike(planned: Any) -> None:
    planned.lock()
    error = planned.refuse(
        *("plan", str(planned.root), "--why", "alhpa"), code="package-not-in-image", status=3
    )
    assert error["hint"] == "did you mean alpha?"


# --- locks ---


def test_locked_writes_nothing_and_says_what_differs(planned: Any) -> None:
    planned.lock()
    planned.project("alpha", "gamma", table=TABLE)
    planned.refuse(
        *("plan", str(planned.root), "--locked"), code="lock-out-of-date", status=3, says=["gamma"]
    )


def test_a_plan_that_fails_leaves_the_locks_alone(planned: Any) -> None:
    """The first variant can be locked anew, the second cannot."""
    planned.lock()
    text = (planned.root / "pyproject.toml").read_text()
    text = text.replace("gamma>=1", "nowhere").replace('["alpha"]', '["alpha", "beta"]')
    (planned.root / "pyproject.toml").write_text(text)
    planned.refuse("plan", str(planned.root), "--all", code="unresolvable", status=3)


def test_a_platform_that_the_variant_is_not_for(planned: Any) -> None:
    other = "arm64" if native_platform().architecture == "amd64" else "amd64"
    error = planned.refuse(
        *("plan", str(planned.root), "--platform", f"linux/{other}"),
        code="unlocked-platform",
        status=3,
        says=[f"cpu is not for linux/{other}"],
    )
    assert error["hint"] == 'platforms = ["linux/amd64", "linux/arm64"]'


def test_a_dry_run_shows_the_same(planned: Any) -> None:
    planned.lock()
    document = plan(planned)
    assert planned.run("build", str(planned.root), "--dry-run", "--json").document == document
    assert planned.blobs() == set()


def test_every_command_of_the_guides_runs(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan's page, and the doctor's commands; the doctor finds that the mirror is made."""
    site.serve(stored("fastapi", "typing-extensions"), stored("typing_extensions"))
    site.project("fastapi", table=TABLE.replace('["gamma>=1"]', "[]"))
    site.base(make_deb("libc6"))
    text = (site.root / "pyproject.toml").read_text()
    (site.root / "pyproject.toml").write_text(
        text.replace('python = "3.11"\n', 'python = "3.11"\nsystem-packages = ["libc6"]\n')
    )
    monkeypatch.chdir(site.root)
    guide = _commands((HOW_TO / "plan.md").read_text())
    doctor = _commands((HOW_TO / "troubleshoot.md").read_text().partition("## Configuration")[0])
    assert (len(guide), len(doctor)) == (7, 3)
    for command in guide:
        assert site.run(*command).out
    for command in doctor:
        site.run(*command, status=0 if "--offline" in command else 5)


def _commands(text: str) -> list[list[str]]:
    """Return the words after ``wheelship`` of each command, without a redirection."""
    lines = [line for block in _SHELL.findall(text) for line in block.splitlines()]
    split = [shlex.split(line.partition(" > ")[0], comments=True) for line in lines]
    assert all(words[0] == "wheelship" for words in split)
    return [words[1:] for words in split]


# --- on another image ---


def test_a_plan_on_another_image(site: Any) -> None:
    """Its layers are taken as they are, its variables are told to be its own."""
    architecture = native_platform().architecture
    if architecture != "amd64":
        pytest.skip("the made base is for amd64")
    run = {"Env": ["PATH=/usr/bin", "TEAM=speech", "LANG=POSIX"]}
    MadeBase(config=run).write_layout(site.root / "base")
    site.project("alpha", table='base = "oci:base:latest"\n')
    image = plan(site)["images"][0]
    base = [one for one in image["layers"] if one["kind"] == "base"]
    assert {one["estimate"] for one in base} == {False}
    origins = {one["name"]: (one["origin"], one["value"]) for one in image["environment"]}
    assert origins["TEAM"] == ("base", "speech")
    assert origins["LANG"] == ("common", "C.UTF-8")
    assert origins["PATH"] == ("wheelship", "/opt/venv/bin:/usr/bin")
    for one in base:
        (site.store / "blobs" / "sha256" / one["digest"].removeprefix("sha256:")).unlink()
    image = plan(site)["images"][0]
    again = [one for one in image["layers"] if one["kind"] == "base"]
    assert {one["state"] for one in again} == {"fetch"}
    assert [one["download_bytes"] for one in again] == [one["transfer_bytes"] for one in base]
    wheels = [one for one in image["layers"] if one["kind"] == "wheels"]
    fetched = sum(one["transfer_bytes"] for one in (*base, *wheels))
    assert image["download"] == {"files": len(base) + 1, "bytes": fetched, "unknown": 0}
    assert plan(site, "--why", "alpha")["found"][0]["ways"][0]["path"] == ["alpha"]
