# SPDX-License-Identifier: Apache-2.0
"""An engine's command-line client: ``docker`` or ``podman``, called and listened to."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

from wheelship.engine.errors import DockerFailed, DockerMissing, PodmanFailed, PodmanMissing
from wheelship.errors import MachineError

__all__ = ["FROM_DAEMON", "LOCAL", "MISSING", "Client", "Program", "reason_of"]

Program: TypeAlias = Literal["docker", "podman"]

FROM_DAEMON = "Error response from daemon: "
LOCAL = ("unix://", "npipe://", "fd://")
"""How the addresses of daemons begin that may be of this machine."""

_ASK_SECONDS = 30
MISSING: dict[Program, type[MachineError]] = {"docker": DockerMissing, "podman": PodmanMissing}
"""The error that says that there is no such engine; :attr:`Client.missing` where there is one."""

_FAILED: dict[Program, type[MachineError]] = {"docker": DockerFailed, "podman": PodmanFailed}
_TITLES: dict[Program, str] = {"docker": "the Docker client", "podman": "podman"}
_WELL: dict[Program, str] = {
    "docker": "see whether the daemon is well: docker info",
    "podman": "see whether podman is well: podman info",
}


@dataclass(frozen=True, slots=True)
class Client:
    """The command-line client at ``path``, called with ``environment`` only."""

    path: Path
    environment: Mapping[str, str]
    program: Program = "docker"

    @property
    def missing(self) -> type[MachineError]:
        """The error that says that there is no such engine."""
        return MISSING[self.program]

    @property
    def failed(self) -> type[MachineError]:
        """The error that says that the engine reported a failure."""
        return _FAILED[self.program]

    def call(self, *arguments: str, seconds: float = _ASK_SECONDS) -> str:
        """Return what the client prints, without the last line end.

        Raises:
            DockerFailed, PodmanFailed: it failed, or took longer than ``seconds``.
        """
        try:
            done = self.run(*arguments, seconds=seconds)
        except subprocess.TimeoutExpired as error:
            raise self.failed(
                f"`{self.program} {arguments[0]}` has not answered for {seconds:.0f} s",
                hint=_WELL[self.program],
            ) from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace")
            reason = reason_of(said) or f"status {done.returncode}"
            raise self.failed(f"`{self.program} {arguments[0]}` failed: {reason}")
        return done.stdout.decode(errors="replace").rstrip("\n")

    def run(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[bytes]:
        """Call the client and wait; its status is the caller's business.

        Raises:
            DockerMissing, PodmanMissing: the client cannot be executed.
            TimeoutExpired: it took longer than ``seconds`` and was killed.
        """
        try:
            return subprocess.run(
                [self.path, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env=self.environment,
                timeout=seconds,
            )
        except OSError as error:
            raise self._not_executable(error) from error

    def start(
        self, *arguments: str, stdin: IO[bytes] | int, stdout: IO[bytes], stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start the client for who reads or writes along; waiting for it is the caller's business.

        Raises:
            DockerMissing, PodmanMissing: the client cannot be executed.
        """
        try:
            return subprocess.Popen(
                [self.path, *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=self.environment,
            )
        except OSError as error:
            raise self._not_executable(error) from error

    def _not_executable(self, error: OSError) -> MachineError:
        return self.missing(
            f"cannot execute {_TITLES[self.program]}: {error.strerror}",
            where=str(self.path),
            hint=f"name it: --{self.program} FILE or WHEELSHIP_{self.program.upper()}",
        )

    def refuse_unusable(self) -> None:
        """Refuse a Docker daemon that does not answer, or whose ports are on another machine.

        Raises:
            DockerMissing: it is either.
        """
        host = self.call("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        if not host.startswith(LOCAL):
            raise DockerMissing(
                f"the Docker daemon at {host} is not on this machine, so its ports are not",
                hint="use --engine embedded",
            )
        try:
            self.call("version", "--format", "{{.Server.Version}}")
        except DockerFailed as error:
            raise DockerMissing(
                error.message, where=host, hint="start it, or use --engine embedded"
            ) from error


def reason_of(said: str) -> str:
    """Return the line that says why; the client likes to add one that does not."""
    lines = said.strip().splitlines()
    found = [line for line in lines if FROM_DAEMON in line] or lines[-1:]
    return (found[0].partition(FROM_DAEMON)[2] or found[0]) if found else ""
