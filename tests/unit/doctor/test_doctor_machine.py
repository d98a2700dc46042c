# SPDX-License-Identifier: Apache-2.0
"""What the doctor finds on a machine; each finding is provoked."""

from __future__ import annotations

import resource
import shutil
import socket
import stat
import threading
from collections import namedtuple
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from wheelship.doctor.certificate import check_certificates
from wheelship.doctor.credential import check_credentials
from wheelship.doctor.descriptor import check_descriptors
from wheelship.doctor.emulation import check_emulation
from wheelship.doctor.engine import check_docker, check_podman
from wheelship.doctor.model import Finding
from wheelship.doctor.namespace import check_namespaces
from wheelship.doctor.proxy import check_proxies
from wheelship.doctor.python import check_python
from wheelship.doctor.run import CHECKS, examine
from wheelship.doctor.store import check_store
from wheelship.doctor.uv import check_uv
from wheelship.errors import MachineError

INFO = (
    '{"ServerVersion": "28.5.1", "Driver": "overlayfs", "ClientInfo": {"Version": "28.5.0"},'
    ' "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}'
)


def found(findings: Iterable[Finding]) -> dict[str, str]:
    return {one.code: one.status for one in findings}


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    if finding.status in ("warning", "problem"):
        assert finding.hint, finding
    return finding


# --- all together ---


def test_every_check_has_something_to_say(patient: Callable[..., Any]) -> None:
    """Offline, so that nothing but this machine is asked."""
    findings = examine(patient(offline=True))
    assert len(findings) >= len(CHECKS)
    for one in findings:
        assert one.what
        assert one.hint or one.status in ("ok", "skipped"), one


def test_a_check_that_never_ends_does_not_stop_the_others(patient: Callable[..., Any]) -> None:
    gate = threading.Event()

    def stuck(_: object) -> list[Finding]:
        gate.wait()
        return []

    def quick(_: object) -> list[Finding]:
        return [Finding(code="quick", status="ok", what="fine")]

    findings = examine(patient(), {"stuck": stuck, "quick": quick}, seconds=0.5)
    gate.set()
    assert [(one.code, one.status) for one in findings] == [("stuck", "warning"), ("quick", "ok")]


def test_an_error_is_a_finding_and_a_bug_is_not_hidden(patient: Callable[..., Any]) -> None:
    def broken(_: object) -> list[Finding]:
        raise MachineError("no disk", where="/dev/sda", hint="buy one")

    def wrong(_: object) -> list[Finding]:
        raise KeyError("mistake")

    (one,) = examine(patient(), {"disk": broken})
    assert (one.code, one.status, one.what, one.hint) == (
        *("disk", "problem", "/dev/sda: no disk", "buy one"),
    )
    with pytest.raises(KeyError):
        examine(patient(), {"wrong": wrong})


# --- the machine itself ---


