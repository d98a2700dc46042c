# SPDX-License-Identifier: Apache-2.0
"""The other side: BuildKit of Docker 28, with the Dockerfile beside this file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from registry import Registry
from side import Built
from subject import Project
from usage import Usage, measure
from wheel_server import WheelServer
from wheels import requirements

__all__ = ["BuildKit", "Docker", "ImageStore", "Shape", "Source"]

_HERE = Path(__file__).resolve().parent
_SCRIPT = _HERE.parent / "scripts" / "docker-sid"

Shape = str
"""A target of the Dockerfile: ``one``, ``split`` or ``direct``."""

ImageStore = Literal["overlay2", "containerd"]
"""Docker's own store of images, uncompressed, or containerd's, compressed and unpacked."""

Source = Literal["context", "server"]
"""How wheels get to the build: a directory that is sent to it, or a server on loopback."""

_STEPS = {
    "wheels": re.compile(r"\[context wheels\]"),
    "install": re.compile(r"RUN .*uv pip install"),
    "copy": re.compile(r"COPY --link"),
    "export": re.compile(r"exporting to image"),
}


class Docker:
    """A daemon with storage of its own below ``directory``; runs while entered.

    Attributes:
        pid: its process.
        versions: what it and its parts say of themselves.
    """

    def __init__(self, directory: Path, store: ImageStore, *, visible: tuple[Path, ...]) -> None:
        self._state = directory
        self._visible = visible
        # Collecting garbage by free disk space would empty caches between two measurements.
        self._settings = {
            "builder": {"gc": {"enabled": False}},
            "features": {"containerd-snapshotter": store == "containerd"},
        }

    def __enter__(self) -> Self:
        settings = self._state.with_suffix(".json")
        settings.write_text(json.dumps(self._settings))
        binds = [word for place in self._visible for word in ("--bind", str(place))]
        subprocess.run(
            [_SCRIPT, "start", self._state, *binds, "--", f"--config-file={settings}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.pid = int((self._state / "pid").read_text())
        daemon = self.call("version", "--format", "{{.Server.Version}}")
        self.versions = {"docker": daemon, "buildx": self.call("buildx", "version").split()[1]}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        subprocess.run([_SCRIPT, "stop", self._state], check=True)
        self._state.with_suffix(".json").unlink()

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of ``docker`` beside the daemon."""
        return [str(_SCRIPT), "run", str(self._state), "docker", *arguments]

    def call(self, *arguments: str, stdin: Path | None = None) -> str:
        """Run ``docker`` and return what it prints."""
        with (stdin or Path("/dev/null")).open("rb") as file:
            ended = subprocess.run(
                self.command(*arguments), stdin=file, capture_output=True, text=True, check=False
            )
        if ended.returncode:
            sys.exit(f"docker {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stderr}")
        return ended.stdout.strip()


class BuildKit:
    """Builds one shape of the Dockerfile from the context below ``directory``."""

    def __init__(
        self,
        docker: Docker,
        project: Project,
        directory: Path,
        *,
        shape: Shape,
        server: WheelServer | None,
    ) -> None:
        self.name = f"buildkit-{shape}"
        self._docker = docker
        self._project = project
        self._context = directory
        self._shape = shape
        self._server = server
        directory.mkdir()
        for part in ("heavy", "light"):  # what the mounts of the Dockerfile name
            (directory / "empty" / part).mkdir(parents=True)
        shutil.copyfile(_HERE / "Dockerfile", directory / "Dockerfile")

    def empty(self) -> None:
        """Remove the images that were built, and the caches, mounted ones included."""
        for image in self._docker.call("image", "ls", "-q", "bench/app").split():
            self._docker.call("image", "rm", "-f", image)
        self._docker.call("builder", "prune", "--all", "--force")

    def prepare(self) -> None:
        """Write requirements with hashes from the lock, and copy the sources."""
        files, apart = self._project.files(), self._project.subject.apart
        heavy = [one for one in files if apart.fullmatch(one.name)]
        for name, some in (
            ("requirements", files),
            ("heavy", heavy),
            ("light", [one for one in files if one not in heavy]),
        ):
            (self._context / f"{name}.txt").write_text(requirements(some))
        shutil.copytree(self._project.root / "src", self._context / "src", dirs_exist_ok=True)

    def build(self) -> Built:
        """Run ``docker buildx build``."""
        options = ["--network=host", "--provenance=false", f"--target={self._shape}"]
        options += ["--build-arg", f"SUBJECT={self._project.subject.name}", "--tag", "bench/app"]
        wheels = self._project.wheels
        if self._server is not None:
            options += ["--build-arg", f"FIND_LINKS={self._server.url}"]
            wheels = self._context / "empty"
        options += ["--build-context", f"wheels={wheels}", str(self._context)]
        command = self._docker.command("buildx", "build", *options)
        measured = measure(command, daemons=[self._docker.pid])
        return Built(usage=measured.usage, steps=_seconds_by_step(measured.errors))

    def push(self, registry: Registry) -> Usage:
        """Run ``docker push``."""
        reference = f"{registry.address}/bench/app:latest"
        self._docker.call("tag", "bench/app", reference)
        command = self._docker.command("push", "--quiet", reference)
        return measure(command, daemons=[self._docker.pid]).usage


def _seconds_by_step(log: str) -> dict[str, float]:
    """Add up what BuildKit's plain log says; steps that ran side by side count both."""
    kinds: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for line in log.splitlines():
        number, _, text = line.partition(" ")
        if (done := re.fullmatch(r"DONE ([0-9.]+)s", text)) and number in kinds:
            kind = kinds[number]
            seconds[kind] = seconds.get(kind, 0.0) + float(done[1])
        for kind, pattern in _STEPS.items():
            if number not in kinds and pattern.search(text):
                kinds[number] = kind
    return seconds
