# SPDX-License-Identifier: Apache-2.0
"""Real parts for the engine tests: a Docker daemon of our own, and images with a real Python.

The images are made of this machine's own Python and its libraries, so that these tests depend on no
other part of wheelship than the one they test.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from wheelship.engine.docker import Client, Docker
from wheelship.engine.embedded import Embedded, probe_namespaces
from wheelship.engine.loader import Loader
from wheelship.engine.model import Engine, ImageFiles, LayerFile
from wheelship.oci.config import Healthcheck, ImageConfig, canonical_json
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

SYSTEM_PYTHON = Path("/usr/bin/python3")
DOCKER = Path("/usr/bin/docker")
DOCKERD = Path("/usr/sbin/dockerd")
UID = 65532
_MEMBER_BYTES = 4 * 1024 * 1024
_UNUSED = {"test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "__pycache__"}


def missing(reason: str) -> NoReturn:
    """Skip on a developer's machine; in CI a missing part must not pass for a passed test."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# --- Docker ---


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """The address of a daemon of our own: private socket and storage, no bridge network.

    ``WHEELSHIP_TEST_DOCKER_HOST`` names another one, for CI machines where we are not root.
    """
    if address := os.environ.get("WHEELSHIP_TEST_DOCKER_HOST"):
        yield address
        return
    if not DOCKERD.exists() or not DOCKER.exists():
        missing("needs Docker: apt-get install docker.io")
    if os.geteuid() != 0:
        missing("needs root to start a Docker daemon")
    place = Path("/var/tmp", f"wheelship-dockerd-{os.getpid()}")  # noqa: S108 - sockets need short paths
    place.mkdir(mode=0o700)
    address = f"unix://{place}/d.sock"
    arguments = [f"--host={address}", f"--data-root={place}/data", f"--exec-root={place}/exec"]
    arguments += [f"--pidfile={place}/pid", "--iptables=false", "--ip6tables=false"]
    with (place / "log").open("wb") as log:
        daemon = subprocess.Popen([DOCKERD, *arguments, "--bridge=none"], stdout=log, stderr=log)
    try:
        if not answers(daemon, address):
            missing("dockerd does not start here: " + (place / "log").read_text()[-500:])
        yield address
    finally:
        daemon.terminate()
        daemon.wait(60)
        # The daemon leaves the network namespace of its host-network containers mounted.
        leftover = place / "exec/netns/default"
        subprocess.run(["/usr/bin/umount", leftover], check=False, capture_output=True)
        shutil.rmtree(place)


def answers(daemon: subprocess.Popen[bytes], address: str) -> bool:
    for _ in range(300):
        if daemon.poll() is not None:
            return False
        info = subprocess.run([DOCKER, "-H", address, "info"], capture_output=True, check=False)
        if info.returncode == 0:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="session")
