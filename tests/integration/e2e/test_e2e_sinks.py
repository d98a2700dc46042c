# SPDX-License-Identifier: Apache-2.0
"""Every consumer takes our image: engines old and new, and tools that read layouts and archives.

A small FastAPI service goes to Docker 20.10, to Docker 28 with either of its image stores, and to
podman, by each way there is; the Dockers run it until it is healthy.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import socketserver
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wheelship.engine.client import Client
from wheelship.events import discard
from wheelship.inspect.model import Contents
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.oci.validate import problems_of_layout
from wheelship.source.location import parse_location
from wheelship.source.open import SourceTools, open_image

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
DOCKER_SID = ROOT / "scripts" / "docker-sid"
SID_ROOT = Path(os.environ.get("WHEELSHIP_SID_ROOT", "/tmp/sid-root"))  # noqa: S108 - its place
PODMAN = Path("/usr/bin/podman")
REFERENCE = "example.org/team/hello:1.0"
SMALL_BYTES = 100_000
DOCKERS = ["docker-20.10", "docker-28", "docker-28-containerd"]

APP = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/hello")
def hello() -> dict[str, str]:
    return {"hello": "you"}
"""

PROJECT = """\
[project]
name = "hello"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["fastapi", "uvicorn"]

[tool.wheelship]
python = "3.11"
command = ["uvicorn", "hello.app:app", "--host", "0.0.0.0", "--port", "{port}"]
port = {port}
health = "/healthz"

[tool.wheelship.check.request]
path = "/hello"
expect = {{ hello = "you" }}
"""


def output_of(*command: str | Path, **more: Any) -> str:
    """Run a program that must succeed; return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
    return str(done.stdout).strip()


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine of our own, behind one client file that takes no environment."""

    program: str
    client: Path

    def __call__(self, *arguments: str, **more: Any) -> str:
        return output_of(self.client, *arguments, **more)

    def forget(self) -> None:
        """Remove all images."""
        known = self("images", "--quiet", "--no-trunc").split()
        if known:
            self("rmi", "--force", *sorted(set(known)))

    def temporary_names(self) -> list[str]:
        names = self("images", "--format", "{{.Repository}}").splitlines()
        return [name for name in names if name.startswith("127.0.0.1")]


def script(path: Path, command: str) -> Path:
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    return path


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The project, its store, and what the first build said of the image."""

    root: Path
    store: Path
    image: dict[str, Any]
    shell: Any

    @property
    def digest(self) -> str:
        return str(self.image["digest"])

    @property
    def config(self) -> str:
        manifest = self.blob(self.digest)
        return str(json.loads(manifest.read_bytes())["config"]["digest"])

    def blob(self, digest: str) -> Path:
        return self.root / "dist/hello/blobs" / digest.replace(":", "/")

    def deliver(self, *options: str, status: int = 0, **more: Any) -> Any:
        build = ("build", self.root, "--json", "--offline", f"--tag={REFERENCE}", *options)
        return self.shell.run(*build, store=self.store, status=status, **more)

    def to(self, engine: Engine, **more: Any) -> dict[str, Any]:
        """Deliver into an engine; return what was reported of it."""
        ran = self.deliver(
            f"--output={engine.program}", f"--{engine.program}={engine.client}", **more
        )
        (delivery,) = ran.image["deliveries"]
        assert delivery["output"] == engine.program
        assert delivery["reference"] == REFERENCE
        return dict(delivery)


@pytest.fixture(scope="module")
def hello(shell: Any) -> Iterator[Hello]:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    files = {
        "pyproject.toml": PROJECT.format(port=port),
        "hello/app.py": APP,
        "hello/__init__.py": "",
    }
    root, store = shell.project("delivered", files), shell.store("delivered-store")
    ran = shell.run("build", root, "--json", store=store)
    shell.keep(store)
    yield Hello(root=root, store=store, image=ran.image, shell=shell)
    shutil.rmtree(root)
    shutil.rmtree(store)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A short path, as sockets need, in the one directory that sid's daemons may write to."""
    path = Path("/tmp", f"wheelship-sinks-{os.getpid()}")  # noqa: S108 - as above
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


