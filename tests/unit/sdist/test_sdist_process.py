# SPDX-License-Identifier: Apache-2.0
"""A failed build says what to do, from what backends and compilers really say."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from wheelship.errors import ExitStatus
from wheelship.sdist.process import _failure, _run

TABLE = "[tool.wheelship.sdist.demo]\n"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            "  cause: Because ninja was not found in the provided package locations and you",
            f'{TABLE}requires = ["ninja"]',
        ),
        ("ModuleNotFoundError: No module named 'numpy.core'", f'{TABLE}requires = ["numpy"]'),
        ("ModuleNotFoundError: No module named 'pkg_resources'", 'requires = ["setuptools<81"]'),
        ("  cause: No solution found when resolving: `a<1`, `a>2`", f'{TABLE}requires = ["…"]'),
        ("x.c:1:10: fatal error: Python.h: No such file or directory", "python3-dev"),
        ("x.c:1:10: fatal error: portaudio.h: No such file or directory", "that has portaudio.h"),
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "build-ess"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'gcc'", "build-essential"),
        ("error: could not resolve host: crates.example.org", f"{TABLE}network = true"),
        ("Could not resolve host: github.com", f"{TABLE}network = true"),
        ("dns error: failed to lookup address information", f"{TABLE}network = true"),
        ("urlopen error [Errno 101] Network is unreachable", f"{TABLE}network = true"),
        ("assertion failed", "pip wheel --no-deps --wheel-dir wheels demo"),
    ],
)
def test_the_hint_belongs_to_what_was_said(said: str, hint: str) -> None:
    error = _failure("demo", f"Building wheel...\n{said}\n", 2)
    assert hint in str(error.hint)
    assert said.strip() in error.message
    assert (error.where, error.exit_status) == ("demo", ExitStatus.INPUT)


def test_only_the_last_lines_are_shown() -> None:
    error = _failure("demo", "\n\n".join(f"line {number}." for number in range(100)), 1)
    assert "line 99." in error.message
    assert "line 50." not in error.message
    assert "status 1" in error.message


def test_nothing_that_a_build_started_outlives_it(tmp_path: Path) -> None:
    script = "sleep 600 & echo $!"
    assert _run(["sh", "-c", script], {"PATH": os.environ["PATH"]}, tmp_path / "log") == 0
    pid = int((tmp_path / "log").read_text())
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    pytest.fail("the process is still there")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