def docker_client(docker_host: str) -> tuple[Path, dict[str, str]]:
    """The client and the environment it needs to reach :func:`docker_host`."""
    return DOCKER, {"DOCKER_HOST": docker_host, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


# --- engines ---


@pytest.fixture
def workspace() -> Iterator[Path]:
    """A directory for unpacked images that every user can get to, unlike pytest's own."""
    memory = Path("/dev/shm")  # noqa: S108 - files are made there 30 times as fast as on some disks
    fast = os.access(memory, os.W_OK) and not os.statvfs(memory).f_flag & os.ST_NOEXEC
    place = memory if fast else None
    with tempfile.TemporaryDirectory(prefix="wheelship-test-", dir=place) as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        assert list(path.iterdir()) == [], "the engine left something behind"


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


@pytest.fixture
def embedded(workspace: Path) -> Embedded:
    """The engine of our own; a machine that forbids namespaces cannot test it."""
    python = Path(sys.executable)
    reason = probe_namespaces(workspace, python)
    if reason is not None:
        missing(f"namespaces are forbidden here: {reason}")
    return Embedded(workspace=workspace, python=python)


@pytest.fixture(params=["embedded", "loader", "docker"])
def engine(request: pytest.FixtureRequest, workspace: Path) -> Engine:
    """Each engine in turn."""
    if request.param == "docker":
        client, environment = request.getfixturevalue("docker_client")
        return Docker(client=Client(client, environment))
    if request.param == "loader":
        return Loader(workspace=workspace, python=Path(sys.executable))
    engine: Engine = request.getfixturevalue("embedded")
    return engine


# --- images ---

SERVICE = """
import argparse, http.server, json, os, signal, sys, threading, time

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=8000)
parser.add_argument("--ignore-term", action="store_true")
parser.add_argument("--exit", type=int)
parser.add_argument("--unhealthy", action="store_true")
parser.add_argument("--write")


class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/healthz":
            self.reply(503 if options.unhealthy else 200, {"status": "ok"})
        else:
            self.reply(404, {"error": "not found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        answer = {"type": kind.partition(";")[0], "bytes": len(body),
                  "segments": [{"start": 3.0, "end": 6.4}, {"start": 8.3, "end": 11.8}]}
        if kind.startswith("multipart/form-data"):
            import email.parser, email.policy
            message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
                b"Content-Type: " + kind.encode() + b"\\r\\n\\r\\n" + body)
            part = next(message.iter_parts())
            answer["field"] = part.get_param("name", header="content-disposition")
            answer["filename"] = part.get_filename()
            answer["content"] = part.get_payload(decode=True).decode()
        else:
            answer["json"] = json.loads(body)
        self.reply(200, answer)


def main():
    global options
    options = parser.parse_args()
    if options.exit is not None:
        print("giving up", file=sys.stderr)
        sys.exit(options.exit)
    if options.write:
        open(options.write, "w").close()
    server = http.server.ThreadingHTTPServer(("0.0.0.0", options.port), Handler)
    def end(*_):
        if not options.ignore_term:
            threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, end)
    print(f"listening as {os.getuid()}:{os.getgid()} on {options.port}", flush=True)
    server.serve_forever()
"""

PROBE = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=3)
connection.request("GET", "/healthz")
sys.exit(0 if connection.getresponse().status == 200 else 1)
"""


@dataclass(frozen=True)
class Secret:
    """A file that only its owner, root, may read."""

    data: bytes


Entries = dict[str, "bytes | Path | str | Secret | tuple[int, int]"]
"""What a layer holds: bytes, a file to copy, a ``-> target``, or a directory's mode and owner."""


def tar_of(entries: Entries) -> bytes:
    buffer = io.BytesIO()
    made = set()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:

        def directory(path: str, mode: int = 0o755, owner: int = 0) -> None:
            if path and path not in made:
                directory(path.rpartition("/")[0])
                made.add(path)
                header = tarfile.TarInfo(path)
                header.type, header.mode = tarfile.DIRTYPE, mode
                header.uid = header.gid = owner
                archive.addfile(header)

        for path, content in sorted(entries.items()):
            if isinstance(content, tuple):
                directory(path, *content)
                continue
            directory(path.rpartition("/")[0])
            header = tarfile.TarInfo(path)
            header.mode = 0o755 if "/bin/" in path or ".so" in path else 0o644
            if isinstance(content, str):
                header.type, header.linkname = tarfile.SYMTYPE, content.removeprefix("-> ")
                archive.addfile(header)
                continue
            if isinstance(content, Secret):
                header.mode, data = 0o600, content.data
            else:
                data = content.read_bytes() if isinstance(content, Path) else content
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def layer_of(entries: Entries, directory: Path) -> LayerFile:
    """Write a layer of many gzip members, as wheelship's own are."""
    tar = tar_of(entries)
    diff_id = Digest.of(tar)
    path = directory / diff_id.hex
    with path.open("wb") as file:
        for at in range(0, len(tar), _MEMBER_BYTES):
            file.write(gzip.compress(tar[at : at + _MEMBER_BYTES], 1, mtime=0))
    return LayerFile(path=path, diff_id=diff_id)


