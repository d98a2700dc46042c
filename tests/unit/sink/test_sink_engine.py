# SPDX-License-Identifier: Apache-2.0
"""Engines that misbehave: a scripted client stands in for docker and podman.

What real ones do is tested in ``tests/integration/test_sink_engines.py``.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.main import main
from wheelship.cli.services import tools
from wheelship.cli.settings import Settings
from wheelship.engine.client import Client, Program
from wheelship.engine.errors import (
    DockerFailed,
    DockerMissing,
    EngineForbidden,
    EngineFull,
    PodmanMissing,
    WrongImage,
)
from wheelship.errors import ExitStatus, NetworkError, WheelshipError
from wheelship.events import Event, Finished, Warned, discard
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.sink import engine as engine_module
from wheelship.sink.engine import EngineSink
from wheelship.sink.model import Delivered, Parcel
from wheelship.sink.output import EngineOutput, parse_output
from wheelship.store.errors import DamagedStore

STREAMED = ["image-streamed"]
VERSION = "version) echo 28.5.1;;"
CONTEXT = 'context) echo "unix:///var/run/docker.sock";;'
INFO = "info) echo Debian;;"
TAG = "tag) ;;"
LOAD = "load) cat >{loaded}; echo 'Loaded image: team/demo:cpu'; touch {has};;"
REFUSED = "pull) echo 'Error response from daemon: connection refused' >&2; exit 1;;"

# What a pull does, without an engine: fetch the manifest over plain HTTP.
PULL = """pull) {python} - "$@" <<'END'
import sys, urllib.request
host, _, rest = sys.argv[-1].partition("/")
name, _, digest = rest.partition("@")
urllib.request.urlopen(f"http://{{host}}/v2/{{name}}/manifests/{{digest}}").read()
END
touch {has};;"""


class Engine:
    """A client that keeps every call, and that has the image once ``has`` exists."""

    def __init__(self, directory: Path, load: Any) -> None:
        self.directory = directory
        self.load = load
        self.has = directory / "has"
        self.loaded = directory / "loaded.tar"
        self.config = Digest.of(load.image.config_bytes)

    def sink(
        self, *cases: str, program: Program = "docker", image: str | None = None
    ) -> EngineSink:
        """Return a sink whose client does what the cases of a case statement say."""
        path = self.directory / program
        answer = image or (f"{self.config}" if program == "docker" else f"{self.config.hex}")
        known = (
            f"image) case \"$2\" in rm) ;; *) if [ -e {self.has} ]; then echo '{answer}'; else "
            "echo 'Error: No such image' >&2; exit 1; fi;; esac;;"
        )
        words = {
            "has": shlex.quote(str(self.has)),
            "loaded": shlex.quote(str(self.loaded)),
            "python": "/usr/bin/env python3",
        }
        lines = "\n".join(case.format(**words) for case in cases)
        path.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$*" >>{shlex.quote(str(self.directory / "calls"))}\n'
            f'case "$1" in\n{lines}\n{known}\n*) echo unexpected $1 >&2; exit 99;;\nesac\n'
        )
        path.chmod(0o755)
        client = Client(path, {"PATH": "/usr/bin:/bin"}, program)
        return EngineSink(EngineOutput(program), client)

    @property
    def calls(self) -> list[str]:
        return (self.directory / "calls").read_text().splitlines()

    def call(self, verb: str) -> str:
        (found,) = [one for one in self.calls if one.split()[0] == verb]
        return found


@pytest.fixture
def engine(tmp_path: Path, load: Any) -> Engine:
    directory = tmp_path / "engine"
    directory.mkdir()
    return Engine(directory, load)


def test_an_engine_pulls_by_digest_and_keeps_no_other_name(engine: Engine) -> None:
    sink = engine.sink(VERSION, CONTEXT, INFO, PULL, TAG)
    events: list[Event] = []
    done = sink.deliver(engine.load.parcel(), events.append)
    assert done == Delivered(
        output="docker",
        method="pulled",
        reference="team/demo:cpu",
        moved_bytes=len(engine.load.image.manifest_bytes),
        platforms=(Platform("amd64"),),
    )
    pulled = engine.call("pull").split()
    assert pulled[1:3] == ["--quiet", "--platform=linux/amd64"]
    name = pulled[-1]
    assert name.endswith(f"@{engine.load.image.descriptor.digest}")
    assert engine.calls.index(f"tag {name} team/demo:cpu") < engine.calls.index(f"image rm {name}")
    assert not [one for one in events if isinstance(one, Warned)]


def test_an_image_that_is_there_is_only_tagged(engine: Engine) -> None:
    engine.has.touch()
    done = engine.sink(VERSION, TAG).deliver(engine.load.parcel(), discard)
    assert (done.method, done.moved_bytes) == ("present", 0)
    assert f"tag {engine.config} team/demo:cpu" in engine.calls


@pytest.mark.parametrize(
    ("cases", "reason", "warnings"),
    [
        (('context) echo "ssh://build.example.org";;',), "ssh://build.example.org", []),
        (('context) echo "tcp://10.0.0.1:2376";;',), "is not on this machine", []),
        ((CONTEXT, 'info) echo "Docker Desktop";;'), "virtual machine", []),
        ((CONTEXT, INFO, REFUSED), "connection refused", STREAMED),
        (
            (CONTEXT, INFO, "pull) echo 'unknown flag: --platform' >&2; exit 125;;"),
            "flag",
            ["image-streamed"],
        ),
        (
            ("context) echo 'not a docker command' >&2; exit 1;;", INFO, REFUSED),
            "refused",
            ["image-streamed"],
        ),
    ],
)
def test_an_engine_that_cannot_pull_is_sent_everything_and_says_why(
    engine: Engine, cases: tuple[str, ...], reason: str, warnings: list[str]
) -> None:
    events: list[Event] = []
    sink = engine.sink(VERSION, *cases, LOAD, TAG)
    done = sink.deliver(engine.load.parcel(), events.append)
    assert done.method == "loaded"
    assert done.moved_bytes == engine.loaded.stat().st_size
    assert reason in (done.detail or "")
    finished = [one for one in events if isinstance(one, Finished)]
    assert reason in finished[-1].detail
    assert [one.code for one in events if isinstance(one, Warned)] == warnings
    assert any(one.startswith("pull ") for one in engine.calls) == bool(warnings)


def test_an_engine_that_never_comes_is_not_waited_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall that drops packets, between here and a virtual machine."""
    monkeypatch.setattr(engine_module, "_PATIENCE_SECONDS", 0.3)
    sink = engine.sink(VERSION, CONTEXT, INFO, "pull) exec sleep 60;;", LOAD, TAG)
    done = sink.deliver(engine.load.parcel(), discard)
    assert done.method == "loaded"
    assert "asked for nothing" in (done.detail or "")


