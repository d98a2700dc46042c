# SPDX-License-Identifier: Apache-2.0
"""A service inside the sandbox program, with the directory its image was unpacked into."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

from wheelship.archive.unpack import remove_tree, unpack
from wheelship.engine.control import Refused, Supervisor
from wheelship.engine.errors import StartFailed, WorkspaceNotExecutable
from wheelship.engine.model import Claim, Clock, Executed, ImageFiles
from wheelship.events import Advanced, Emit, Finished, Started

__all__ = ["SandboxedService", "Scratch"]

_POLL_SECONDS = 0.01
_OUTPUT_BYTES = 4 * 1024 * 1024
_LOG_BYTES = 256 * 1024


class Scratch:
    """A temporary directory for one run: the unpacked image, and what the service says."""

    def __init__(self, workspace: Path) -> None:
        if os.statvfs(workspace).f_flag & os.ST_NOEXEC:
            raise WorkspaceNotExecutable(
                "programs cannot be executed there: it is mounted noexec",
                where=str(workspace),
                hint="choose another store: --store DIR",
            )
        self.path = Path(tempfile.mkdtemp(prefix="wheelship-", dir=workspace))
        self.root = self.path / "root"
        self.root.mkdir()

    def fill(self, image: ImageFiles, reader: tuple[int, int] | None, emit: Emit) -> None:
        """Unpack the image; see :func:`wheelship.archive.unpack.unpack` for ``reader``."""
        emit(Started("load", image.reference))
        result = unpack(
            image.layers,
            self.root,
            reader=reader,
            advance=lambda count: emit(Advanced("load", image.reference, count)),
        )
        emit(Finished("load", image.reference, "done", f"{result.entries} files unpacked"))

    def remove(self) -> None:
        """Remove the directory."""
        remove_tree(self.path)


class SandboxedService:
    """What :class:`wheelship.engine.model.Running` asks for, by way of a supervisor.

    ``translate`` turns a command of the image into what has to be executed.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        resources: ExitStack,
        *,
        log: BinaryIO,
        stop_signal: int,
        unproven: Mapping[Claim, str],
        translate: Callable[[Sequence[str]], Sequence[str]],
        clock: Clock,
    ) -> None:
        self.unproven = unproven
        self._supervisor = supervisor
        self._resources = resources
        self._log = log
        self._stop_signal = stop_signal
        self._translate = translate
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def status(self) -> int | None:
        """Return how the service ended; None while it runs."""
        return self._supervisor.poll(self._supervisor.service)

    def health(self) -> None:
        """Nobody runs the image's health check here but ``wheelship check``."""

    def dial(self, port: int) -> socket.socket:
        """Connect to a port of the service."""
        return self._supervisor.dial(port)

    def execute(self, argv: Sequence[str], *, timeout_seconds: float) -> Executed:
        """Run a command beside the service."""
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            try:
                pid = self._supervisor.spawn(
                    self._translate(argv), stdout.fileno(), stderr.fileno()
                )
            except Refused as error:
                raise StartFailed(f"cannot {error}") from error
            status = self._wait(pid, timeout_seconds)
            if status is None:
                self._supervisor.signal(pid, signal.SIGKILL)
            stdout.seek(0)
            stderr.seek(0)
            return Executed(status, stdout.read(_OUTPUT_BYTES), stderr.read(_OUTPUT_BYTES))

    def stop(self, *, grace_seconds: float) -> int | None:
        """Send the image's stop signal and wait; kill the service after the grace."""
        service = self._supervisor.service
        self._supervisor.signal(service, self._stop_signal)
        status = self._wait(service, grace_seconds)
        if status is None:
            self._supervisor.signal(service, signal.SIGKILL)
            self._wait(service, grace_seconds)
        return status

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last lines of the service's output."""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, end - _LOG_BYTES))
        return tuple(self._log.read().decode(errors="replace").splitlines()[-lines:])

    def _wait(self, pid: int, seconds: float) -> int | None:
        deadline = self._clock.now() + seconds
        while (status := self._supervisor.poll(pid)) is None and self._clock.now() < deadline:
            self._clock.sleep(_POLL_SECONDS)
        return status
