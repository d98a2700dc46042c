# SPDX-License-Identifier: Apache-2.0
"""Projects on disk, written from a mapping of paths to contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wheelship.oci.platform import Platform
from wheelship.request.errors import ConfigurationError, Finding
from wheelship.request.model import Request
from wheelship.request.read import read_request

AMD64 = Platform("amd64")

Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes files below a fresh project directory and returns it."""

    def write_files(files: Mapping[str, str]) -> Path:
        root = tmp_path / "service"
        root.mkdir(exist_ok=True)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return write_files


@pytest.fixture
def read(write: Write) -> Callable[[Mapping[str, str]], Request]:
    """Return a function that reads the request of a project with the given files."""
    return lambda files: read_request(write(files), native=AMD64)


@pytest.fixture
def findings(write: Write) -> Callable[[Mapping[str, str]], tuple[Finding, ...]]:
    """Return a function that reads a request which must fail, and returns what was found."""

    def read_findings(files: Mapping[str, str]) -> tuple[Finding, ...]:
        with pytest.raises(ConfigurationError) as raised:
            read_request(write(files), native=AMD64)
        return raised.value.findings

    return read_findings
