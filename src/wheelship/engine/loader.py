# SPDX-License-Identifier: Apache-2.0
"""The last resort where namespaces are forbidden: the image's Python, run bare by this user.

It proves that the service starts, becomes healthy and answers with exactly the image's files, and
nothing about isolation; what it cannot prove it says.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from wheelship.engine.control import Refused, Supervisor
from wheelship.engine.embedded import refuse_foreign_platform
from wheelship.engine.errors import StartFailed
from wheelship.engine.identity import is_privileged
from wheelship.engine.model import Claim, Clock, EngineName, ImageFiles, Options
from wheelship.engine.port import refuse_taken_port
from wheelship.engine.program import home_of, program_of
from wheelship.engine.relocate import Relocated, unlock
from wheelship.engine.sandbox.packet import Order
from wheelship.engine.sandboxed import SandboxedService, Scratch
from wheelship.events import Emit

__all__ = ["Loader"]

_UNPROVEN: dict[Claim, str] = {
    "read-only-root": "without namespaces the service sees this machine's root file system",
    "offline": "without namespaces the service uses this machine's network",
}
_UNPROVEN_USER: dict[Claim, str] = {
    "user": "without namespaces the service runs as the user who called wheelship",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Runs images through their own dynamic loader; attributes as of ``Embedded``."""

    name: ClassVar[EngineName] = "loader"
    workspace: Path
    python: Path
    clock: Clock = field(default_factory=Clock)

    def start(self, image: ImageFiles, options: Options, emit: Emit) -> SandboxedService:
        """Start the image.

        Raises:
            ForeignPlatform: the image is for another architecture.
            ImageNotRunnable: its configuration makes no sense.
            PortTaken: something on this machine listens on the service's port.
            StartFailed: its program cannot be executed.
        """
        refuse_foreign_platform(image)
        program = program_of(image, options)
        if options.port is not None:
            refuse_taken_port(options.port)
        with ExitStack() as resources:
            scratch = Scratch(self.workspace)
            resources.callback(scratch.remove)
            user = (program.uid, program.gid)
            privileged = is_privileged(*user) and _reachable(scratch.path)
            scratch.fill(image, None if privileged else user, emit)
            for path in ("/tmp", program.workdir, *program.writable):  # noqa: S108 - below the root
                _make_directory(Path(f"{scratch.root}{path}"))
            if privileged:
                scratch.path.chmod(0o711)
                Path(scratch.root, "tmp").chmod(0o1777)
            env = {"HOME": home_of(program.uid, scratch.root), "HOSTNAME": "localhost"}
            env |= program.env
            relocated = Relocated(scratch.root, env, ("/tmp", *program.writable))  # noqa: S108 - as above
            relocated.prepare()
            log = resources.enter_context((scratch.path / "output").open("ab+"))
            trace = resources.enter_context((scratch.path / "trace").open("wb+"))
            order: Order = {
                "namespaces": None,
                "user": user if privileged else None,
                "root": str(scratch.root),
                "writable": [],
                "hostname": "",
                "argv": relocated.argv(program.argv),
                "env": relocated.env(env),
                "workdir": f"{scratch.root}{program.workdir}",
            }
            output = log.fileno() if options.output is None else options.output
            try:
                supervisor = Supervisor(self.python, order, output, trace)
            except Refused as error:
                raise StartFailed(f"cannot {error}", where=image.reference) from error
            resources.enter_context(supervisor)
            return SandboxedService(
                supervisor,
                resources.pop_all(),
                log=log,
                stop_signal=program.stop_signal,
                unproven=_UNPROVEN if privileged else _UNPROVEN | _UNPROVEN_USER,
                translate=relocated.argv,
                clock=self.clock,
            )


def _reachable(path: Path) -> bool:
    """Tell whether anybody may walk down to ``path``."""
    return all(parent.stat().st_mode & 0o001 for parent in path.parents)


def _make_directory(path: Path) -> None:
    existing = next(parent for parent in path.parents if parent.is_dir())
    if not path.exists():
        unlock(existing)
        path.mkdir(parents=True)
