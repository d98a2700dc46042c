# SPDX-License-Identifier: Apache-2.0
"""One small image in every form that it can be read from."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from wheelship.engine.client import Client
from wheelship.events import Event as Progress
from wheelship.fetch.connection import Connections
from wheelship.fetch.retry import Policy
from wheelship.oci.descriptor import INDEX
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.registry.client import RegistryClient
from wheelship.registry.helper import Helpers
from wheelship.registry.keychain import Keychain
from wheelship.source.location import parse_location
from wheelship.source.model import ImageSource
from wheelship.source.open import SourceTools, open_image
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.oci_archive import write_oci_archive
from wheelship.store.store import Store
from wheelship.testing.image_forms import (
    REFERENCE,
    Made,
    Members,
    docker_members,
    index_of,
    made,
    write_layout,
    write_tar,
)
from wheelship.testing.registry import FakeRegistry

AMD64, ARM64 = Platform("amd64"), Platform("arm64")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def demo(store: Store) -> Made:
    return made(store)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def write(demo: Made, store: Store, tmp_path: Path, registry: FakeRegistry) -> Callable[[str], str]:
    """Write the image in a form of test_source_forms.py; return IMAGE."""

    def make(form: str) -> str:
        path = tmp_path / form
        if form.startswith("registry"):
            fill(registry, demo, form)
            return f"registry:{registry.host}/demo:{form}"
        if form in ("docker", "podman"):
            write_tar(tmp_path / f"{form}.tar", docker_members(demo, demo.tars))
            return f"{form}:{REFERENCE}"
        if form == "archive-gzipped":
            whole = write_tar(path, docker_members(demo, demo.tars)).read_bytes()
            # Two members, as bgzip and appending make them.
            path.write_bytes(gzip.compress(whole[:7000]) + gzip.compress(whole[7000:]))
            return str(path)
        if form.startswith("docker-archive") and form != "docker-archive-25":
            write_docker_tar(path, form, demo)
            return f"docker-archive:{path}"
        return write_own(path, form, demo, store)

    return make


def write_own(path: Path, form: str, demo: Made, store: Store) -> str:
    """Write what ``wheelship build`` writes."""
    layers = [(one.digest, store.blob(one.digest)) for one in demo.image.blobs]
    if form == "layout":
        tag = {"org.opencontainers.image.ref.name": "cpu"}
        entry = demo.image.descriptor.to_json() | {"annotations": tag}
        write_layout(path, index_of(entry), demo.documents)
        return f"oci:{path}:cpu"
    with path.open("wb") as out:
        if form == "oci-archive":
            write_oci_archive(out, demo.image, layers, REFERENCE)
            return f"oci-archive:{path}:cpu"
        write_docker_archive(
            out,
            manifest=demo.image.manifest_bytes,
            config=demo.image.config_bytes,
            layers=layers,
            reference=REFERENCE,
        )
        return f"docker-archive:{path}:{REFERENCE}"


def write_docker_tar(path: Path, form: str, demo: Made) -> None:
    """Write what engines before Docker 25 and their like write."""
    plain = docker_members(demo, demo.tars)
    if form == "docker-archive-gzip-layers":
        write_tar(path, docker_members(demo, [gzip.compress(one) for one in demo.tars]))
    elif form == "docker-archive-links":
        (first, one), (second, two), *rest = plain
        beside = f"{second[:-10]}x/real.tar"
        links: Members = [(first, f"../{beside}"), (beside, one)]
        hard: Members = [("./kept.tar", two), (second, "=kept.tar")]
        write_tar(path, [*links, *hard, *rest])
    elif form == "docker-archive-gnu":
        write_tar(path, [(f"./{name}", data) for name, data in plain], tarfile.GNU_FORMAT)
    else:
        write_tar(path, plain)


def fill(registry: FakeRegistry, demo: Made, tag: str) -> None:
    """Put the image into ``demo``; as ``registry-index`` among others and an attestation."""
    held = registry.repository("demo")
    held.blobs |= demo.documents
    digest = str(demo.image.descriptor.digest)
    media_type = demo.image.descriptor.media_type
    held.manifests[digest] = (media_type, demo.image.manifest_bytes)
    held.tags["registry"] = digest
    if tag == "registry-index":
        entry = demo.image.descriptor.to_json()
        other = {"mediaType": media_type, "digest": f"sha256:{64 * '1'}", "size": 1}
        body = index_of(
            other | {"platform": {"os": "unknown", "architecture": "unknown"}},
            other | {"platform": {"os": "linux", "architecture": "s390x"}},
            entry,
        )
        held.manifests[str(Digest.of(body))] = (INDEX, body)
        held.tags["registry-index"] = str(Digest.of(body))


Open = Callable[..., AbstractContextManager[ImageSource]]


@pytest.fixture
def events() -> list[Progress]:
    return []


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "workspace"
    path.mkdir()
    yield path
    assert list(path.iterdir()) == [], "something was left behind"


@pytest.fixture
def open_source(tmp_path: Path, workspace: Path, events: list[Progress]) -> Open:
    """Open IMAGE; engines are scripts that know one image."""

    def client(program: Any) -> Client:
        script = tmp_path / program
        script.write_text(ENGINE.format(archive=tmp_path / f"{program}.tar", name=REFERENCE))
        script.chmod(0o755)
        return Client(script, {"PATH": "/usr/bin:/bin"}, program)

    def naps(seconds: float, cancelled: Event) -> None:
        del seconds, cancelled

    def registries() -> RegistryClient:
        policy = Policy(read_seconds=5, connect_seconds=5)
        return RegistryClient(
            connections=Connections(
                user_agent="test/1", policy=policy, context=None, proxies={}, offline=False
            ),
            keychain=Keychain((), Helpers(environ={}), emit=events.append),
            policy=policy,
            sleep=naps,
        )

    def start(
        text: str, platform: Platform | None = None, native: Platform = AMD64, **more: Any
    ) -> AbstractContextManager[ImageSource]:
        tools = SourceTools(
            workspace=workspace,
            registry=registries,
            docker=client("docker"),
            podman=client("podman"),
        )
        location = parse_location(text, directory=tmp_path, **more)
        return open_image(
            location, platform=platform, native=native, tools=tools, emit=events.append
        )

    return start


ENGINE = """\
#!/bin/sh
case "$1" in
image)
  [ "$5" = {name} ] || {{ echo "Error: No such image: $5" >&2; exit 1; }}
  echo "sha256:abc 12345" ;;
save)
  [ "$2" = sha256:abc ] || exit 1
  exec cat {archive} ;;
esac
"""
