# SPDX-License-Identifier: Apache-2.0
"""What all tests share: no network without the mark, tools that may be missing, golden files."""

from __future__ import annotations

import difflib
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No deadline: tests never assert a time (DESIGN §9). No database: nothing is left in the checkout.
settings.register_profile(
    "wheelship",
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("wheelship")

_MACHINE = frozenset({"docker_host", "embedded", "shell"})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden; say why in the commit"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests may run at the same time, for ``scripts/test`` with its two workers.

    What needs a daemon, namespaces or kept downloads stays on one worker, which makes these once;
    each other file with real parts stays together, too. Unit tests go where there is room.
    """
    machine = {item.path for item in items if _MACHINE.intersection(_fixtures(item))}
    for item in items:
        if item.get_closest_marker("integration") is not None or item.path in machine:
            group = "machine" if item.path in machine else item.path.stem
            item.add_marker(pytest.mark.xdist_group(group))


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


@pytest.fixture(autouse=True)
def _offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests reach this machine only; the mark ``integration`` lifts that."""
    if request.node.get_closest_marker("integration") is not None:
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        local = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost")
        assert local, f"a unit test connects to {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Return a program's path; where it is missing, skip here and fail in CI."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            lacking(f"{name} is not installed")
        assert path is not None
        return path

    return find


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """Skip with a reason here and fail with it in CI, where everything must be there."""
    return lacking


def lacking(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name in ``tests/golden``; a failure shows the diff."""
    folder = Path(__file__).parent / "golden"
    update = request.config.getoption("--update-golden")

    def check(name: str, text: str) -> None:
        path = folder / name
        if update:
            path.write_text(text)
        expected = path.read_text() if path.exists() else ""
        lines = difflib.unified_diff(
            expected.splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm=""
        )
        assert text == expected, "\n".join(lines)

    return check
