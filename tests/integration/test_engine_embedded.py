# SPDX-License-Identifier: Apache-2.0
"""The embedded engine: what a service sees in it, what stays behind, and who may use it."""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import wheelship
from wheelship.archive.unpack import remove_tree
from wheelship.engine.embedded import Embedded
from wheelship.engine.errors import (
    EngineLost,
    ImageNotRunnable,
    NamespacesForbidden,
    PortTaken,
    StartFailed,
)
from wheelship.engine.forward import Forward
from wheelship.engine.model import ImageFiles, Options, Running
from wheelship.events import discard

pytestmark = pytest.mark.integration

MakeImage = Callable[..., ImageFiles]
PORT = 8000


def ask(service: Running, script: str) -> Any:
    """Run Python beside the service and return what it prints as JSON."""
    done = service.execute(["python", "-c", "import json, os; " + script], timeout_seconds=30)
    assert done.status == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_service_sees_itself_and_a_loopback_interface_only(
    embedded: Embedded, make_image: MakeImage
) -> None:
    with embedded.start(make_image(port=PORT), Options(), discard) as service:
        processes = ask(
            service, "print(json.dumps([p for p in os.listdir('/proc') if p.isdigit()]))"
        )
        interfaces = ask(service, "import socket; print(json.dumps(socket.if_nameindex()))")
        named = ask(service, "import socket; print(json.dumps(socket.gethostbyname('localhost')))")
        devices = ask(service, "print(json.dumps(sorted(os.listdir('/dev'))))")
        random = ask(service, "print(json.dumps(len(open('/dev/urandom', 'rb').read(16))))")
    assert processes[0] == "1"
    assert len(processes) == 2  # the service, and the one that asks
    assert interfaces == [[1, "lo"]]
    assert named == "127.0.0.1"
    assert devices == sorted(
        [
            "fd",
            "full",
            "null",
            "random",
            "shm",
            "stderr",
            "stdin",
            "stdout",
            "tty",
            "urandom",
            "zero",
        ]
    )
    assert random == 16


def test_service_is_process_1_with_the_users_own_environment(
    embedded: Embedded, make_image: MakeImage
) -> None:
    """As under ``docker run`` without ``--init``: a service must cope with being process 1."""
    options = Options(env={"DEMO": "changed", "MORE": "1"})
    with embedded.start(make_image(port=PORT), options, discard) as service:
        script = "print(json.dumps(open('/proc/1/cmdline').read().split(chr(0))))"
        assert "/opt/venv/bin/demo" in ask(service, script)
        env = ask(service, "print(json.dumps(dict(os.environ)))")
        where = ask(service, "print(json.dumps(os.getcwd()))")
    env.pop("LC_CTYPE", None)  # Python's own, PEP 538
    assert env == {
        "PATH": "/opt/venv/bin:/usr/bin",
        "DEMO": "changed",
        "MORE": "1",
        "STATE": "/data/state",
        "HOME": "/home/nonroot",
        "HOSTNAME": "wheelship",
    }
    assert where == "/app"


def test_writable_directory_keeps_what_the_image_has_in_it(
    embedded: Embedded, make_image: MakeImage
) -> None:
    with embedded.start(make_image(port=PORT), Options(writable=("/new",)), discard) as service:
        assert ask(service, "print(json.dumps(open('/data/seed').read()))") == "from the image"
        assert ask(service, "open('/data/x', 'w'); print(json.dumps(os.listdir('/data')))")
        # Not in the image, so made by root, as Docker does: not writable, and a finding of check.
        denied = "print(json.dumps(os.access('/new', os.W_OK)))"
        assert ask(service, denied) is False
        assert ask(service, denied.replace("/new", "/data")) is True


def test_file_of_root_is_as_closed_as_in_a_container(
    embedded: Embedded, make_image: MakeImage, secret: Callable[[bytes], object]
) -> None:
    image = make_image(port=PORT, extra={"app/secret": secret(b"x"), "app/open": b"y"})
    with embedded.start(image, Options(), discard) as service:
        readable = ask(
            service, "print(json.dumps([os.access(n, os.R_OK) for n in ('secret', 'open')]))"
        )
    assert readable == [False, True]


def test_no_way_back_to_privileges(embedded: Embedded, make_image: MakeImage) -> None:
    script = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
found = {}
def attempt(name, result):
    found[name] = ctypes.get_errno() if result else 0
attempt("remount", libc.mount(b"none", b"/", None, ctypes.c_ulong(32 | 4096), None))
attempt("umount", libc.umount2(b"/tmp", 0))
attempt("setuid", libc.setuid(0))
attempt("sethostname", libc.sethostname(b"x", 1))
try:
    os.setgroups([0])
except OSError as error:
    found["setgroups"] = error.errno
