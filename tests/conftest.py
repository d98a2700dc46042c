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

_SHARED = frozenset({"docker_host", "shell"})
"""Fixtures that start a daemon or keep downloads: two processes would do it twice."""

_MACHINE = frozenset(
    {
        "e2e/test_e2e_arm64.py",
        "e2e/test_e2e_bad_debian.py",
        "e2e/test_e2e_base.py",
        "e2e/test_e2e_fastapi.py",
        "e2e/test_e2e_push.py",
        "e2e/test_e2e_reproducible.py",
        "e2e/test_e2e_shapes.py",
        "e2e/test_e2e_sinks.py",
        "e2e/test_e2e_sizes.py",
        "e2e/test_e2e_sources.py",
        "e2e/test_e2e_speech_rocm.py",
        "e2e/test_e2e_speech_service.py",
        "test_docs_commands.py",
        "test_engine_check.py",
        "test_engine_embedded.py",  # sees that nothing is mounted, while daemons mount
        "test_store_disk.py",  # mounts
    }
)
"""Files of tests/integration with such tests, or that must not see the others' mounts."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden; say why in the commit"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Spread the files over the workers of ``scripts/test``, those of one group on one of them."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:  # what xdist offers to be replaced
            path = nodeid.partition("::")[0]
            return "machine" if path.removeprefix("tests/integration/") in _MACHINE else path

    config.option.loadscopereorder = False  # the group is among the first, and takes longest
    return ByFile(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: compressed ones differ from process to process."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hold the group to what the tests use."""
    integration = Path(__file__).parent / "integration"
    for item in items:
        names = item.fixturenames if isinstance(item, pytest.Function) else ()
        if integration in item.path.parents and _SHARED.intersection(names):
            path = item.path.relative_to(integration).as_posix()
            if path not in _MACHINE:
                raise pytest.UsageError(f"{path} belongs into _MACHINE of tests/conftest.py")


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the width that readline, which pytest loads, gives to processes started after it."""
    monkeypatch.delenv("COLUMNS", raising=False)


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