def test_an_engine_that_has_begun_is_waited_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_PATIENCE_SECONDS", 1)
    slow = PULL.replace("touch", "sleep 3; touch")
    done = engine.sink(VERSION, CONTEXT, INFO, slow, TAG).deliver(engine.load.parcel(), discard)
    assert done.method == "pulled"


@pytest.mark.parametrize(
    ("cases", "error", "hint"),
    [
        (
            ("version) echo 'Cannot connect to the Docker daemon at unix:///x.' >&2; exit 1;;",),
            DockerMissing,
            "systemctl start docker",
        ),
        (
            (
                (
                    "version) echo 'permission denied while trying to connect to the Docker daemon "
                    "socket' >&2; exit 1;;"
                ),
            ),
            EngineForbidden,
            "usermod -aG docker",
        ),
        (
            (
                VERSION,
                CONTEXT,
                INFO,
                "pull) echo 'write /var/lib/docker: no space left on device' >&2; exit 1;;",
            ),
            EngineFull,
            "docker system prune",
        ),
        (
            (
                VERSION,
                CONTEXT,
                INFO,
                REFUSED,
                "load) echo 'Error processing tar file: no space left on device' >&2; exit 1;;",
            ),
            EngineFull,
            "docker system prune",
        ),
        (
            (VERSION, CONTEXT, INFO, REFUSED, "load) echo 'invalid tar header' >&2; exit 1;;"),
            DockerFailed,
            None,
        ),
    ],
)
def test_what_is_wrong_with_an_engine_is_told_with_a_fix(
    engine: Engine, cases: tuple[str, ...], error: type[WheelshipError], hint: str | None
) -> None:
    with pytest.raises(error) as caught:
        engine.sink(*cases).deliver(engine.load.parcel(), discard)
    assert caught.value.exit_status is ExitStatus.MACHINE
    assert hint is None or hint in (caught.value.hint or "")


def test_a_full_disk_is_not_tried_a_second_time(engine: Engine) -> None:
    full = "pull) echo 'no space left on device' >&2; exit 1;;"
    with pytest.raises(EngineFull):
        engine.sink(VERSION, CONTEXT, INFO, full, LOAD).deliver(engine.load.parcel(), discard)
    assert not engine.loaded.exists()


def test_an_engine_that_holds_another_image_afterwards_is_not_believed(engine: Engine) -> None:
    other = str(Digest.of(b"other"))
    sink = engine.sink(VERSION, CONTEXT, INFO, PULL, TAG, image=other)
    with pytest.raises(WrongImage, match=other):
        sink.deliver(engine.load.parcel(), discard)


