# SPDX-License-Identifier: Apache-2.0
"""A registry on loopback, a client that never sleeps, and a small image to push."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from wheelship.events import Event as Progress
from wheelship.fetch.connection import Connections
from wheelship.fetch.retry import Policy
from wheelship.registry.client import RegistryClient
from wheelship.registry.helper import Helpers
from wheelship.registry.keychain import Keychain
from wheelship.testing.registry import FakeRegistry


@dataclass
class Naps:
    """Stands in for sleeping and remembers for how long."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float, cancelled: Event) -> None:
        del cancelled
        self.seconds.append(seconds)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def events() -> list[Progress]:
    return []


@pytest.fixture
def make_client(
    naps: Naps, events: list[Progress], tmp_path: Path
) -> Callable[..., RegistryClient]:
    """Make a client; ``auths`` and the like are Docker's config.json."""

    def make(*, path: str = "", read_seconds: float = 5, **config: object) -> RegistryClient:
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config))
        policy = Policy(read_seconds=read_seconds, connect_seconds=5)
        helpers = Helpers(environ={"PATH": path}, limit_seconds=5)
        return RegistryClient(
            connections=Connections(
                user_agent="test/1", policy=policy, context=None, proxies={}, offline=False
            ),
            keychain=Keychain((file,), helpers, emit=events.append),
            policy=policy,
            sleep=naps,
        )

    return make


@pytest.fixture
def client(make_client: Callable[..., RegistryClient]) -> RegistryClient:
    return make_client()
