# SPDX-License-Identifier: Apache-2.0
"""The Docker engine when Docker misbehaves: a scripted client stands in for the real one.

What it does with a real daemon is tested in ``tests/integration/test_engine_check.py``.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import BinaryIO

import pytest

from wheelship.engine.choose import Machine, choose
from wheelship.engine.docker import Client, Docker
from wheelship.engine.errors import DockerFailed, DockerMissing, EngineLost, StartFailed
from wheelship.engine.model import ImageFiles, Options
from wheelship.events import Advanced, Event, Finished, discard
from wheelship.oci.config import ImageConfig
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

CONTEXT = 'context) echo "unix:///var/run/docker.sock";;'
VERSION = "version) echo 28.5.1;;"
KNOWN = 'image) echo "sha256:known";;'
UNKNOWN = "image) echo 'Error: No such image' >&2; exit 1;;"
NETWORK = "network) echo '[]';;"
CREATE = "create) echo container1;;"
START = "start) ;;"
REMOVE = "rm) ;;"


class Script:
    """A client that keeps every call and does what a case statement says."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "docker"
        self.calls_path = directory / "calls"

    def client(self, *cases: str) -> Client:
        lines = "\n".join(cases)
        calls = shlex.quote(str(self.calls_path))
        self.path.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$*" >>{calls}\ncase "$1" in\n{lines}\n'
            "*) echo unexpected $1 >&2; exit 99;;\nesac\n"
        )
        self.path.chmod(0o755)
        return Client(self.path, {"PATH": "/usr/bin:/bin"})

    @property
    def calls(self) -> list[str]:
        return self.calls_path.read_text().splitlines()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


def image(size: int = 10) -> ImageFiles:
    def write(out: BinaryIO) -> None:
        out.writelines(b"x" * 65536 for _ in range(size))

    return ImageFiles(
        reference="demo:cpu",
        manifest_digest=Digest.of(b"manifest"),
        config_digest=Digest.of(b"config"),
        config=ImageConfig(platform=Platform(architecture="amd64"), diff_ids=(), command=("x",)),
        layers=(),
        write_docker_archive=write,
    )


def test_container_is_confined_and_uses_the_images_own_user(script: Script) -> None:
    docker = Docker(client=script.client(KNOWN, NETWORK, CREATE, START, REMOVE))
    options = Options(port=8000, writable=("/data",), env={"A": "1"}, arguments=("--x",))
    with docker.start(image(), options, discard):
        pass
    create = next(call for call in script.calls if call.startswith("create "))
    for option in (
        "--read-only",
        "--tmpfs=/tmp",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--publish=127.0.0.1::8000",
        "--volume=/data",
        "--env=A=1",
    ):
        assert option in create.split()
    assert create.endswith(" sha256:known --x")
    assert "--user" not in create
    assert "--privileged" not in create
    assert script.calls[-1] == "rm --force --volumes container1"


def test_known_image_is_not_loaded_again(script: Script) -> None:
    docker = Docker(client=script.client(KNOWN, NETWORK, CREATE, START, REMOVE))
    with docker.start(image(), Options(), discard):
        assert not any(call.startswith("load") for call in script.calls)
    assert script.calls[0].endswith(str(image().config_digest))


def test_image_in_containerds_store_is_known_by_its_manifest(script: Script) -> None:
    digest = image().manifest_digest
    known = f'image) case "$*" in *{digest}) echo {digest};; *) exit 1;; esac;;'
    docker = Docker(client=script.client(known, NETWORK, CREATE, START, REMOVE))
    with docker.start(image(), Options(), discard):
        assert any(f" {digest}" in call for call in script.calls if call.startswith("create"))


def test_loading_tells_how_far_it_is(script: Script) -> None:
    load = "load) cat >/dev/null; echo 'Loaded image: demo:cpu';;"
    docker = Docker(client=script.client(UNKNOWN, load, NETWORK, CREATE, START, REMOVE))
    events: list[Event] = []
    with docker.start(image(), Options(), events.append):
        pass
    assert sum(one.bytes for one in events if isinstance(one, Advanced)) == 10 * 65536
    assert [one.outcome for one in events if isinstance(one, Finished)] == ["done"]
    assert any(call.endswith(" demo:cpu") for call in script.calls if call.startswith("create"))


def test_load_that_stops_reading_is_an_error_with_dockers_own_words(script: Script) -> None:
    """The pipe breaks long before everything is written."""
    load = "load) echo 'open /layers: no space left on device' >&2; exit 1;;"
    docker = Docker(client=script.client(UNKNOWN, load))
    events: list[Event] = []
    with pytest.raises(DockerFailed, match="no space left on device") as caught:
        docker.start(image(size=1000), Options(), events.append)
    assert caught.value.where == "demo:cpu"
    assert [one.outcome for one in events if isinstance(one, Finished)] == ["failed"]