Start = Callable[[str], Engine]


@pytest.fixture(scope="module")
def start(
    place: Path, missing: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[Start]:
    """Start each engine when it is first asked for; all end with the module."""
    started: dict[str, Engine] = {}

    def get(name: str) -> Engine:
        if name not in started:
            if name == "podman":
                started[name] = own_podman(place, missing)
            elif name == "docker-20.10":
                path, environment = request.getfixturevalue("docker_client")
                words = [f"{key}={shlex.quote(value)}" for key, value in environment.items()]
                client = script(place / f"{name}-client", f"env -i {' '.join(words)} {path}")
                started[name] = Engine(program="docker", client=client)
            else:
                started[name] = sid_docker(place / name, missing)
        return started[name]

    yield get
    for name in set(started) & {"docker-28", "docker-28-containerd"}:
        subprocess.run([DOCKER_SID, "stop", place / name], check=True)
    if "podman" in started:
        started["podman"].forget()
        mounted = ("/usr/bin/umount", place / "podman/overlay")
        subprocess.run(mounted, check=False, capture_output=True)


def own_podman(place: Path, missing: Callable[[str], None]) -> Engine:
    """Return podman with storage of its own."""
    if not PODMAN.exists():
        missing("needs podman: apt-get install podman")
    if os.geteuid() != 0:
        missing("needs root, as podman's storage is to be our own")
    own = f"--root={place}/podman --runroot={place}/podman-run"
    return Engine(program="podman", client=script(place / "podman-client", f"{PODMAN} {own}"))


def sid_docker(state: Path, missing: Callable[[str], None]) -> Engine:
    """Start Debian sid's Docker in ``state``, whose name says which image store it has."""
    if os.geteuid() != 0:
        missing("needs root to start a Docker daemon")
    if shutil.which("mmdebstrap") is None and not SID_ROOT.exists():
        missing("needs mmdebstrap: apt-get install mmdebstrap")
    kind = "true" if "containerd" in state.name else "false"
    option = f"containerd-snapshotter={kind}"
    begun = subprocess.run(
        [DOCKER_SID, "start", state, "--", "--feature", option],
        capture_output=True,
        text=True,
        check=False,
    )
    if begun.returncode != 0:
        missing(f"Debian sid's Docker does not start here: {begun.stderr[-500:]}")
    client = script(state.with_suffix(".client"), f"{DOCKER_SID} run {state} docker")
    return Engine(program="docker", client=client)


@pytest.fixture(params=[*DOCKERS, "podman"])
def engine(request: pytest.FixtureRequest, start: Start) -> Iterator[Engine]:
    """Each engine in turn, without any image."""
    found = start(request.param)
    yield found
    found.forget()


@pytest.fixture(params=DOCKERS)
def docker(request: pytest.FixtureRequest, start: Start) -> Iterator[Engine]:
    """Each Docker in turn, without any image."""
    found = start(request.param)
    yield found
    found.forget()


def test_every_byte_has_an_owner(hello: Hello, every_byte: Callable[..., Contents]) -> None:
    contents = every_byte(hello.root / "dist" / "hello")
    assert contents.sizes.transfer == hello.image["transfer_bytes"]
    assert contents.sizes.unpacked == hello.image["unpacked_bytes"]
    assert [item.entry.path for item in contents.items if item.owner.type == "unknown"] == []


def require_image(engine: Engine, hello: Hello) -> None:
    """Require that the reference names the image in the engine, as far as the engine knows."""
    shown = json.loads(engine("image", "inspect", REFERENCE))[0]
    if engine.program == "podman":
        assert shown["Id"] == hello.config.removeprefix("sha256:")
        assert shown["Digest"] == hello.digest
        # Written in docs/how-to/deliver.md; when this fails, podman has learned it.
        assert not shown.get("HealthCheck")
        assert not shown["Config"].get("Healthcheck")
    else:
        assert shown["Id"] in (hello.config, hello.digest)
        assert shown["Config"]["Healthcheck"]["Test"][0] == "CMD"
    assert shown["RepoTags"] == [REFERENCE]
    assert engine.temporary_names() == []


def test_an_engine_pulls_only_what_it_lacks(engine: Engine, hello: Hello) -> None:
    first = hello.to(engine)
    assert first["method"] == "pulled"
    assert hello.image["transfer_bytes"] * 0.99 < first["moved_bytes"]
    assert first["moved_bytes"] <= hello.image["transfer_bytes"]
    require_image(engine, hello)

    again = hello.to(engine)
    assert (again["method"], again["moved_bytes"]) == ("present", 0)
    require_image(engine, hello)

    app = hello.root / "hello/app.py"
    app.write_text(APP.replace('"you"', '"them"'))
    try:
        changed = hello.to(engine)
        assert changed["method"] == "pulled"
        assert 0 < changed["moved_bytes"] < SMALL_BYTES
        shown = json.loads(engine("image", "inspect", REFERENCE))[0]
        assert shown["Id"].removeprefix("sha256:") not in (hello.config, hello.digest)
    finally:
        app.write_text(APP)
    assert hello.to(engine)["moved_bytes"] == 0, "the older image is still there"
    require_image(engine, hello)


def test_a_docker_runs_it_until_it_is_healthy(docker: Engine, hello: Hello) -> None:
    """By the image's own probe; and what was delivered is what is checked, so nothing is loaded."""
    hello.to(docker)
    ran = hello.shell.run(
        *("check", hello.root, "--engine=docker", f"--docker={docker.client}", "--json"),
        store=hello.store,
    )
    outcomes = {step["name"]: step["outcome"] for step in ran.document["steps"]}
    assert outcomes["healthy"] == outcomes["answers"] == outcomes["user"] == "passed"
    assert ran.document["answer"] == {"hello": "you"}
    assert "load " not in ran.err


@contextmanager
def relayed(path: str) -> Iterator[str]:
    """Make a daemon's socket a TCP port, as if the daemon were on another machine."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as far:
                far.connect(path)
                back = threading.Thread(target=copy, args=(far, self.request))
                back.start()
                copy(self.request, far)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("name", DOCKERS)
def test_a_daemon_elsewhere_is_sent_all_of_it(
    name: str, start: Start, hello: Hello, place: Path, docker_host: str
) -> None:
    engine = start(name)
    engine.forget()
    old = name == "docker-20.10"
    path = docker_host.removeprefix("unix://") if old else f"{place / name}/d.sock"
    with relayed(path) as address:
        there = f"env DOCKER_HOST={address}"
        inside = "" if old else f"{DOCKER_SID} run {place / name} "
        command = f"{inside}{there} {'/usr/bin/docker' if old else 'docker'}"
        remote = Engine(program="docker", client=script(place / "remote", command))
        delivery = hello.to(remote)
    assert f"the daemon at {address} is not on this machine" in delivery["detail"]
    assert delivery["method"] == "loaded"
    assert delivery["moved_bytes"] > hello.image["transfer_bytes"]
    require_image(engine, hello)
    engine.forget()


# --- archives ---


@pytest.fixture(scope="module")
def archives(hello: Hello, place: Path) -> dict[str, Path]:
    """Both kinds of file, and the layout, written by one build."""
    kinds = ("oci-archive", "docker-archive")
    paths = {kind: place / f"{kind}.tar" for kind in kinds} | {"oci": place / "layout"}
    ran = hello.deliver(*(f"--output={kind}:{path}" for kind, path in paths.items()))
    assert [one["method"] for one in ran.image["deliveries"]] == ["written"] * 3
    assert ran.image["digest"] == hello.digest
    return paths


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive", "oci"])
def test_what_is_written_is_valid(
    kind: str, archives: dict[str, Path], hello: Hello, tmp_path: Path
) -> None:
    layout = archives[kind]
    if kind != "oci":
        layout = tmp_path / "out"
        with tarfile.open(archives[kind]) as archive:
            for member in archive:
                assert member.isdir() or member.isreg()
                archive.extract(member, layout)
    assert problems_of_layout(layout) == []
    index = json.loads((layout / "index.json").read_bytes())
    assert [one["digest"] for one in index["manifests"]] == [hello.digest]


@pytest.mark.parametrize("kind", ["oci-archive", "oci"])
def test_skopeo_and_umoci_take_it_as_it_is(
    kind: str, archives: dict[str, Path], hello: Hello, tool: Callable[[str], str], tmp_path: Path
) -> None:
    source = f"{kind}:{archives[kind]}:1.0"
    shown = json.loads(output_of(tool("skopeo"), "inspect", source))
    assert shown["Digest"] == hello.digest
    copied = tmp_path / "copy"
    output_of(tool("skopeo"), "copy", "--preserve-digests", source, f"oci:{copied}:x")
    index = json.loads((copied / "index.json").read_bytes())
    assert [one["digest"] for one in index["manifests"]] == [hello.digest]
    # The media type of an index is optional, and skopeo 1.9 leaves it out.
    assert problems_of_layout(copied) in ([], ["index.json is no image index"])
    bundle = tmp_path / "bundle"
    rights = [] if os.geteuid() == 0 else ["--rootless"]
    output_of(tool("umoci"), "unpack", *rights, "--image", f"{copied}:x", bundle)
    assert (bundle / "rootfs/opt/venv/bin/uvicorn").is_file()
    shutil.rmtree(bundle)


def test_skopeo_takes_the_docker_archive(
    archives: dict[str, Path], hello: Hello, tool: Callable[[str], str], tmp_path: Path
) -> None:
    """It makes a Docker manifest of it; the configuration is the image's."""
    source = f"docker-archive:{archives['docker-archive']}:{REFERENCE}"
    output_of(tool("skopeo"), "copy", source, f"dir:{tmp_path}/dir")
    manifest = json.loads((tmp_path / "dir/manifest.json").read_bytes())
    assert manifest["config"]["digest"] == hello.config


def test_every_docker_loads_the_docker_archive(
    docker: Engine, archives: dict[str, Path], hello: Hello
) -> None:
    with archives["docker-archive"].open("rb") as stream:
        assert docker("load", "--quiet", stdin=stream) == f"Loaded image: {REFERENCE}"
    require_image(docker, hello)


def test_containerds_store_loads_the_oci_archive(
    start: Start, archives: dict[str, Path], hello: Hello
) -> None:
    engine = start("docker-28-containerd")
    engine.forget()
    with archives["oci-archive"].open("rb") as stream:
        assert engine("load", "--quiet", stdin=stream) == f"Loaded image: {REFERENCE}"
    require_image(engine, hello)
    engine.forget()


@pytest.mark.parametrize("name", ["docker-28", "docker-28-containerd"])
def test_a_new_docker_gives_it_back(
    name: str, start: Start, archives: dict[str, Path], hello: Hello, tmp_path: Path
) -> None:
    """The same configuration and layers; in containerd's store they are still the blobs.

    Older engines: test_e2e_sources.py.
    """
    engine = start(name)
    engine.forget()
    with archives["docker-archive"].open("rb") as stream:
        engine("load", "--quiet", stdin=stream)
    client = Client(engine.client, os.environ)
    tools = SourceTools(workspace=tmp_path, registry=pytest.fail, docker=client)
    location = parse_location(f"docker:{REFERENCE}", directory=tmp_path)
    native = Platform.of_machine(os.uname().machine)
    with open_image(location, platform=None, native=native, tools=tools, emit=discard) as image:
        assert Digest.of(image.config_bytes) == Digest.parse(hello.config)
        for layer in image.layers:
            with image.open(layer) as stream:
                while stream.read(1_000_000):
                    pass
        kept = json.loads(hello.blob(hello.digest).read_bytes())["layers"]
        same = [str(one.descriptor.digest) for one in image.layers] == [
            one["digest"] for one in kept
        ]
    assert image.as_transferred == same
    assert same == (name == "docker-28-containerd")
    assert list(tmp_path.iterdir()) == []
    engine.forget()


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_podman_loads_it(kind: str, start: Start, archives: dict[str, Path], hello: Hello) -> None:
    engine = start("podman")
    engine.forget()
    said = engine("load", "--quiet", "--input", str(archives[kind]))
    assert said == f"Loaded image: {REFERENCE}"
    require_image(engine, hello)
    engine.forget()


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_an_archive_can_be_checked(
    kind: str, archives: dict[str, Path], hello: Hello, embedded: Any
) -> None:
    del embedded  # skips where namespaces are forbidden
    command = ("check", f"{kind}:{archives[kind]}", "--engine=embedded", "--json")
    ran = hello.shell.run(*command, f"--project={hello.root}", store=hello.store)
    assert ran.document["digest"] == hello.digest
    assert ran.document["answer"] == {"hello": "you"}
    assert list(hello.store.glob("tmp/*")) == []


# --- engines in trouble ---


def test_an_engine_of_another_user(hello: Hello, place: Path, docker_host: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    other = f"setpriv --reuid=65534 --regid=65534 --clear-groups env DOCKER_HOST={docker_host}"
    client = script(place / "forbidden", f"{other} HOME=/nonexistent /usr/bin/docker")
    error = hello.deliver("--output=docker", f"--docker={client}", status=5).document["error"]
    assert error["code"] == "engine-forbidden"
    assert "usermod -aG docker" in error["hint"]


def test_a_daemon_that_is_not_running(hello: Hello, place: Path) -> None:
    client = script(place / "stopped", f"env DOCKER_HOST=unix://{place}/none.sock /usr/bin/docker")
    archive = place / "beside.tar"
    ran = hello.deliver(
        "--output=docker", f"--output=oci-archive:{archive}", f"--docker={client}", status=5
    )
    error = ran.document["error"]
    assert error["code"] == "docker-missing"
    assert error["where"] == "docker"
    assert "systemctl start docker" in error["hint"]
    assert archive.is_file(), "the other output is filled all the same"


def test_a_daemon_whose_disk_is_full(
    hello: Hello, place: Path, missing: Callable[[str], None]
) -> None:
    """A real daemon on a disk with room for a part of the image."""
    if os.geteuid() != 0 or not Path("/usr/sbin/dockerd").exists():
        missing("needs root, and Docker: apt-get install docker.io")
    state = place / "full"
    (state / "data").mkdir(parents=True)
    mounted = ("/usr/bin/mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", state / "data")
    if subprocess.run(mounted, check=False, capture_output=True).returncode != 0:
        missing("cannot mount a small disk here")
    address = f"unix://{state}/d.sock"
    arguments = [f"--host={address}", f"--data-root={state}/data", f"--exec-root={state}/exec"]
    arguments += [f"--pidfile={state}/pid", "--iptables=false", "--ip6tables=false"]
    with (state / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["/usr/sbin/dockerd", *arguments, "--bridge=none"], stdout=log, stderr=log
        )
    try:
        client = script(place / "full-client", f"env DOCKER_HOST={address} /usr/bin/docker")
        for _ in range(300):
            if subprocess.run([client, "info"], capture_output=True, check=False).returncode == 0:
                break
            assert daemon.poll() is None, (state / "log").read_text()[-500:]
            threading.Event().wait(0.1)
        error = hello.deliver("--output=docker", f"--docker={client}", status=5).document["error"]
        assert error["code"] == "engine-full"
        assert "docker system prune" in error["hint"]
    finally:
        daemon.terminate()
        daemon.wait(60)
        subprocess.run(["/usr/bin/umount", state / "data"], check=True)
        subprocess.run(
            ["/usr/bin/umount", state / "exec/netns/default"], check=False, capture_output=True
        )
