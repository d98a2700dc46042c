# SPDX-License-Identifier: Apache-2.0
"""Picks the engine that proves most on this machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from wheelship.engine.docker import Client, Docker
from wheelship.engine.errors import DockerFailed, DockerMissing, NoEngine
from wheelship.engine.model import Clock, Engine
from wheelship.events import Emit, Warned

__all__ = ["EngineChoice", "Machine", "choose"]

EngineChoice: TypeAlias = Literal["auto", "docker", "embedded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What of this machine the engines may use.

    Attributes:
        docker: the Docker client and its environment; None when there is none.
        workspace: existing directory for unpacked images.
        python: a Python 3.11 or newer for the sandbox program, normally ``sys.executable``.
    """

    docker: Client | None
    workspace: Path
    python: Path
    clock: Clock = field(default_factory=Clock)


def choose(wanted: EngineChoice, machine: Machine, emit: Emit) -> Engine:
    """Return the engine: for ``auto`` Docker if a daemon of this machine answers, else our own.

    Where namespaces are forbidden our own becomes the loader, with a warning that says why.

    Raises:
        DockerMissing: Docker was asked for and does not answer.
        NoEngine: there is neither Docker nor a Linux kernel.
    """
    if wanted != "embedded":
        docker = _docker(machine, required=wanted == "docker")
        if docker is not None:
            return docker
    if sys.platform != "linux":
        raise NoEngine(
            "images need a Linux kernel, and no Docker daemon answers", hint="start Docker"
        )
    from wheelship.engine.embedded import Embedded, probe_namespaces
    from wheelship.engine.identity import remedy
    from wheelship.engine.loader import Loader

    reason = probe_namespaces(machine.workspace, machine.python)
    if reason is None:
        return Embedded(workspace=machine.workspace, python=machine.python, clock=machine.clock)
    emit(
        Warned(
            "namespaces-forbidden",
            f"no namespaces on this machine ({reason}): the image runs bare, so that its user, its "
            "read-only root and its independence of the network cannot all be proven",
            remedy() or "run where Docker is, or outside of this container",
        )
    )
    return Loader(workspace=machine.workspace, python=machine.python, clock=machine.clock)


def _docker(machine: Machine, *, required: bool) -> Docker | None:
    try:
        if machine.docker is None:
            raise DockerMissing(
                "there is no docker command", hint="install Docker, or use --engine embedded"
            )
        machine.docker.refuse_unusable()
    except (DockerMissing, DockerFailed):
        if required:
            raise
        return None
    return Docker(client=machine.docker, clock=machine.clock)
