# SPDX-License-Identifier: Apache-2.0
"""The nouns of running images, and the two seams: an engine, and a service it has started."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Protocol, Self, TypeAlias

from wheelship.archive.untar import LayerFile
from wheelship.events import Emit
from wheelship.oci.config import ImageConfig
from wheelship.oci.digest import Digest

__all__ = [
    "Claim",
    "Clock",
    "Engine",
    "EngineName",
    "Executed",
    "Health",
    "ImageFiles",
    "LayerFile",
    "Options",
    "Running",
]

EngineName: TypeAlias = Literal["docker", "embedded", "loader"]
Health: TypeAlias = Literal["starting", "healthy", "unhealthy"]
Claim: TypeAlias = Literal["user", "read-only-root", "offline"]
"""What an engine can or cannot prove about an image beyond running it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """One image of one platform with its layers as files on this machine.

    ``write_docker_archive`` writes what ``docker load`` reads. Docker knows an image by
    ``config_digest``, or by ``manifest_digest`` when it keeps images in containerd's store.
    """

    reference: str
    manifest_digest: Digest
    config_digest: Digest
    config: ImageConfig
    layers: tuple[LayerFile, ...]
    write_docker_archive: Callable[[BinaryIO], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to start the image.

    Attributes:
        port: the TCP port that the service listens on; None = it serves nothing.
        writable: absolute directories it may write to, beside the volumes of the image.
        arguments: instead of the image's command (its entry point stays); None = the image's own.
        env: variables set in addition to the image's.
        output: descriptor that receives the service's output; None = only kept for the log.
    """

    port: int | None = None
    writable: tuple[str, ...] = ()
    arguments: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    output: int | None = None


@dataclass(frozen=True, slots=True)
class Executed:
    """A command that ended; ``status`` is as a shell shows it, None if it had to be killed."""

    status: int | None
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Clock:
    """Time for durations and waiting; a test brings its own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Running(Protocol):
    """A started service; a context manager that leaves nothing behind."""

    @property
    def unproven(self) -> Mapping[Claim, str]:
        """What this engine cannot prove here, each with the reason."""

    def status(self) -> int | None:
        """Return how the service ended, as a shell shows it; None while it runs."""

    def health(self) -> Health | None:
        """Return what the image's own health check found so far; None = nobody runs it here."""

    def dial(self, port: int) -> socket.socket:
        """Connect to a TCP port of the service.

        Raises:
            OSError: nothing listens there (yet).
        """

    def execute(self, argv: Sequence[str], *, timeout_seconds: float) -> Executed:
        """Run a command beside the service, with its user, environment and directories.

        Raises:
            StartFailed: there is no such program, or the service is gone.
        """

    def stop(self, *, grace_seconds: float) -> int | None:
        """Send the image's stop signal and return the exit status; None = it had to be killed."""

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last lines of the service's output."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Engine(Protocol):
    """Starts images."""

    @property
    def name(self) -> EngineName:
        """How the engine is called on the command line."""

    def start(self, image: ImageFiles, options: Options, emit: Emit) -> Running:
        """Start the image with a read-only root, no capabilities and its own user.

        Raises:
            ImageNotRunnable: its configuration makes no sense.
            StartFailed: its program cannot be executed.
            MachineError: this machine is not able to.
        """