def test_container_that_does_not_start_is_removed(script: Script) -> None:
    start = (
        "start) echo 'Error response from daemon: exec: \"x\": not found' >&2;"
        " echo 'Error: failed to start containers: container1' >&2; exit 1;;"
    )
    docker = Docker(client=script.client(KNOWN, NETWORK, CREATE, start, REMOVE))
    with pytest.raises(StartFailed, match='exec: "x": not found'):
        docker.start(image(), Options(), discard)
    assert script.calls[-1] == "rm --force --volumes container1"


def test_container_is_removed_when_the_check_breaks_off(script: Script) -> None:
    docker = Docker(client=script.client(KNOWN, NETWORK, CREATE, START, REMOVE))
    with pytest.raises(KeyboardInterrupt), docker.start(image(), Options(), discard):
        raise KeyboardInterrupt
    assert script.calls[-1] == "rm --force --volumes container1"


@pytest.mark.parametrize(
    ("running", "status"), [("true 0", None), ("false 0", 0), ("false 137", 137)]
)
def test_status(script: Script, running: str, status: int | None) -> None:
    inspect = f"inspect) echo {running};;"
    docker = Docker(client=script.client(KNOWN, NETWORK, CREATE, START, REMOVE, inspect))
    with docker.start(image(), Options(), discard) as service:
        assert service.status() == status


@pytest.mark.parametrize(
    "said",
    [
        "echo 'OCI runtime exec failed: exec: \"no\": not found'; exit 126",
        "echo 'Error response from daemon: Container is not running' >&2; exit 1",
    ],
)
def test_command_that_docker_cannot_execute_is_told_from_one_that_fails(
    script: Script, said: str
) -> None:
    execute = f'exec) if [ "$3" = no ]; then {said}; else echo out; exit 126; fi;;'
    docker = Docker(client=script.client(KNOWN, NETWORK, CREATE, START, REMOVE, execute))
    with docker.start(image(), Options(), discard) as service:
        with pytest.raises(StartFailed, match="cannot execute no"):
            service.execute(["no"], timeout_seconds=5)
        assert service.execute(["yes"], timeout_seconds=5).status == 126


def test_command_that_hangs_is_given_up(script: Script) -> None:
    execute = "exec) exec sleep 60;;"
    docker = Docker(client=script.client(KNOWN, NETWORK, CREATE, START, REMOVE, execute))
    with docker.start(image(), Options(), discard) as service:
        assert service.execute(["x"], timeout_seconds=0.2).status is None


def test_daemon_that_hangs_is_an_error(script: Script) -> None:
    client = script.client("info) exec sleep 60;;")
    with pytest.raises(DockerFailed, match="has not answered"):
        client.call("info", seconds=0.2)


# --- choosing ---


def machine(client: Client | None, directory: Path) -> Machine:
    return Machine(docker=client, workspace=directory, python=Path("/nonexistent/python"))


@pytest.mark.parametrize("wanted", ["auto", "docker"])
def test_daemon_that_answers_is_chosen(script: Script, tmp_path: Path, wanted: str) -> None:
    client = script.client(CONTEXT, VERSION)
    engine = choose(wanted, machine(client, tmp_path), discard)  # type: ignore[arg-type]
    assert engine.name == "docker"


@pytest.mark.parametrize(
    ("cases", "says"),
    [
        ((CONTEXT, "version) echo 'Cannot connect to the Docker daemon' >&2; exit 1;;"), "Cannot"),
        (('context) echo "tcp://build.example.org:2376";;', VERSION), "not on this machine"),
        (("context) echo 'unknown command' >&2; exit 1;;",), "unknown command"),
    ],
)
def test_unusable_docker_is_an_error_when_it_was_asked_for(
    script: Script, tmp_path: Path, cases: tuple[str, ...], says: str
) -> None:
    with pytest.raises((DockerMissing, DockerFailed), match=says):
        choose("docker", machine(script.client(*cases), tmp_path), discard)


def test_missing_docker_is_an_error_when_it_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DockerMissing, match="there is no docker command"):
        choose("docker", machine(None, tmp_path), discard)
    gone = Client(tmp_path / "gone", {})
    with pytest.raises(DockerMissing, match="No such file"):
        choose("docker", machine(gone, tmp_path), discard)


def test_unusable_docker_is_passed_over_otherwise(script: Script, tmp_path: Path) -> None:
    """What comes next is the embedded engine, which needs the (here missing) Python."""
    remote = script.client('context) echo "ssh://build.example.org";;', VERSION)
    with pytest.raises(EngineLost, match="cannot execute Python"):
        choose("auto", machine(remote, tmp_path), discard)