print(json.dumps(found))
"""
    with embedded.start(make_image(port=PORT), Options(), discard) as service:
        done = service.execute(["python", "-c", "import json, os" + script], timeout_seconds=30)
    assert done.status == 0, done.stderr.decode()
    answers = json.loads(done.stdout)
    assert set(answers) == {"remount", "umount", "setuid", "sethostname", "setgroups"}
    assert all(code in (1, 22) for code in answers.values()), answers  # EPERM, EINVAL (no such id)


def test_even_an_image_for_root_has_no_capabilities(
    embedded: Embedded, make_image: MakeImage
) -> None:
    with embedded.start(make_image(port=PORT, user="0:0"), Options(), discard) as service:
        status = ask(service, "print(json.dumps(open('/proc/self/status').read()))")
        assert ask(service, "print(json.dumps([os.getuid(), os.getgid()]))") == [0, 0]
    sets = [line.split()[1] for line in status.splitlines() if line.startswith("Cap")]
    assert sets == ["0" * 16] * 5


def test_commands_end_with_their_status_or_are_killed(
    embedded: Embedded, make_image: MakeImage
) -> None:
    with embedded.start(make_image(port=PORT), Options(), discard) as service:
        done = service.execute(
            ["python", "-c", "import sys; print('out'); sys.exit('err')"], timeout_seconds=30
        )
        assert (done.status, done.stdout, done.stderr) == (1, b"out\n", b"err\n")
        slow = service.execute(["python", "-c", "import time; time.sleep(60)"], timeout_seconds=0.2)
        assert slow.status is None
        with pytest.raises(StartFailed, match="cannot execute nowhere: No such file"):
            service.execute(["nowhere"], timeout_seconds=1)
        with pytest.raises(OSError, match="refused"):
            service.dial(1)
        assert service.status() is None
        # Process 1 ignores signals until it has a handler for them.
        while not service.log(1):
            time.sleep(0.01)
        assert service.stop(grace_seconds=30) == 0
        assert service.status() == 0
        with pytest.raises(StartFailed, match="fork"):
            service.execute(["python", "-V"], timeout_seconds=1)


@pytest.mark.parametrize(
    ("fields", "extra", "says"),
    [
        ({"entrypoint": ("/opt/venv/bin/gone",)}, {}, "cannot execute /opt/venv/bin/gone: No such"),
        ({"entrypoint": ("/data/seed",)}, {}, "cannot execute /data/seed: Permission denied"),
        ({}, {"proc": "-> /"}, "cannot mount over the link /proc"),
        ({}, {"dev": "-> ../../../../.."}, "cannot mount over the link /dev"),
        ({"workdir": "/data/seed"}, {}, "cannot .* Not a directory|File exists"),
    ],
)
def test_image_that_cannot_start_says_why(
    embedded: Embedded,
    make_image: MakeImage,
    fields: dict[str, object],
    extra: dict[str, object],
    says: str,
) -> None:
    with pytest.raises(StartFailed, match=says):
        embedded.start(make_image(port=PORT, extra=extra, **fields), Options(), discard)


def test_links_lead_nowhere_but_into_the_image(embedded: Embedded, make_image: MakeImage) -> None:
    """Volumes and working directories may be links; they are followed inside the new root only."""
    image = make_image(
        port=PORT,
        extra={"link": "-> ../../../../../data", "home": "-> /app"},
        volumes=("/link",),
        workdir="/home",
    )
    with embedded.start(image, Options(), discard) as service:
        assert ask(service, "print(json.dumps(sorted(os.listdir('/link'))))") == ["seed"]
        assert ask(service, "print(json.dumps(os.getcwd()))") == "/app"
        assert ask(service, "open('/link/x', 'w'); print(json.dumps(os.listdir('/data')))")


def test_what_a_shell_ignores_in_the_background_the_service_does_not(
    embedded: Embedded, make_image: MakeImage
) -> None:
    """Python handles SIGINT unless it is ignored when it starts; then only SIGKILL would end it."""
    image = make_image(
        port=PORT,
        entrypoint=("python", "-c", "import time; print('up', flush=True); time.sleep(60)"),
        command=(),
        stop_signal="SIGINT",
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with embedded.start(image, Options(), discard) as service:
            while not service.log(1):
                time.sleep(0.01)
            assert service.stop(grace_seconds=5) == 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"entrypoint": (), "command": ()}, "neither a command nor an entry point"),
        ({"user": "nonroot"}, "'nonroot' is not numeric"),
        ({"volumes": ("/",)}, "whole root file system"),
        ({"volumes": ("/../etc",)}, "not an absolute path"),
        ({"stop_signal": "SIGNOTHING"}, "does not exist"),
    ],
)
def test_configuration_that_makes_no_sense_is_refused(
    embedded: Embedded, make_image: MakeImage, fields: dict[str, object], says: str
) -> None:
    with pytest.raises(ImageNotRunnable, match=says):
        embedded.start(make_image(port=PORT, **fields), Options(), discard)


# --- whoever dies, nothing stays behind ---


@contextmanager
def child_with_service(image: ImageFiles, workspace: Path) -> Iterator[tuple[int, int]]:
    """Start a service from another process; yield its pid and a pipe the service holds open."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        engine = Embedded(workspace=workspace, python=Path(sys.executable))
        with engine.start(image, Options(output=write), discard):
            signal.pause()
        os._exit(0)
    os.close(write)
    try:
        yield child, read
    finally:
        os.close(read)
        for left in workspace.iterdir():
            remove_tree(left)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_service_dies_with_a_killed_wheelship(
    embedded: Embedded, make_image: MakeImage, workspace: Path
) -> None:
    del embedded  # only to skip where there are no namespaces
    with child_with_service(make_image(port=PORT), workspace) as (child, pipe):
        assert os.read(pipe, 100).startswith(b"listening as")
        assert select.select([pipe], [], [], 0.5)[0] == []  # it lives on and says nothing
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert select.select([pipe], [], [], 30)[0] == [pipe]
        assert os.read(pipe, 100) == b""  # nobody holds the other end any more


