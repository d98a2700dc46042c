# SPDX-License-Identifier: Apache-2.0
"""A healthy machine, to be made ill one thing at a time."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wheelship.doctor.model import Patient
from wheelship.engine.client import Client, Program
from wheelship.fetch.fetcher import Fetcher
from wheelship.fetch.retry import Policy
from wheelship.lock.machine import MachineSources
from wheelship.oci.platform import Platform
from wheelship.request.model import Request
from wheelship.request.read import read_request

AMD64 = Platform(architecture="amd64")
NOW = datetime(2026, 7, 2, 12, tzinfo=UTC)


def _fetcher() -> Fetcher:
    policy = Policy(attempts=1, connect_seconds=2, read_seconds=2)
    return Fetcher(user_agent="test", policy=policy)


@pytest.fixture
def patient(tmp_path: Path) -> Callable[..., Patient]:
    """Return a maker of patients; what is given takes the place of what is healthy."""
    (tmp_path / "home").mkdir()
    well = Patient(
        environ={"PATH": "/usr/bin:/bin"},
        home=tmp_path / "home",
        store=tmp_path / "store",
        python=Path("/usr/bin/python3"),
        native=AMD64,
        apt=None,
        now=NOW,
        offline=False,
        docker=None,
        podman=None,
        sources=MachineSources(),
        fetcher=_fetcher,
        request=None,
        find=lambda name: f"/usr/bin/{name}",
        proc=tmp_path / "proc",
        seconds=2.0,
    )

    def make(environ: Mapping[str, str] | None = None, **changes: Any) -> Patient:
        return replace(well, environ={**well.environ, **(environ or {})}, **changes)

    return make


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Request]:
    """Return a maker of projects, from the text of their table."""

    def make(table: str = "", *requirements: str) -> Request:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        (root / "pyproject.toml").write_text(
            f'[project]\nname = "demo"\nversion = "1"\ndependencies = {list(requirements)}\n'
            f'[tool.wheelship]\npython = "3.11"\ncommand = ["demo"]\n{table}'
        )
        return read_request(root, native=AMD64)

    return make


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., Client]:
    """Return a maker of engines' clients that answer what a shell script says."""

    def make(script: str, program: Program = "docker") -> Client:
        path = tmp_path / f"{program}-client"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)
        return Client(path, {"PATH": "/usr/bin:/bin"}, program)

    return make
