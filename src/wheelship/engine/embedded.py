# SPDX-License-Identifier: Apache-2.0
"""The engine of our own: namespaces made by the current user, no Docker, no root (R17)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from wheelship.engine.control import Refused, Supervisor
from wheelship.engine.emulation import emulates
from wheelship.engine.errors import ForeignPlatform, NamespacesForbidden, StartFailed
from wheelship.engine.identity import namespaces, remedy
from wheelship.engine.model import Clock, EngineName, ImageFiles, Options
from wheelship.engine.program import Program, home_of, program_of
from wheelship.engine.sandbox.packet import Namespaces, Order
from wheelship.engine.sandboxed import SandboxedService, Scratch
from wheelship.events import Emit

__all__ = ["Embedded", "probe_namespaces", "refuse_foreign_platform"]

_HOSTNAME = "wheelship"
_SOMEBODY = 65532


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Runs images in user, mount, PID, network, IPC and UTS namespaces of their own.

    Attributes:
        workspace: existing directory for the unpacked image, of the image's unpacked size.
        python: the interpreter that runs the sandbox program, normally ``sys.executable``.
    """

    name: ClassVar[EngineName] = "embedded"
    workspace: Path
    python: Path
    clock: Clock = field(default_factory=Clock)

    def start(self, image: ImageFiles, options: Options, emit: Emit) -> SandboxedService:
        """Start the image.

        Raises:
            ForeignPlatform: the image is for another architecture.
            ImageNotRunnable: its configuration makes no sense.
            StartFailed: its program cannot be executed.
            NamespacesForbidden: this machine allows no namespaces.
        """
        refuse_foreign_platform(image)
        program = program_of(image, options)
        names = namespaces(program.uid, program.gid)
        with ExitStack() as resources:
            scratch = Scratch(self.workspace)
            resources.callback(scratch.remove)
            reader = None if names["set_groups"] else (program.uid, program.gid)
            scratch.fill(image, reader, emit)
            log = resources.enter_context((scratch.path / "output").open("ab+"))
            trace = resources.enter_context((scratch.path / "trace").open("wb+"))
            order = _order(program, scratch.root, names)
            output = log.fileno() if options.output is None else options.output
            try:
                supervisor = Supervisor(self.python, order, output, trace)
            except Refused as error:
                raise _explained(error, image) from error
            resources.enter_context(supervisor)
            return SandboxedService(
                supervisor,
                resources.pop_all(),
                log=log,
                stop_signal=program.stop_signal,
                unproven={},
                translate=_unchanged,
                clock=self.clock,
            )


def probe_namespaces(workspace: Path, python: Path) -> str | None:
    """Rehearse everything the embedded engine needs; return what is not allowed, or None.

    Only a rehearsal can tell: where AppArmor forbids namespaces, making one succeeds and mounting
    in it fails; in a container it is the fresh ``/proc`` that is refused.
    """
    with tempfile.TemporaryDirectory(prefix="wheelship-", dir=workspace) as directory:
        root = Path(directory, "root")
        root.mkdir()
        order: Order = {
            "namespaces": namespaces(_SOMEBODY, _SOMEBODY),
            "user": None,
            "root": str(root),
            "writable": [],
            "hostname": _HOSTNAME,
            "argv": [],
            "env": {},
            "workdir": "/",
        }
        with Path(directory, "trace").open("wb+") as trace:
            try:
                Supervisor(python, order, None, trace).close()
            except Refused as error:
                return f"cannot {error}"
    return None


def refuse_foreign_platform(image: ImageFiles) -> None:
    """Refuse what this machine can execute neither by itself nor by an emulator.

    Raises:
        ForeignPlatform: it is for another architecture.
    """
    wanted, own = image.config.platform, os.uname().machine
    if wanted.machine != own and not emulates(wanted.machine):
        raise ForeignPlatform(
            f"the image is for {wanted}, this machine is {own}",
            where=image.reference,
            hint="check it on such a machine, or let QEMU run it:\n"
            "sudo apt-get install qemu-user-binfmt  # before Debian 13: qemu-user-static",
        )


def _order(program: Program, root: Path, names: Namespaces) -> Order:
    home = {"HOME": home_of(program.uid, root), "HOSTNAME": _HOSTNAME}
    return {
        "namespaces": names,
        "user": None,
        "root": str(root),
        "writable": list(program.writable),
        "hostname": _HOSTNAME,
        "argv": list(program.argv),
        "env": home | program.env,
        "workdir": program.workdir,
    }


def _explained(error: Refused, image: ImageFiles) -> Exception:
    if error.image:
        return StartFailed(f"cannot {error}", where=image.reference)
    return NamespacesForbidden(f"cannot {error}", hint=remedy() or "use --engine docker")


def _unchanged(argv: Sequence[str]) -> Sequence[str]:
    return argv
