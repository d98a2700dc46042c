# SPDX-License-Identifier: Apache-2.0
"""Projects on disk, and what is found out about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wheelship.discover.find import discover
from wheelship.discover.model import Discovery
from wheelship.discover.propose import propose, settle
from wheelship.discover.text import render, target_of, write
from wheelship.oci.platform import Platform
from wheelship.request.model import Request
from wheelship.request.read import read_request


@pytest.fixture
def project(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Return a function that writes files below a project directory and returns it."""

    def make(files: Mapping[str, str]) -> Path:
        root = tmp_path / "service"
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8", newline="")
        return root

    return make


@pytest.fixture
def find(project: Callable[[Mapping[str, str]], Path]) -> Callable[[Mapping[str, str]], Discovery]:
    """Return a function that finds out about a project with the given files."""
    return lambda files: discover(project(files))


@pytest.fixture
def initialised() -> Callable[[Path], tuple[str, Request]]:
    """Return a function that writes a project's table; gives the table, and the request then."""

    def init(root: Path) -> tuple[str, Request]:
        discovery = discover(root)
        assert discovery.start is not None
        target = target_of(root)
        table = render(propose(discovery, settle(discovery, discovery.start)), target.prefix)
        write(root, target, table)
        return table, read_request(root, native=Platform("amd64"))

    return init
