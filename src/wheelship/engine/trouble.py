# SPDX-License-Identifier: Apache-2.0
"""Tells from an engine's words what is wrong with it, and what to do about that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wheelship.engine.client import Client, Program
from wheelship.engine.errors import (
    DockerFailed,
    DockerMissing,
    EngineForbidden,
    EngineFull,
    PodmanFailed,
    PodmanMissing,
)
from wheelship.errors import MachineError

__all__ = ["explained", "refuse_missing", "trouble_of"]

_FULL = ("no space left on device", "disk quota exceeded")
_FORBIDDEN = ("permission denied while trying to connect", "connect: permission denied")
_SILENT = (
    "cannot connect to the docker daemon",
    "is the docker daemon running",
    "error during connect",
    "unable to connect to podman",
    "has not answered",
)
_NO_CLIENT: dict[Program, str] = {
    "docker": "install Docker, or name its client: --docker FILE or WHEELSHIP_DOCKER",
    "podman": "install podman, or name it: --podman FILE or WHEELSHIP_PODMAN",
}
_START: dict[Program, str] = {
    "docker": "sudo systemctl start docker\nor see where the client looks: docker context ls",
    "podman": "podman machine start",
}
_JOIN: dict[Program, str] = {
    "docker": 'sudo usermod -aG docker "$USER"\nand log in again',
    "podman": "podman info",
}
_ARCHIVE = "\nwithout an engine: --output docker-archive:image.tar"


def refuse_missing(client: Client | None, program: Program) -> Client:
    """Return ``client``.

    Raises:
        DockerMissing, PodmanMissing: there is none.
    """
    if client is not None:
        return client
    missing = DockerMissing if program == "docker" else PodmanMissing
    raise missing(f"there is no {program} command", hint=_NO_CLIENT[program] + _ARCHIVE)


def trouble_of(client: Client, said: str, instead: str = _ARCHIVE) -> MachineError | None:
    """Return the error that an engine's words ``said`` stand for; None when they say no more.

    ``instead`` ends the hint: how to do without the engine.
    """
    lower = said.lower()
    if any(word in lower for word in _FULL):
        hint = f"{client.program} system df\n{client.program} system prune"
        return EngineFull(f"the disk of {client.program} is full: {said}", hint=hint)
    if any(word in lower for word in _FORBIDDEN):
        return EngineForbidden(said, hint=_JOIN[client.program] + instead)
    if any(word in lower for word in _SILENT):
        return client.missing(said, hint=_START[client.program] + instead)
    return None


@contextmanager
def explained(client: Client) -> Iterator[None]:
    """Replace an engine's failure by the error that says what to do about it, if one is known.

    Raises:
        EngineFull, EngineForbidden, DockerMissing, PodmanMissing: the failure was one of these.
    """
    try:
        yield
    except (DockerFailed, PodmanFailed) as error:
        better = trouble_of(client, error.message)
        if better is None:
            raise
        better.where = error.where
        raise better from error
