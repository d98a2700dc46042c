# SPDX-License-Identifier: Apache-2.0
"""What the doctor finds in a project: its locks, and what git ignores."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from wheelship.build.lockfile import write_lock
from wheelship.debian.lock import DebianLock
from wheelship.doctor.ignored import check_ignored
from wheelship.doctor.lock import check_locks
from wheelship.doctor.model import Finding
from wheelship.lock.document import lock_path, render_lock
from wheelship.lock.inputs import lock_inputs
from wheelship.lock.target import Target
from wheelship.request.model import Request


def found(findings: Iterable[Finding]) -> dict[str, str]:
    return {one.code: one.status for one in findings}


def lock(request: Request, architecture: str = "amd64") -> None:
    """Write locks that are current."""
    root, (variant,) = request.project.root, request.variants.values()
    targets = [Target(python=variant.python, platform=one) for one in variant.platforms]
    text = render_lock(lock_inputs(request.project, variant), dict.fromkeys(targets, ()), root)
    lock_path(root, variant.name).write_text(text)
    base = DebianLock(release="bookworm", architecture=architecture, suites=(), packages=())
    write_lock(root / "wheelship.lock", [base])


def test_without_a_project_there_is_nothing_to_look_at(patient: Callable[..., Any]) -> None:
    assert found(check_locks(patient())) == {"locks": "skipped"}
    assert found(check_ignored(patient())) == {"ignored": "skipped"}


def test_locks(patient: Callable[..., Any], project: Callable[..., Any]) -> None:
    request = project("")
    (finding,) = check_locks(patient(request=request))
    assert (finding.status, finding.hint) == ("warning", "wheelship lock --variant cpu")
    lock(request)
    assert found(check_locks(patient(request=request))) == {"locks": "ok"}
    (finding,) = check_locks(patient(request=project("", "flask")))
    assert finding.status == "warning"
    assert "flask" in finding.what


def test_a_lock_that_cannot_be_read_is_not_mended_by_locking(
    patient: Callable[..., Any], project: Callable[..., Any]
) -> None:
    """``wheelship lock`` keeps what is locked, so it reads the file and fails as well."""
    request = project("")
    lock(request)
    lock_path(request.project.root, "cpu").write_text("x=")
    (finding,) = check_locks(patient(request=request))
    assert finding.status == "warning"
    assert finding.hint == "delete it and lock again: wheelship lock"


def test_a_lock_without_the_base(patient: Callable[..., Any], project: Callable[..., Any]) -> None:
    request = project("")
    lock(request, architecture="arm64")
    (finding,) = check_locks(patient(request=request))
    assert finding.status == "warning"
    assert "no such base of bookworm for linux/amd64" in finding.what


def test_a_lock_on_another_image(patient: Callable[..., Any], project: Callable[..., Any]) -> None:
    request = project('base = "python:3.11-slim"\n')
    lock(request)
    (finding,) = check_locks(patient(request=request))
    assert "holds no python:3.11-slim for linux/amd64" in finding.what


@pytest.fixture
def repository(project: Callable[..., Any], tool: Callable[[str], str]) -> Request:
    request: Request = project("")
    where = {"HOME": os.devnull, "PATH": os.environ["PATH"]}
    command = [tool("git"), "init", "--quiet", str(request.project.root)]
    subprocess.run(command, check=True, env=where)
    return request


def test_git(repository: Request, patient: Callable[..., Any], tool: Callable[[str], str]) -> None:
    someone = patient({"HOME": os.devnull}, request=repository, find=tool, seconds=30.0)
    (finding,) = check_ignored(someone)
    ignore = repository.project.root / ".gitignore"
    assert (finding.code, finding.hint) == ("dist-not-ignored", f"echo /dist/ >> {ignore}")
    assert finding.hint is not None
    subprocess.run(["/bin/sh", "-c", finding.hint], check=True)
    assert found(check_ignored(someone)) == {"ignored": "ok"}
    ignore.write_text("/dist/\n*.lock\n")
    assert found(check_ignored(someone)) == {"ignored": "ok", "lock-ignored": "warning"}


def test_outside_of_a_repository_and_without_git(
    patient: Callable[..., Any], project: Callable[..., Any], tmp_path: Path
) -> None:
    request = project("")
    assert not any((one / ".git").exists() for one in (tmp_path, *tmp_path.parents))
    assert found(check_ignored(patient(request=request))) == {"ignored": "skipped"}
    (request.project.root / ".git").mkdir()
    without = patient(request=request, find=lambda _: None)
    assert found(check_ignored(without)) == {"ignored": "skipped"}