def test_containerds_store_knows_an_image_by_its_manifest(engine: Engine) -> None:
    manifest = str(engine.load.image.descriptor.digest)
    sink = engine.sink(VERSION, CONTEXT, INFO, PULL, TAG, image=manifest)
    assert sink.deliver(engine.load.parcel(), discard).method == "pulled"


def test_podman_must_keep_the_manifest_it_pulled(engine: Engine) -> None:
    image = f"{engine.config.hex} {engine.load.image.descriptor.digest}"
    sink = engine.sink("info) echo false;;", PULL, TAG, program="podman", image=image)
    assert sink.deliver(engine.load.parcel(), discard).method == "pulled"
    assert "--tls-verify=false" in engine.call("pull")
    engine.has.unlink()
    image = f"{engine.config.hex} {Digest.of(b'other')}"
    sink = engine.sink("info) echo false;;", PULL, TAG, program="podman", image=image)
    with pytest.raises(WrongImage):
        sink.deliver(engine.load.parcel(), discard)


def test_podman_on_another_machine_is_sent_everything(engine: Engine) -> None:
    sink = engine.sink("info) echo true;;", LOAD, TAG, program="podman")
    done = sink.deliver(engine.load.parcel(), discard)
    assert (done.method, done.detail) == ("loaded", "podman runs on another machine")


@pytest.mark.parametrize("cases", [(REFUSED,), ('info) echo "Docker Desktop";;',)])
def test_a_damaged_layer_is_found_before_an_engine_gets_all_of_it(
    engine: Engine, cases: tuple[str, ...]
) -> None:
    """What is pulled, the engine hashes; what is streamed, we do."""
    path = engine.load.damage(1)
    sink = engine.sink(VERSION, CONTEXT, *cases, INFO, LOAD, TAG)
    with pytest.raises(DamagedStore) as caught:
        sink.deliver(engine.load.parcel(), discard)
    assert caught.value.where == str(path)


def test_a_layer_that_cannot_be_fetched_is_told_as_what_it_is(engine: Engine) -> None:
    """A base's layer lies in a registry; the engine would only say that it got an error 500."""

    def refuse(digest: Digest) -> Path:
        raise NetworkError("no route to host", where=str(digest))

    image = engine.load.image
    pull = PULL.replace("manifests/{{digest}}", f"blobs/{image.blobs[0].digest}")
    parcel = Parcel(image=image, reference="team/demo:cpu", blob=refuse, linked=lambda _: None)
    with pytest.raises(NetworkError, match="no route to host"):
        engine.sink(VERSION, CONTEXT, INFO, pull, LOAD).deliver(parcel, discard)


def test_a_delivery_that_is_interrupted_leaves_no_temporary_name(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine_module, "_wait", interrupt)
    sink = engine.sink(VERSION, CONTEXT, INFO, "pull) exec sleep 60;;", LOAD)
    with pytest.raises(KeyboardInterrupt):
        sink.deliver(engine.load.parcel(), discard)
    assert engine.calls[-1].startswith("image rm 127.0.0.1:")


# --- which client ---


def test_the_client_is_the_named_one_then_the_environments_then_the_one_on_path(
    tmp_path: Path,
) -> None:
    for name in ("docker", "podman"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    outputs = [parse_output("docker", tmp_path)]
    environ = {"PATH": str(tmp_path)}

    def found(**named: str | None) -> tuple[str, str]:
        given = {"docker": None, "podman": None, **named}
        made = tools(Settings(environ=environ), outputs, **given)
        assert made.docker is not None
        assert made.podman is not None
        assert (made.docker.program, made.podman.program) == ("docker", "podman")
        return str(made.docker.path), str(made.podman.path)

    assert found() == (str(tmp_path / "docker"), str(tmp_path / "podman"))
    environ |= {"WHEELSHIP_DOCKER": "/env/docker", "WHEELSHIP_PODMAN": "/env/podman"}
    assert found() == ("/env/docker", "/env/podman")
    assert found(docker="/named/docker", podman="/named/podman") == (
        "/named/docker",
        "/named/podman",
    )
    none = tools(Settings(environ={"PATH": ""}), outputs, docker=None, podman=None)
    assert (none.docker, none.podman) == (None, None)


@pytest.mark.parametrize(
    ("output", "code"), [("docker", DockerMissing.code), ("podman", PodmanMissing.code)]
)
def test_a_missing_engine_is_told_before_anything_is_built(
    output: str,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is no project here at all."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv(f"WHEELSHIP_{output.upper()}", raising=False)
    assert main(["build", str(tmp_path), f"--output={output}"]) == 5
    said = capsys.readouterr().err
    assert f"error[{code}]" in said
    assert "--output docker-archive:image.tar" in said
