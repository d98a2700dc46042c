# SPDX-License-Identifier: Apache-2.0
"""What an engine says that has no image to give, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.engine.client import Client
from wheelship.engine.errors import DockerFailed, DockerMissing, EngineForbidden
from wheelship.errors import WheelshipError
from wheelship.oci.platform import Platform
from wheelship.source.choose import Wanted
from wheelship.source.engine import open_engine_image
from wheelship.source.errors import NoImage

_SOCKET = "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("says", "error", "hint"),
    [
        (
            f"Cannot connect to the Docker daemon at {_SOCKET}. Is the docker daemon running?",
            DockerMissing,
            "sudo systemctl start docker",
        ),
        (
            f"permission denied while trying to connect to the docker API at {_SOCKET}",
            EngineForbidden,
            "sudo usermod -aG docker",
        ),
        ("Error response from daemon: No such image: service:1", NoImage, "docker pull service:1"),
        ("Error response from daemon: out of luck", DockerFailed, "docker info"),
    ],
)
def test_an_engine_that_gives_no_image(
    says: str, error: type[WheelshipError], hint: str, tmp_path: Path
) -> None:
    client = tmp_path / "docker"
    client.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    client.chmod(0o755)
    with (
        pytest.raises(error) as caught,
        open_engine_image(
            Client(client, {"PATH": "/usr/bin:/bin"}),
            "docker",
            "service:1",
            Wanted(None, Platform("amd64")),
            workspace=tmp_path,
            emit=lambda _: None,
        ),
    ):
        pass
    assert caught.value.where == "docker:service:1"
    assert hint in (caught.value.hint or "")
    if error in (DockerMissing, EngineForbidden):
        assert "registry:REF" in (caught.value.hint or "")
        assert "--output" not in (caught.value.hint or ""), "nothing is built here"
