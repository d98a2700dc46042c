# SPDX-License-Identifier: Apache-2.0
"""The engine most people have: a Docker daemon of this machine, through its command line."""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Self, cast

from wheelship.engine.client import FROM_DAEMON, Client
from wheelship.engine.errors import DockerFailed, StartFailed
from wheelship.engine.load import load_archive
from wheelship.engine.model import Claim, Clock, EngineName, Executed, Health, ImageFiles, Options
from wheelship.engine.port import refuse_taken_port
from wheelship.events import Advanced, Emit, Finished, Started, Warned

__all__ = ["Client", "Docker", "DockerService"]

_ASK_SECONDS = 30
_START_SECONDS = 120
_CONNECT_SECONDS = 1
_KILLED = 137
_NOT_EXECUTABLE = (126, 127)
_OFFLINE_BRIDGE = "Docker's bridge network reaches whatever this machine reaches"
_OFFLINE_HOST = "the container shares this machine's network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """Runs images with ``docker``, restricted as a careful user would restrict them."""

    name: ClassVar[EngineName] = "docker"
    client: Client
    clock: Clock = field(default_factory=Clock)

    def start(self, image: ImageFiles, options: Options, emit: Emit) -> DockerService:
        """Load the image unless the daemon has it, and start it.

        Raises:
            DockerFailed: the daemon refused something.
            PortTaken: without a bridge network, the service's port is this machine's.
        """
        known = self._loaded(image) or self._load(image, emit)
        network, offline = self._network(options, emit)
        container = self.client.call(
            "create",
            f"--name=wheelship-{secrets.token_hex(6)}",
            "--label=wheelship.engine=check",
            "--read-only",
            "--tmpfs=/tmp",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            *network,
            # The image's interval is for production; half a minute is too long to watch.
            *(["--health-interval=1s"] if image.config.healthcheck else []),
            *(f"--env={name}={value}" for name, value in options.env.items()),
            *(f"--volume={path}" for path in options.writable if path not in image.config.volumes),
            known,
            *(options.arguments or ()),
            seconds=_START_SECONDS,
        )
        service = DockerService(self.client, container, {"offline": offline}, options.output)
        try:
            service.begin()
        except BaseException:
            service.close()
            raise
        return service

    def _loaded(self, image: ImageFiles) -> str | None:
        # The classic store knows an image by its configuration, containerd's by its manifest.
        for digest in (str(image.config_digest), str(image.manifest_digest)):
            with suppress(DockerFailed):
                return self.client.call("image", "inspect", "--format", "{{.Id}}", digest)
        return None

    def _load(self, image: ImageFiles, emit: Emit) -> str:
        subject = image.reference
        emit(Started("load", subject, sum(layer.path.stat().st_size for layer in image.layers)))
        try:
            known = load_archive(
                self.client,
                image.write_docker_archive,
                lambda count: emit(Advanced("load", subject, count)),
            )
        except DockerFailed as error:
            emit(Finished("load", subject, "failed", error.message))
            error.where = subject
            raise
        emit(Finished("load", subject, "done", "into Docker"))
        return self._loaded(image) or known

    def _network(self, options: Options, emit: Emit) -> tuple[list[str], str]:
        try:
            self.client.call("network", "inspect", "bridge")
        except DockerFailed:
            emit(
                Warned(
                    "no-bridge-network",
                    "this Docker daemon has no bridge network: the container runs in the "
                    "network of this machine, on the service's own port",
                    "start dockerd without --bridge=none",
                )
            )
            if options.port is not None:
                refuse_taken_port(options.port)
            return ["--network=host"], _OFFLINE_HOST
        if options.port is None:
            return [], _OFFLINE_BRIDGE
        return [f"--publish=127.0.0.1::{options.port}"], _OFFLINE_BRIDGE


class DockerService:
    """A container; see :class:`wheelship.engine.model.Running`."""

    def __init__(
        self, client: Client, container: str, unproven: Mapping[Claim, str], output: int | None
    ) -> None:
        self.unproven = unproven
        self._client = client
        self._container = container
        self._output = output
        self._follower: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        """Start the created container.

        Raises:
            StartFailed: its program cannot be executed.
        """
        try:
            self._client.call("start", self._container, seconds=_START_SECONDS)
        except DockerFailed as error:
            raise StartFailed(error.message) from error
        if self._output is not None:
            self._follower = subprocess.Popen(
                [self._client.path, "logs", "--follow", self._container],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                env=self._client.environment,
            )

    def close(self) -> None:
        """Remove the container and its volumes, running or not."""
        if self._follower is not None:
            self._follower.terminate()
            self._follower.wait()
        self._client.call("rm", "--force", "--volumes", self._container, seconds=_START_SECONDS)

    def status(self) -> int | None:
        """Return how the service ended; None while it runs."""
        running, code = self._inspect("{{.State.Running}} {{.State.ExitCode}}").split()
        return None if running == "true" else int(code)

    def health(self) -> Health | None:
        """Return what Docker's own run of the image's health check found so far."""
        found = self._inspect("{{if .State.Health}}{{.State.Health.Status}}{{end}}")
        return cast("Health", found) if found in ("starting", "healthy", "unhealthy") else None

    def dial(self, port: int) -> socket.socket:
        """Connect to a port of the service, where Docker published it."""
        published = self._inspect(
            f'{{{{with index .NetworkSettings.Ports "{port}/tcp"}}}}'
            "{{(index . 0).HostPort}}{{end}}"
        )
        address = ("127.0.0.1", int(published or port))
        connection = socket.create_connection(address, timeout=_CONNECT_SECONDS)
        connection.settimeout(None)
        return connection

    def execute(self, argv: Sequence[str], *, timeout_seconds: float) -> Executed:
        """Run a command beside the service."""
        try:
            done = self._client.run("exec", self._container, *argv, seconds=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            return Executed(None, error.stdout or b"", error.stderr or b"")
        said = done.stdout + done.stderr
        if (done.returncode in _NOT_EXECUTABLE and b"OCI runtime exec failed" in said) or (
            said.startswith(FROM_DAEMON.encode())
        ):
            reason = said.decode(errors="replace").strip().rpartition(": ")[2]
            raise StartFailed(f"cannot execute {argv[0]}: {reason}")
        return Executed(done.returncode, done.stdout, done.stderr)

    def stop(self, *, grace_seconds: float) -> int | None:
        """Send the image's stop signal and wait; Docker kills the service after the grace."""
        self._client.call(
            "stop",
            f"--time={max(1, round(grace_seconds))}",
            self._container,
            seconds=grace_seconds + _ASK_SECONDS,
        )
        code = int(self._inspect("{{.State.ExitCode}}"))
        return None if code == _KILLED else code

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last lines of the service's output."""
        done = self._client.run("logs", f"--tail={lines}", self._container, seconds=_ASK_SECONDS)
        text = (done.stdout + done.stderr).decode(errors="replace")
        return tuple(text.splitlines()[-lines:])

    def _inspect(self, template: str) -> str:
        return self._client.call("inspect", "--format", template, self._container)
