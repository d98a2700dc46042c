# SPDX-License-Identifier: Apache-2.0
"""``docker`` and ``podman``: the engine pulls what it lacks from a registry on loopback.

Where it cannot (its daemon is on another machine, or in a virtual one), the whole image is streamed
into it, as ``docker load`` does.
"""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from wheelship.engine.client import LOCAL, Client, reason_of
from wheelship.engine.errors import DockerFailed, EngineFull, PodmanFailed, WrongImage
from wheelship.engine.load import load_archive
from wheelship.engine.trouble import explained, refuse_missing, trouble_of
from wheelship.events import Advanced, Emit, Finished, Started, Warned
from wheelship.oci.digest import Digest
from wheelship.oci.image import Documents
from wheelship.oci.index import platforms_of
from wheelship.sink.loopback import LoopbackRegistry
from wheelship.sink.model import Delivered, Method, Parcel
from wheelship.sink.output import EngineOutput
from wheelship.sink.single import single
from wheelship.store.docker_archive import write_docker_archive

__all__ = ["EngineSink"]

_LOAD_SECONDS = 120  # for what an engine does to its own records while its disk is busy
_PATIENCE_SECONDS = 20  # until an engine that can reach us has asked for something
_DESKTOP = "Docker Desktop"


@dataclass(frozen=True, slots=True)
class EngineSink:
    """Puts images into the engine that ``client`` talks to; None = this machine has no client."""

    output: EngineOutput
    client: Client | None

    def deliver(self, parcel: Parcel, emit: Emit) -> Delivered:
        """Let the engine have the image under its reference; of several platforms, its own.

        Raises:
            NoPlatformFits: there are several, and none is the engine's.
            DockerMissing, PodmanMissing: there is no engine, or it does not answer.
            EngineForbidden, EngineFull, DockerFailed, PodmanFailed: it refuses.
            WrongImage: it holds another image now than was delivered.
            DamagedStore: a layer is not what it was.
        """
        client = refuse_missing(self.client, self.output.engine)
        with explained(client):
            # Asked first of all, so that one that does not answer is told from one that refuses.
            chosen = single(parcel, _platform(client), str(self.output), emit)
            return _Delivery(client, *chosen, emit).run(str(self.output))