def test_another_processor(patient: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(check_python(patient())).status == "ok"
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    finding = only(check_python(patient()))
    assert (finding.status, "riscv64" in finding.what) == ("problem", True)


@pytest.mark.parametrize(
    ("script", "status", "says"),
    [
        ("echo uv 99.1.0", "ok", "uv 99.1.0"),
        ("echo uv 0.1.0", "problem", "older than"),
        ("echo no good >&2; exit 3", "problem", "no good"),
        ("sleep 30", "problem", "no answer"),
    ],
)
def test_uv(
    script: str, status: str, says: str, patient: Callable[..., Any], tmp_path: Path
) -> None:
    program = tmp_path / "uv"
    program.write_text(f"#!/bin/sh\n{'exec ' if 'sleep' in script else ''}{script}\n")
    program.chmod(stat.S_IRWXU)
    finding = only(check_uv(patient(seconds=0.3 if "sleep" in script else 10.0), program))
    assert (finding.status, says in finding.what) == (status, True), finding


def test_a_uv_that_is_no_program(patient: Callable[..., Any], tmp_path: Path) -> None:
    finding = only(check_uv(patient(), tmp_path / "nothing"))
    assert finding.status == "problem"
    assert finding.hint == "uv tool install --reinstall wheelship"


Disk = namedtuple("Disk", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.mark.parametrize(
    ("free", "code", "status"),
    [
        (50_000_000_000, "store", "ok"),
        (5_000_000_000, "store-room", "warning"),
        (500_000_000, "store-room", "problem"),
    ],
)
def test_room_for_the_store(
    free: int,
    code: str,
    status: str,
    patient: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free, 0, free))
    someone = patient()
    finding = only(check_store(someone))
    assert (finding.code, finding.status) == (code, status)
    assert not someone.store.exists(), "the doctor made a store"


def test_a_store_below_a_file(patient: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = only(check_store(patient(store=tmp_path / "file" / "store")))
    assert (finding.code, finding.status) == ("store", "problem")


def test_a_store_that_cannot_be_written_to(patient: Callable[..., Any]) -> None:
    finding = only(check_store(patient(store=Path("/proc/store"))))
    assert finding.status == "problem"
    assert "cannot be written to" in finding.what


def test_a_project_on_another_file_system(
    patient: Callable[..., Any], project: Callable[..., Any]
) -> None:
    same = found(check_store(patient(request=project())))
    assert same["store-links"] == "ok"
    other = patient(request=project(), store=Path("/dev/shm/wheelship"))  # noqa: S108
    assert found(check_store(other))["store-links"] == "warning"


@pytest.mark.parametrize(("soft", "status"), [(256, "warning"), (1024, "ok"), (-1, "ok")])
def test_open_files(
    soft: int, status: str, patient: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, 2048))
    finding = only(check_descriptors(patient()))
    assert finding.status == status
    assert finding.hint == ("ulimit -n 2048" if status == "warning" else None)


# --- certificates, proxies, credentials ---


def test_certificates_that_are_named_and_missing(
    patient: Callable[..., Any], tmp_path: Path
) -> None:
    finding = only(check_certificates(patient({"SSL_CERT_FILE": str(tmp_path / "no.pem")})))
    assert (finding.status, "SSL_CERT_FILE" in finding.what) == ("problem", True)


def test_an_empty_directory_of_certificates(patient: Callable[..., Any], tmp_path: Path) -> None:
    finding = only(check_certificates(patient({"SSL_CERT_DIR": str(tmp_path / "home")})))
    assert (finding.status, finding.hint) == ("problem", "unset SSL_CERT_FILE SSL_CERT_DIR")


def test_a_bundle_that_only_others_read(patient: Callable[..., Any]) -> None:
    findings = found(check_certificates(patient({"REQUESTS_CA_BUNDLE": "/corp.pem"})))
    assert findings["certificates-of-others"] == "warning"
    assert "certificates-of-others" not in found(check_certificates(patient()))


@pytest.fixture
def listening() -> Iterable[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_proxy_that_listens(patient: Callable[..., Any], listening: int) -> None:
    environ = dict.fromkeys(("HTTP_PROXY", "https_proxy"), f"http://127.0.0.1:{listening}")
    findings = [*check_proxies(patient(environ))]
    assert [(one.code, one.status) for one in findings] == [("proxy", "ok"), ("proxy", "ok")]
    assert {one.status for one in check_proxies(patient(environ, offline=True))} == {"skipped"}


def test_a_proxy_that_is_gone(patient: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environ = {"HTTPS_PROXY": f"http://me:secret@127.0.0.1:{port}"}
    finding = only(check_proxies(patient(environ)))
    assert (finding.code, finding.status) == ("proxy-unreachable", "problem")
    assert "secret" not in f"{finding}"
    assert finding.hint is not None
    assert "unset HTTPS_PROXY https_proxy" in finding.hint


@pytest.mark.parametrize(
    "address", ["proxy.example.org:3128", "socks5://me:secret@host:1", "http://me:secret@[bad"]
)
def test_what_is_no_address_of_a_proxy(address: str, patient: Callable[..., Any]) -> None:
    finding = only(check_proxies(patient({"HTTPS_PROXY": address})))
    assert (finding.code, finding.status) == ("proxy-address", "problem")
    assert "secret" not in f"{finding}"


def test_half_a_proxy_and_networks_without_one(patient: Callable[..., Any], listening: int) -> None:
    environ = {"HTTP_PROXY": f"http://127.0.0.1:{listening}", "NO_PROXY": "localhost,10.0.0.0/8"}
    findings = found(check_proxies(patient(environ)))
    assert findings == {"proxy": "ok", "proxy-for-https": "warning", "no-proxy": "warning"}


def test_netrc(patient: Callable[..., Any], tmp_path: Path) -> None:
    netrc = tmp_path / "home" / ".netrc"
    assert found(check_credentials(patient())) == {"credentials": "skipped"}
    netrc.write_text("machine example.org login me password secret\n")
    netrc.chmod(0o600)
    assert found(check_credentials(patient())) == {"netrc": "ok"}
    netrc.chmod(0o644)
    finding = only(check_credentials(patient()))
    assert (finding.code, finding.hint) == ("netrc-mode", f"chmod 600 {netrc}")
    netrc.write_text("machine example.org login me passwort secret\n")
    finding = only(check_credentials(patient()))
    assert (finding.code, finding.status) == ("netrc", "problem")
    assert "secret" not in f"{finding}"
    assert found(check_credentials(patient({"NETRC": "/nowhere"}))) == {"netrc": "warning"}


def test_files_of_registries(patient: Callable[..., Any], tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    someone = patient({"DOCKER_CONFIG": str(tmp_path)}, find=lambda _: None)
    config.write_text('{"auths": {"example.org": {"auth": "c2VjcmV0OnNlY3JldA=="}}}')
    config.chmod(0o600)
    assert found(check_credentials(someone)) == {"registry-credentials": "ok"}
    config.chmod(0o640)
    finding = only(check_credentials(someone))
    assert (finding.code, finding.status) == ("registry-credentials-mode", "warning")
    assert "c2Vjc" not in f"{finding}"
    config.write_text('{"credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}')
    finding = only(check_credentials(someone))
    assert finding.code == "credential-helper"
    assert "docker-credential-desktop, docker-credential-gcloud" in finding.what
    config.write_text('{"auths": {"example.org": {"auth": "c2VjcmV0"')
    finding = only(check_credentials(someone))
    assert (finding.code, finding.status) == ("registry-credentials", "problem")
    assert "c2Vjc" not in f"{finding}"


def test_a_keyring_that_is_not_there(patient: Callable[..., Any]) -> None:
    environ = {"UV_KEYRING_PROVIDER": "subprocess"}
    assert found(check_credentials(patient(environ))) == {"keyring": "ok"}
    missing = patient(environ, find=lambda _: None)
    assert found(check_credentials(missing)) == {"keyring": "warning"}


# --- engines ---


def docker(host: str, info: str) -> str:
    return f'case "$1" in context) echo {host};; info) {info};; esac'


@pytest.mark.parametrize(
    ("script", "code", "status", "says"),
    [
        (
            docker("unix:///var/run/docker.sock", f"echo '{INFO}'"),
            *("docker", "ok", "daemon 28.5.1, containerd's store on overlayfs"),
        ),
        (
            docker("unix:///s", f"echo '{INFO.replace('containerd', 'other')}'"),
            *("docker", "ok", "its classic store"),
        ),
        (
            docker("ssh://elsewhere", f"echo '{INFO}'"),
            *("docker-remote", "warning", "not on this machine"),
        ),
        (
            docker("unix:///s", "echo Cannot connect to the Docker daemon >&2; exit 1"),
            *("docker-unreachable", "warning", "Cannot connect"),
        ),
        (
            docker("unix:///s", 'echo "{\\"ServerErrors\\": [\\"permission denied\\"]}"'),
            *("docker-forbidden", "warning", "permission denied"),
        ),
        (docker("unix:///s", "echo nonsense"), *("docker-unreachable", "warning", "not answer as")),
    ],
)
def test_docker(
    script: str,
    code: str,
    status: str,
    says: str,
    patient: Callable[..., Any],
    client: Callable[..., Any],
) -> None:
    finding = only(check_docker(patient(docker=client(script), seconds=10.0)))
    assert (finding.code, finding.status) == (code, status), finding
    assert says in finding.what


def test_a_docker_that_hangs(patient: Callable[..., Any], client: Callable[..., Any]) -> None:
    finding = only(check_docker(patient(docker=client("exec sleep 30"), seconds=0.2)))
    assert finding.code == "docker-unreachable"


def test_podman(patient: Callable[..., Any], client: Callable[..., Any]) -> None:
    assert found(check_podman(patient())) == {"podman": "skipped"}
    answer = '{"version": {"Version": "5.8"}, "store": {"graphDriverName": "overlay"}}'
    well = patient(podman=client(f"echo '{answer}'", "podman"), seconds=10.0)
    assert only(check_podman(well)).what.startswith("5.8 at ")
    ill = patient(podman=client("echo broken >&2; exit 125", "podman"), seconds=10.0)
    assert found(check_podman(ill)) == {"podman-unreachable": "warning"}


def test_namespaces(patient: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelship.doctor.namespace.probe_namespaces", lambda *_: "cannot mount")
    someone = patient()
    assert (
        only(check_namespaces(someone)).hint == "run where Docker is, or outside of this container"
    )
    setting = someone.proc / "sys/user/max_user_namespaces"
    setting.parent.mkdir(parents=True)
    setting.write_text("0\n")
    finding = only(check_namespaces(someone))
    assert (finding.status, finding.hint) == (
        *("warning", "sudo sysctl user.max_user_namespaces=15000"),
    )
    monkeypatch.setattr("wheelship.doctor.namespace.probe_namespaces", lambda *_: None)
    assert found(check_namespaces(someone)) == {"namespaces": "ok"}


def test_emulation(patient: Callable[..., Any], project: Callable[..., Any]) -> None:
    assert found(check_emulation(patient(request=project()))) == {"emulation": "skipped"}
    both = project('[tool.wheelship.variants.cpu]\nplatforms = ["linux/amd64", "linux/arm64"]\n')
    someone = patient(request=both)
    assert only(check_emulation(someone)).status == "warning"
    entry = someone.proc / "sys/fs/binfmt_misc/qemu-aarch64"
    entry.parent.mkdir(parents=True)
    entry.write_text("disabled\n")
    assert only(check_emulation(someone)).status == "warning"
    entry.write_text("enabled\ninterpreter /usr/bin/qemu-aarch64\n")
    assert only(check_emulation(someone)).status == "ok"


def test_the_clock_is_held_against_the_lock(
    patient: Callable[..., Any], project: Callable[..., Any]
) -> None:
    from wheelship.build.lockfile import write_lock
    from wheelship.debian.lock import DebianLock, LockedSuite
    from wheelship.doctor.clock import check_clock

    request = project()
    suite = LockedSuite(name="bookworm", archive="main", date="2026-07-01T00:00:00Z")
    lock = DebianLock(release="bookworm", architecture="amd64", suites=(suite,), packages=())
    write_lock(request.project.root / "wheelship.lock", [lock])
    someone = patient(request=request)
    assert only(check_clock(someone)).status == "ok"
    behind = patient(request=request, now=someone.now - timedelta(days=400))
    finding = only(check_clock(behind))
    assert (finding.status, finding.hint) == ("problem", "sudo timedatectl set-ntp true")
    (request.project.root / "wheelship.lock").write_text("{")
    assert only(check_clock(behind)).status == "ok", "the damaged lock is another finding"