def test_service_dies_with_its_killed_supervisor(embedded: Embedded, make_image: MakeImage) -> None:
    """And whoever asks for it is told, instead of waiting."""
    read, write = os.pipe()
    with embedded.start(make_image(port=PORT), Options(output=write), discard) as service:
        os.close(write)
        assert os.read(read, 100).startswith(b"listening as")
        os.kill(service._supervisor._process.pid, signal.SIGKILL)
        assert select.select([read], [], [], 30)[0] == [read]
        assert os.read(read, 100) == b""
        with pytest.raises(EngineLost, match="ended unexpectedly"):
            service.status()
    os.close(read)


def test_nothing_is_mounted_or_running_afterwards(
    embedded: Embedded, make_image: MakeImage
) -> None:
    mounts = Path("/proc/self/mountinfo")
    before = mounts.read_text("utf-8")
    read, write = os.pipe()
    with embedded.start(make_image(port=PORT), Options(output=write), discard) as service:
        os.close(write)
        assert service.status() is None
        during = mounts.read_text("utf-8")
    while os.read(read, 100):
        pass
    os.close(read)
    assert during == before
    assert mounts.read_text("utf-8") == before


# --- who may use it ---

SCRIPT = """
import json, sys
from pathlib import Path
from wheelship.engine.check import CheckSpec, check
from wheelship.engine.choose import Machine, choose
from wheelship.engine.forward import Forward
from wheelship.engine.model import ImageFiles, LayerFile
from wheelship.oci.config import ImageConfig
from wheelship.oci.digest import Digest
from wheelship.request.model import Check, Health

order = json.load(sys.stdin)
image = ImageFiles(
    reference="demo", manifest_digest=Digest("0" * 64), config_digest=Digest("0" * 64),
    config=ImageConfig.from_json(order["config"]),
    layers=tuple(LayerFile(path=Path(path), diff_id=Digest.parse(diff_id))
                 for path, diff_id in order["layers"]),
    write_docker_archive=lambda out: None)
events = []
machine = Machine(docker=None, workspace=Path(order["workspace"]), python=Path(sys.executable))
engine = choose("auto", machine, events.append)
spec = CheckSpec(check=Check(imports=("demo_service", "secret")), project=Path("/"),
                 health=Health(path="/healthz", port=order["port"]), start_seconds=60)
report = check(image, engine, spec, events.append)
print(json.dumps({"report": report.to_json(), "warned": [
    [one.code, one.message, one.hint] for one in events if type(one).__name__ == "Warned"]}))
"""


def check_as(
    prefix: list[str], image: ImageFiles, workspace: Path, port: int, python: str
) -> dict[str, Any]:
    """Check ``image`` from a process that ``prefix`` starts, with an environment of its own."""
    shared = workspace / "shared"
    shared.mkdir()
    layers = [(str(shutil.copy(layer.path, shared)), str(layer.diff_id)) for layer in image.layers]
    scratch = workspace / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)
    order = {
        "config": image.config.to_json(),
        "layers": layers,
        "port": port,
        "workspace": str(scratch),
    }
    try:
        done = subprocess.run(
            [*prefix, python, "-B", "-c", SCRIPT],
            input=json.dumps(order).encode(),
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(_import_path())},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert list(scratch.iterdir()) == []
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    finally:
        shutil.rmtree(shared)
        shutil.rmtree(scratch)


def _import_path() -> list[str]:
    import zlib_ng

    return [str(Path(module.__file__ or "").parent.parent) for module in (wheelship, zlib_ng)]


