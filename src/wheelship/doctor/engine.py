# SPDX-License-Identifier: Apache-2.0
"""Docker and podman: builds need neither; loading, and checking with Docker, do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from wheelship.doctor.model import Finding, Patient
from wheelship.engine.client import LOCAL, Client
from wheelship.errors import MachineError

__all__ = ["check_docker", "check_podman"]

_GROUP = 'sudo usermod -aG docker "$USER" and log in again; or use podman, or no engine at all'


def check_docker(patient: Patient) -> Iterable[Finding]:
    """Ask client and daemon."""
    client = patient.docker
    if client is None:
        yield Finding(
            code="docker",
            status="skipped",
            what="not installed; only `--output docker` and `check --engine docker` need it",
        )
        return
    try:
        host = client.call(
            "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", seconds=patient.seconds
        )
        found = _asked(client, ("info", "--format", "{{json .}}"), patient)
    except MachineError as error:
        yield _broken("docker", client, error)
        return
    errors = found.get("ServerErrors") or ()
    if errors or not found.get("ServerVersion"):
        yield _broken("docker", client, MachineError(str(next(iter(errors), "no daemon answers"))))
        return
    rows = [row for row in found.get("DriverStatus") or () if row[:1] == ["driver-type"]]
    storage = str(rows[0][-1]) if rows else ""
    kind = "containerd's store" if "containerd" in storage else "its classic store"
    client_version = (found.get("ClientInfo") or {}).get("Version", "?")
    what = (
        f"client {client_version} at {client.path}, daemon {found['ServerVersion']}, {kind} on "
        f"{found.get('Driver')}"
    )
    if not host.startswith(LOCAL):
        yield Finding(
            code="docker-remote",
            status="warning",
            what=f"{what}; the daemon is not on this machine, so images are sent as a whole and "
            "cannot be checked there",
            hint="wheelship check --engine embedded",
        )
        return
    yield Finding(code="docker", status="ok", what=what)


def check_podman(patient: Patient) -> Iterable[Finding]:
    """Ask podman, which needs no daemon."""
    client = patient.podman
    if client is None:
        yield Finding(
            code="podman", status="skipped", what="not installed; only `--output podman` needs it"
        )
        return
    try:
        found = _asked(client, ("info", "--format", "json"), patient)
    except MachineError as error:
        yield _broken("podman", client, error)
        return
    version = (found.get("version") or {}).get("Version", "?")
    driver = (found.get("store") or {}).get("graphDriverName", "?")
    yield Finding(code="podman", status="ok", what=f"{version} at {client.path}, store on {driver}")


def _asked(client: Client, arguments: tuple[str, ...], patient: Patient) -> dict[str, Any]:
    said = client.call(*arguments, seconds=patient.seconds)
    try:
        document = json.loads(said)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise MachineError(f"{client.path} does not answer as {client.program} does")
    return document


def _broken(code: str, client: Client, error: MachineError) -> Finding:
    denied = "permission denied" in error.message.lower()
    hint = error.hint or ("sudo systemctl start docker" if code == "docker" else "podman info")
    return Finding(
        code=f"{code}-forbidden" if denied else f"{code}-unreachable",
        status="warning",
        what=f"{client.path}: {error.message}",
        hint=_GROUP if denied else hint,
    )
