# SPDX-License-Identifier: Apache-2.0
"""Past builds, made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wheelship.history.model import PastBuild
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

_START = datetime(2026, 11, 1, 12, tzinfo=UTC)

Make = Callable[..., PastBuild]


@pytest.fixture
def make() -> Make:
    """Return a function that makes the ``number``-th build, a minute after the one before."""

    def make_build(number: int = 0, **fields: Any) -> PastBuild:
        values: dict[str, Any] = {
            "time": f"{_START + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}",
            "name": "speech-service",
            "variant": "cpu",
            "platform": Platform("amd64"),
            "digest": Digest.of(str(number).encode()),
            "transfer_bytes": 300_000_000 + number,
            "unpacked_bytes": 1_100_000_000,
            "seconds": 17.25,
            "layers": 36,
            "reused": 35,
            "fresh_bytes": 40_000,
        }
        return PastBuild(**(values | fields))

    return make_build