# setpriv still has its capabilities when it executes Python; what Python executes has none.
TRIAL = "import zlib_ng, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"


@pytest.fixture
def ordinary() -> tuple[list[str], str]:
    """A prefix that makes a command run as an ordinary user, and a Python this user can run."""
    if os.geteuid() != 0:
        return [], sys.executable
    prefix = ["/usr/bin/setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]
    system = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    for python in (sys.executable, str(system)):
        trial = subprocess.run(
            [*prefix, python, "-c", TRIAL],
            env={"PYTHONPATH": os.pathsep.join(_import_path())},
            capture_output=True,
            check=False,
        )
        if trial.returncode == 0:
            return prefix, python
    if os.environ.get("CI") == "true":
        pytest.fail("no Python that an ordinary user can run")
    pytest.skip("no Python that an ordinary user can run")


def by_name(answer: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {step["name"]: (step["outcome"], step["detail"]) for step in answer["report"]["steps"]}


def test_ordinary_user_proves_everything(
    embedded: Embedded,
    make_image: MakeImage,
    workspace: Path,
    ordinary: tuple[list[str], str],
    secret: Callable[[bytes], object],
) -> None:
    """No root, no setuid helper: one mapped id stands for all, and still root's file is closed."""
    del embedded
    image = make_image(port=PORT, extra={"app/secret.py": secret(b"")})
    prefix, python = ordinary
    answer = check_as(prefix, image, workspace, PORT, python)
    steps = by_name(answer)
    assert answer["report"]["engine"] == "embedded"
    assert answer["warned"] == []
    assert steps["user"] == ("passed", "65532:65532, no capabilities, no new privileges")
    assert steps["read-only-root"] == ("passed", "/, /opt/venv read-only; /tmp, /data writable")
    assert steps["offline"][0] == steps["stops"][0] == "passed"
    assert steps["imports"][0] == "failed"
    assert "PermissionError" in steps["imports"][1]


def test_forbidden_namespaces_lead_to_the_loader_with_the_reason_and_the_cure(
    embedded: Embedded,
    make_image: MakeImage,
    workspace: Path,
    ordinary: tuple[list[str], str],
    free_port: int,
) -> None:
    """A user namespace whose limit is 0 forbids its members what a hardened machine forbids."""
    del embedded
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    inside = ["/usr/bin/unshare", "--user", "--map-root-user", "/bin/sh", "-c", forbid, "sh"]
    prefix, python = ordinary
    image = make_image(port=free_port, extra={"app/secret.py": b""})
    answer = check_as([*prefix, *inside], image, workspace, free_port, python)
    ((code, message, hint),) = answer["warned"]
    assert code == "namespaces-forbidden"
    assert "cannot unshare: No space left on device" in message
    assert hint == "sudo sysctl user.max_user_namespaces=15000"
    assert answer["report"]["engine"] == "loader"
    outcomes = {name: outcome for name, (outcome, _) in by_name(answer).items()}
    assert outcomes == {
        "starts": "passed",
        "healthy": "passed",
        "health-probe": "passed",
        "user": "not-proven",
        "read-only-root": "not-proven",
        "offline": "not-proven",
        "imports": "passed",
        "answers": "skipped",
        "stops": "passed",
    }
    assert answer["report"]["ok"] is True


def test_forbidden_namespaces_are_an_error_for_the_engine_itself(
    make_image: MakeImage, workspace: Path
) -> None:
    """A sandbox program that cannot even start is this machine's fault, not the image's."""
    broken = Embedded(workspace=workspace, python=Path("/bin/false"))
    with pytest.raises(Exception, match="the sandbox program ended unexpectedly") as caught:
        broken.start(make_image(port=PORT), Options(), discard)
    assert getattr(caught.value, "code", "") == "engine-lost"
    assert NamespacesForbidden.code == "namespaces-forbidden"


def test_port_of_the_service_can_be_lent_to_this_machine(
    embedded: Embedded, make_image: MakeImage
) -> None:
    def get(port: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        finally:
            connection.close()

    with embedded.start(make_image(port=PORT), Options(), discard) as service:
        while not service.log(1):
            time.sleep(0.01)
        with Forward(0, lambda: service.dial(PORT)) as forward:
            assert [get(forward.port) for _ in range(3)] == [200, 200, 200]
            with socket.create_connection(("127.0.0.1", forward.port)):
                assert get(forward.port) == 200  # one that says nothing holds up nobody
                with pytest.raises(PortTaken):
                    Forward(forward.port, lambda: service.dial(PORT))
            port = forward.port
            left = socket.create_connection(("127.0.0.1", port))
        assert left.recv(1) == b""
        left.close()
        with pytest.raises(ConnectionRefusedError):
            get(port)