def system_python_entries() -> Entries:
    """This machine's Python with its standard library and every library that it loads."""
    if not SYSTEM_PYTHON.exists():
        missing("needs the system's own Python in /usr/bin")
    script = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_path('stdlib'))"
    _, stdlib = subprocess.run(
        [SYSTEM_PYTHON, "-I", "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    binary = SYSTEM_PYTHON.resolve()
    entries: Entries = {f"usr/bin/{binary.name}": binary}
    for top, folders, files in os.walk(stdlib):
        folders[:] = [name for name in folders if name not in _UNUSED]
        for name in files:
            path = Path(top, name)
            if path.suffix != ".a" and not path.is_symlink():
                entries[str(path).lstrip("/")] = path
    programs = [str(binary), *(str(path) for path in entries.values() if str(path).endswith(".so"))]
    ldd = subprocess.run(["/usr/bin/ldd", *programs], check=True, capture_output=True, text=True)
    for word in ldd.stdout.split():
        if word.startswith("/") and ".so" in word and not word.endswith(":"):
            entries[word.lstrip("/")] = Path(word).resolve()
    return entries


def version() -> str:
    return SYSTEM_PYTHON.resolve().name.removeprefix("python")


@pytest.fixture(scope="session")
def python_layer(tmp_path_factory: pytest.TempPathFactory) -> LayerFile:
    """The base: a real Python, an empty /app, and a passwd."""
    entries = system_python_entries()
    entries["etc/passwd"] = b"root:x:0:0::/root:/x\nnonroot:x:65532:65532::/home/nonroot:/x\n"
    entries["app"] = (0o755, 0)
    entries["tmp"] = (0o1777, 0)
    return layer_of(entries, tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def secret() -> type[Secret]:
    """Makes files that only root may read."""
    return Secret


ImageMaker = Callable[..., ImageFiles]


@pytest.fixture(scope="session")
def make_image(python_layer: LayerFile, tmp_path_factory: pytest.TempPathFactory) -> ImageMaker:
    """Make an image of the demo service.

    ``extra`` adds files; the other keyword arguments replace fields of the configuration.
    """
    site = f"opt/venv/lib/python{version()}/site-packages"
    files: Entries = {
        "opt/venv/pyvenv.cfg": f"home = /usr/bin\nversion = {version()}\n".encode(),
        "opt/venv/bin/python": f"-> /usr/bin/python{version()}",
        "opt/venv/bin/python3": "-> python",
        "opt/venv/bin/demo": b"#!/opt/venv/bin/python\nfrom demo_service import main\nmain()\n",
        "opt/venv/bin/probe": b"#!/opt/venv/bin/python\n" + PROBE.encode(),
        f"{site}/demo_service.py": SERVICE.encode(),
        f"{site}/demo_service-1.2.3.dist-info/METADATA": (
            b"Metadata-Version: 2.1\nName: demo-service\nVersion: 1.2.3\n"
        ),
        f"{site}/demo_service-1.2.3.dist-info/top_level.txt": b"demo_service\n",
        "data": (0o750, UID),
        "data/seed": b"from the image",
    }
    directory = tmp_path_factory.mktemp("image")

    def make(*, port: int, extra: Entries | None = None, **fields: object) -> ImageFiles:
        layers = (python_layer, layer_of(files | (extra or {}), directory))
        config = ImageConfig(
            platform=Platform(architecture={"x86_64": "amd64"}.get(os.uname().machine, "arm64")),
            diff_ids=tuple(layer.diff_id for layer in layers),
            env=(("PATH", "/opt/venv/bin:/usr/bin"), ("DEMO", "yes"), ("STATE", "/data/state")),
            entrypoint=("demo",),
            command=("--port", str(port)),
            user=f"{UID}:{UID}",
            workdir="/app",
            ports=(port,),
            volumes=("/data",),
            healthcheck=Healthcheck(
                test=("CMD", "/opt/venv/bin/python", "-I", "/opt/venv/bin/probe", str(port)),
                interval_seconds=30,
                timeout_seconds=3,
                start_period_seconds=10,
                retries=3,
            ),
        )
        return image_of(replace(config, **fields), layers)  # type: ignore[arg-type]

    return make


def image_of(config: ImageConfig, layers: tuple[LayerFile, ...]) -> ImageFiles:
    document = canonical_json(config.to_json())
    digest = Digest.of(document)
    reference = f"demo:{digest.hex[:12]}"

    def write(out: BinaryIO) -> None:
        names = [f"{layer.diff_id.hex}.tar.gz" for layer in layers]
        row = {"Config": f"{digest.hex}.json", "RepoTags": [reference], "Layers": names}
        with tarfile.open(fileobj=out, mode="w|") as archive:
            for name, data in (
                (f"{digest.hex}.json", document),
                ("manifest.json", json.dumps([row]).encode()),
            ):
                header = tarfile.TarInfo(name)
                header.size = len(data)
                archive.addfile(header, io.BytesIO(data))
            for name, layer in zip(names, layers, strict=True):
                archive.add(layer.path, name)

    return ImageFiles(
        reference=reference,
        manifest_digest=Digest(hashlib.sha256(b"manifest" + document).hexdigest()),
        config_digest=digest,
        config=config,
        layers=layers,
        write_docker_archive=write,
    )
