# SPDX-License-Identifier: Apache-2.0
"""The engine most people have: a Docker daemon of this machine, through its command line."""

from __future__ import annotations

import io
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Self, cast

from wheelship.engine.errors import DockerFailed, DockerMissing, StartFailed
from wheelship.engine.model import Claim, Clock, EngineName, Executed, Health, ImageFiles, Options
from wheelship.engine.port import refuse_taken_port
from wheelship.events import Advanced, Emit, Finished, Started, Warned

if TYPE_CHECKING:  # collections.abc.Buffer is Python 3.12's
    from _typeshed import ReadableBuffer as Buffer

__all__ = ["Client", "Docker", "DockerService"]

_ASK_SECONDS = 30
_START_SECONDS = 120
_CONNECT_SECONDS = 1
_KILLED = 137
_FROM_DAEMON = "Error response from daemon: "
_NOT_EXECUTABLE = (126, 127)
_LOCAL = ("unix://", "npipe://", "fd://")
_OFFLINE_BRIDGE = "Docker's bridge network reaches whatever this machine reaches"
_OFFLINE_HOST = "the container shares this machine's network"


@dataclass(frozen=True, slots=True)
class Client:
    """The command-line client at ``path``, called with ``environment`` only."""

    path: Path
    environment: Mapping[str, str]

    def call(self, *arguments: str, seconds: float = _ASK_SECONDS) -> str:
        """Return what ``docker arguments…`` prints, without the last line end.

        Raises:
            DockerFailed: it failed, or took longer than ``seconds``.
        """
        try:
            done = self.run(*arguments, seconds=seconds)
        except subprocess.TimeoutExpired as error:
            raise DockerFailed(
                f"`docker {arguments[0]}` has not answered for {seconds:.0f} s",
                hint="see whether the daemon is well: docker info",
            ) from error
        if done.returncode != 0:
            raise DockerFailed(f"`docker {arguments[0]}` failed: {_reason(done)}")
        return done.stdout.decode(errors="replace").rstrip("\n")

    def run(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[bytes]:
        """Call the client and wait; its status is the caller's business.

        Raises:
            DockerMissing: the client cannot be executed.
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
            raise DockerMissing(
                f"cannot execute the Docker client: {error.strerror}", where=str(self.path)
            ) from error

    def refuse_unusable(self) -> None:
        """Refuse a daemon that does not answer, or whose ports are on another machine.

        Raises:
            DockerMissing: it is either.
        """
        host = self.call("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        if not host.startswith(_LOCAL):
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
        total = sum(layer.path.stat().st_size for layer in image.layers)
        emit(Started("load", image.reference, total))
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                [self.client.path, "load"],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env=self.client.environment,
            ) as load,
        ):
            pipe = cast("BinaryIO", load.stdin)
            counted = _Counted(pipe, image.reference, emit)
            with suppress(BrokenPipeError):  # what docker has to say about it says more
                image.write_docker_archive(cast("BinaryIO", counted))
            with suppress(BrokenPipeError):
                pipe.close()
            status = load.wait()
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or [""]
        # "Loaded image: name:tag", or "Loaded image ID: sha256:…" when the archive names none
        label, _, known = lines[-1].partition(": ")
        if status != 0 or not label.startswith("Loaded image"):
            emit(Finished("load", image.reference, "failed", lines[-1]))
            raise DockerFailed(f"`docker load` failed: {lines[-1]}", where=image.reference)
        emit(Finished("load", image.reference, "done", "into Docker"))
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
            said.startswith(_FROM_DAEMON.encode())
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


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the line that says why; the client likes to add one that does not."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    said = [line for line in lines if _FROM_DAEMON in line] or lines[-1:]
    return said[0].partition(_FROM_DAEMON)[2] or said[0] if said else f"status {done.returncode}"


class _Counted(io.RawIOBase):
    """A pipe that reports what is written to it."""

    def __init__(self, pipe: BinaryIO, subject: str, emit: Emit) -> None:
        super().__init__()
        self._pipe, self._subject, self._emit = pipe, subject, emit

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        size = memoryview(data).nbytes
        self._pipe.write(data)
        self._emit(Advanced("load", self._subject, size))
        return size