def _platform(client: Client) -> str:
    """Return the platform of an engine, which may run on another machine (``linux/arm64``)."""
    if client.program == "docker":
        return client.call("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
    return client.call("info", "--format", "{{.Host.OS}}/{{.Host.Arch}}")


@dataclass(slots=True)
class _Delivery:
    """One image on its way into one engine."""

    client: Client
    parcel: Parcel
    image: Documents
    emit: Emit
    moved_bytes: int = 0
    detail: str | None = None

    def run(self, output: str) -> Delivered:
        known = self._known()
        method: Method = "present"
        if known is None:
            method = self._move()
            known = self._known()
        reference = self.parcel.reference
        self.client.call("tag", known or reference, reference, seconds=_LOAD_SECONDS)
        self._refuse_another(fresh=method == "pulled")
        return Delivered(
            output=output,
            method=method,
            reference=reference,
            moved_bytes=self.moved_bytes,
            platforms=platforms_of(self.image),
            detail=self.detail,
        )

    @property
    def _is_docker(self) -> bool:
        return self.client.program == "docker"

    def _known(self) -> str | None:
        """Return the engine's own name of the image, if it has it."""
        # The classic store knows an image by its configuration, containerd's by its manifest.
        digests = [Digest.of(self.image.config_bytes)]
        if self._is_docker:
            digests.append(self.image.descriptor.digest)
        for digest in digests:
            with suppress(DockerFailed, PodmanFailed):
                return self.client.call("image", "inspect", "--format", "{{.Id}}", str(digest))
        return None

    def _move(self) -> Method:
        subject, engine = self.parcel.reference, self.client.program
        self.emit(Started("load", subject))
        try:
            reason = self._why_not_pull() or self._pull()
            if reason is None:
                self.emit(Finished("load", subject, "done", f"what {engine} lacked, pulled"))
                return "pulled"
            self.detail = reason
            load_archive(self.client, self._write, self._streamed)
        except BaseException as error:
            self.emit(Finished("load", subject, "failed", str(error)))
            raise
        self.emit(Finished("load", subject, "done", f"all of it, streamed: {reason}"))
        return "loaded"

    def _advance(self, count: int) -> None:
        self.emit(Advanced("load", self.parcel.reference, count))

    def _streamed(self, count: int) -> None:
        self.moved_bytes += count
        self._advance(count)

    def _why_not_pull(self) -> str | None:
        """Return why the engine cannot reach this machine's loopback, as far as it can be known."""
        with suppress(DockerFailed, PodmanFailed):  # then the attempt shows it
            if not self._is_docker:
                remote = self.client.call("info", "--format", "{{.Host.ServiceIsRemote}}")
                return "podman runs on another machine" if remote == "true" else None
            host = self.client.call("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
            if not host.startswith(LOCAL):
                return f"the daemon at {host} is not on this machine"
            system = self.client.call("info", "--format", "{{.OperatingSystem}}")
            if system == _DESKTOP:
                return "Docker Desktop runs in a virtual machine"
        return None

    def _pull(self) -> str | None:
        """Let the engine pull the image; return why it did not."""
        with LoopbackRegistry(self.image, self.parcel.blob, self._advance) as registry:
            try:
                reason = self._call_pull(registry)
                if registry.failure is not None:
                    raise registry.failure
                if reason is None:
                    reference = self.parcel.reference
                    self.client.call("tag", registry.reference, reference, seconds=_LOAD_SECONDS)
                    self.moved_bytes = registry.sent_bytes
                    return None
            finally:
                with suppress(DockerFailed, PodmanFailed):  # it may not have got that far
                    self.client.call("image", "rm", registry.reference, seconds=_LOAD_SECONDS)
        if isinstance(trouble_of(self.client, reason), EngineFull):
            raise self.client.failed(f"`{self.client.program} pull` failed: {reason}")
        self.emit(
            Warned(
                "image-streamed",
                f"{self.client.program} cannot pull from this machine's loopback ({reason}), "
                "so all of the image is streamed into it",
            )
        )
        return reason

    def _call_pull(self, registry: LoopbackRegistry) -> str | None:
        flags = [] if self._is_docker else ["--tls-verify=false"]
        if self.image.descriptor.platform is not None:
            flags.append(f"--platform={self.image.descriptor.platform}")
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                [self.client.path, "pull", "--quiet", *flags, registry.reference],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self.client.environment,
            ) as process,
        ):
            try:
                status = _wait(process, registry)
            except BaseException:
                process.kill()
                raise
            said.seek(0)
            text = said.read().decode(errors="replace")
        if status is None:
            return f"it asked for nothing within {_PATIENCE_SECONDS} s"
        return None if status == 0 else reason_of(text) or f"status {status}"

    def _write(self, out: BinaryIO) -> None:
        write_docker_archive(
            out,
            manifest=self.image.manifest_bytes,
            config=self.image.config_bytes,
            layers=[(one.digest, self.parcel.blob(one.digest)) for one in self.image.blobs],
            reference=self.parcel.reference,
        )

    def _refuse_another(self, *, fresh: bool) -> None:
        """Refuse when the reference does not name our image now.

        Podman keeps the manifest's digest of what it pulled, ``fresh``; an image that it had before
        may have come with another manifest.
        """
        template = "{{.Id}}" if self._is_docker else "{{.Id}} {{.Digest}}"
        found = self.client.call("image", "inspect", "--format", template, self.parcel.reference)
        known, _, digest = found.partition(" ")
        config, manifest = Digest.of(self.image.config_bytes), self.image.descriptor.digest
        expected = {config.hex, manifest.hex} if self._is_docker else {config.hex}
        right = known.removeprefix("sha256:") in expected
        if not right or (fresh and digest and digest != str(manifest)):
            raise WrongImage(
                f"{self.client.program} holds {found}, and {config} was delivered ({manifest})",
                where=self.parcel.reference,
                hint="something else gave the name away meanwhile; deliver again",
            )


def _wait(process: subprocess.Popen[bytes], registry: LoopbackRegistry) -> int | None:
    """Return the pull's status; None when the engine never came and it was given up."""
    try:
        return process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        if registry.asked:
            return process.wait()
        process.terminate()
        return None
