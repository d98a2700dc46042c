# SPDX-License-Identifier: Apache-2.0
"""The interpreter that builds is of the image's minor version, or there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wheelship.sdist.errors import SdistNoPython
from wheelship.sdist.interpreter import find_interpreter

NONE = Path("/nonexistent")


def program(folder: Path, name: str, says: str, status: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {says}\nexit {status}\n")
    path.chmod(0o755)
    return path


def test_this_interpreter_is_taken_where_it_fits() -> None:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert find_interpreter(python, Path(sys.executable), NONE, {}) == Path(sys.executable)


def test_the_first_on_path_that_says_the_version(tmp_path: Path) -> None:
    """Shims of version managers are there for every version and fail for those not installed."""
    program(tmp_path / "one", "python3.99", "pyenv: not found", 127)
    program(tmp_path / "two", "python3.99", "pypy 3.99")
    right = program(tmp_path / "three", "python3.99", "cpython 3.99")
    program(tmp_path / "four", "python3.99", "cpython 3.99")
    path = ":".join(str(tmp_path / one) for one in ("none", "one", "two", "three", "four"))
    assert find_interpreter("3.99", Path(sys.executable), NONE, {"PATH": path}) == right


def test_then_those_of_uv(tmp_path: Path) -> None:
    managed = program(tmp_path / "uv", "python", "cpython 3.99")
    uv = program(tmp_path / "bin", "uv", str(managed))
    assert find_interpreter("3.99", Path(sys.executable), uv, {"PATH": "/bin"}) == managed


def test_none(tmp_path: Path) -> None:
    uv = program(tmp_path, "uv", "error", 2)
    with pytest.raises(SdistNoPython) as caught:
        find_interpreter("3.99", Path(sys.executable), uv, {"PATH": str(tmp_path)})
    assert caught.value.hint == "uv python install 3.99"
