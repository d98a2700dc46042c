# SPDX-License-Identifier: Apache-2.0
"""The key ``history``, and that what it names is in no image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wheelship.request.errors import Finding
from wheelship.request.history import with_history
from wheelship.request.model import Request
from wheelship.request.sources import snapshot

Read = Callable[[Mapping[str, str]], Request]
Findings = Callable[[Mapping[str, str]], tuple[Finding, ...]]

PROJECT = '[tool.wheelship]\ncommand = ["serve"]\n'


def files(line: str = "") -> dict[str, str]:
    return {"pyproject.toml": f"{PROJECT}{line}\n", "service/__init__.py": ""}


def shipped(request: Request) -> list[str]:
    found = snapshot(request.project, request.variants["cpu"], lambda *_: b"")
    return [file.target.removeprefix("app/") for file in found.files]


def test_builds_are_remembered_in_the_project_unless_it_says_otherwise(read: Read) -> None:
    request = read(files())
    root = request.project.root
    assert request.history == root / ".wheelship" / "history.jsonl"
    assert request.variants["cpu"].exclude == ()
    assert read(files("history = false")).history is None
    assert read(files('history = "ci/builds.jsonl"')).history == root / "ci" / "builds.jsonl"
    assert read(files('history = "../builds.jsonl"')).history == root.parent / "builds.jsonl"
    assert read(files('history = "/srv/builds.jsonl"')).history == Path("/srv/builds.jsonl")


@pytest.mark.parametrize(
    "name", ["service/builds.jsonl", "service/[b]*?.jsonl", r"service/a\\b.jsonl"]
)
def test_a_history_among_the_code_stays_out_of_the_image(name: str, read: Read) -> None:
    path = name.replace("\\\\", "\\")
    beside = "service/b.jsonl"
    request = read({**files(f'history = "{name}"'), path: "{}", beside: "{}"})
    assert shipped(request) == ["service/__init__.py", beside]
    # It is there otherwise: the test would find it.
    assert path in shipped(read(files("history = false")))


def test_what_is_named_for_one_build_stays_out_too(read: Read) -> None:
    request = read({**files(), "service/builds.jsonl": "{}", ".wheelship/history.jsonl": "{}"})
    path = request.project.root / "service" / "builds.jsonl"
    assert "service/builds.jsonl" in shipped(request)
    assert "service/builds.jsonl" not in shipped(with_history(request, path))
    assert with_history(request, None).history is None
    assert with_history(request, Path("/srv/builds.jsonl")).variants == request.variants


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("history = true", "true without being said"),
        ("history = 3", "must be a string"),
        ('history = ""', "must not be empty"),
        ('history = "service"', "is a directory"),
        ('history = "new/"', "is a directory"),
    ],
)
def test_what_is_no_file_is_a_finding(line: str, message: str, findings: Findings) -> None:
    (finding,) = findings(files(line))
    assert message in finding.message


def test_a_variant_has_no_history_of_its_own(findings: Findings) -> None:
    (finding,) = findings(files('[tool.wheelship.variants.cpu]\nhistory = "x.jsonl"'))
    assert "does not belong here" in finding.message
