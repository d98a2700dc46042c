# SPDX-License-Identifier: Apache-2.0
"""One image by way of other people's tools: whatever wrote it, it is the same image.

Docker 20.10, podman, docker-registry and skopeo each get the image and give it back.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.services import make_registry
from wheelship.cli.settings import Settings
from wheelship.engine.client import Client
from wheelship.events import discard
from wheelship.oci.platform import Platform
from wheelship.source.errors import NoImage
from wheelship.source.location import parse_location
from wheelship.source.model import ImageSource
from wheelship.source.open import SourceTools, open_image
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.store import Store
from wheelship.testing.image_forms import REFERENCE, Made, contents, index_of, made, write_layout

pytestmark = pytest.mark.integration

PODMAN = Path("/usr/bin/podman")
ARCHITECTURE = {"x86_64": "amd64"}.get(os.uname().machine, "arm64")
Open = Callable[[str], AbstractContextManager[ImageSource]]


def call(*command: str | Path, **more: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def demo(store: Store) -> Made:
    return made(store, ARCHITECTURE)


@pytest.fixture(scope="module")
def layout(demo: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    annotations = {"org.opencontainers.image.ref.name": "cpu"}
    entry = demo.image.descriptor.to_json() | {"annotations": annotations}
    return write_layout(tmp_path_factory.mktemp("image") / "demo", index_of(entry), demo.documents)


@pytest.fixture(scope="module")
def archive(demo: Made, store: Store, layout: Path) -> Path:
    """What engines load."""
    path = layout.parent / "load.tar"
    with path.open("wb") as out:
        write_docker_archive(
            out,
            manifest=demo.image.manifest_bytes,
            config=demo.image.config_bytes,
            layers=[(one.digest, store.blob(one.digest)) for one in demo.image.blobs],
            reference=REFERENCE,
        )
    return path


@pytest.fixture
def opening(tmp_path: Path) -> Callable[..., Open]:
    """Return what opens IMAGE, with the clients that are given."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    settings = Settings(environ={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})

    def with_clients(**clients: Client) -> Open:
        tools = SourceTools(
            workspace=workspace, registry=lambda: make_registry(settings, discard), **clients
        )

        def start(text: str) -> AbstractContextManager[ImageSource]:
            location = parse_location(text, directory=tmp_path)
            native = Platform(ARCHITECTURE)
            return open_image(location, platform=None, native=native, tools=tools, emit=discard)

        return start

    return with_clients


def require_image(image: ImageSource, demo: Made, *, compressed: bool) -> None:
    """Require the same configuration and layers; blobs too where they are as they went."""
    assert image.config_bytes == demo.image.config_bytes
    assert [one.diff_id for one in image.layers] == list(demo.image.config.diff_ids)
    assert image.as_transferred == compressed
    expected = list(demo.blobs.values()) if compressed else demo.tars
    assert contents(image) == expected


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_what_skopeo_writes(
    kind: str,
    layout: Path,
    demo: Made,
    tool: Callable[[str], str],
    opening: Callable[..., Open],
    tmp_path: Path,
) -> None:
    name = REFERENCE if kind == "docker-archive" else "v1"
    target = f"{kind}:{tmp_path}/copy:{name}"
    call(tool("skopeo"), "copy", "--quiet", f"oci:{layout}:cpu", target)
    for text in (target, f"{tmp_path}/copy"):
        with opening()(text) as image:
            require_image(image, demo, compressed=kind != "docker-archive")


@contextmanager
def registry_of(program: str, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
    }
    (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", folder / "config.yml"], stdout=log, stderr=log
        )
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", int(host.rpartition(":")[2]))) == 0:
                        break
                time.sleep(0.1)
            yield host
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("manifests", ["oci", "v2s2"])
def test_what_a_registry_serves(
    manifests: str,
    layout: Path,
    demo: Made,
    tool: Callable[[str], str],
    opening: Callable[..., Open],
    tmp_path: Path,
) -> None:
    """OCI's manifest and Docker's; the image's own name tells skopeo the form."""
    with registry_of(tool("docker-registry"), tmp_path) as host:
        options = ["--quiet", "--dest-tls-verify=false", f"--format={manifests}"]
        call(tool("skopeo"), "copy", *options, f"oci:{layout}:cpu", f"docker://{host}/demo:v1")
        with opening()(f"{host}/demo:v1") as image:
            assert image.reference == f"registry:{host}/demo:v1"
            assert ("docker" in json.loads(image.manifest_bytes)["mediaType"]) == (
                manifests == "v2s2"
            )
            require_image(image, demo, compressed=True)


@pytest.fixture
def docker(docker_client: tuple[Path, dict[str, str]], archive: Path) -> Iterator[Client]:
    path, environment = docker_client
    client = Client(path, environment)
    with archive.open("rb") as stream:
        call(path, "load", "--quiet", stdin=stream, env=environment)
    yield client
    client.call("rmi", "--force", REFERENCE)


def test_what_docker_exports(docker: Client, demo: Made, opening: Callable[..., Open]) -> None:
    identity = str(demo.config_digest)
    for name in (REFERENCE, f"docker.io/{REFERENCE}", identity, identity[7:19]):
        with opening(docker=docker)(f"docker:{name}") as image:
            require_image(image, demo, compressed=False)
            assert image.reference == f"docker:{name}"
    with pytest.raises(NoImage, match="no such image") as caught:
        opening(docker=docker)("docker:never/seen:1").__enter__()
    assert caught.value.hint == "docker pull never/seen:1"


def test_what_docker_save_wrote(
    docker: Client, demo: Made, opening: Callable[..., Open], tmp_path: Path
) -> None:
    call(
        docker.path, "save", "--output", tmp_path / "x.tar", REFERENCE, env=dict(docker.environment)
    )
    for text in (tmp_path / "x.tar", f"docker-archive:{tmp_path / 'x.tar'}:{REFERENCE}"):
        with opening()(str(text)) as image:
            require_image(image, demo, compressed=False)


@pytest.fixture
def podman(archive: Path, tmp_path: Path, missing: Callable[[str], None]) -> Iterator[Client]:
    if not PODMAN.exists():
        missing("needs podman: apt-get install podman")
    if os.geteuid() != 0:
        missing("needs root, as podman's storage is to be our own")
    path = tmp_path / "podman-client"
    with tempfile.TemporaryDirectory(prefix="ws-", dir="/var/tmp") as run:
        own = f"--root={tmp_path}/storage --runroot={run} --storage-driver=vfs"
        path.write_text(f'#!/bin/sh\nexec {PODMAN} {own} "$@"\n')
        path.chmod(0o755)
        call(path, "load", "--quiet", "--input", archive)
        yield Client(path, dict(os.environ), "podman")
        call(path, "rmi", "--all", "--force")


def test_what_podman_exports(
    podman: Client, demo: Made, opening: Callable[..., Open], tmp_path: Path
) -> None:
    with opening(podman=podman)(f"podman:{REFERENCE}") as image:
        require_image(image, demo, compressed=False)
    with pytest.raises(NoImage, match="no such image") as caught:
        opening(podman=podman)("podman:never/seen:1").__enter__()
    assert caught.value.hint == "podman pull never/seen:1"
    call(podman.path, "save", "-q", "--format=oci-archive", "-o", tmp_path / "x.tar", REFERENCE)
    with opening()(f"oci-archive:{tmp_path / 'x.tar'}") as image:
        assert image.config_bytes == demo.image.config_bytes
        assert [one.diff_id for one in image.layers] == list(demo.image.config.diff_ids)
        assert len(contents(image)) == 2
