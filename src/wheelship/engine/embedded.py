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
from wheelship.engine.errors import ForeignPlatform, NamespacesForbidden, StartFailed
from wheelship.engine.model import Clock, EngineName, ImageFiles, Options
from wheelship.engine.program import Program, home_of, program_of
from wheelship.engine.sandbox.packet import Namespaces, Order
from wheelship.engine.sandboxed import SandboxedService, Scratch
from wheelship.events import Emit

__all__ = ["Embedded", "probe_namespaces", "refuse_foreign_platform", "remedy"]

_HOSTNAME = "wheelship"
_NEEDED_IDS = 65536
_PROC = Path("/proc")
_SYSCTLS = (
    # (file, the value that forbids, the command that allows)
    (
        "sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
    ("sys/user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000"),
)


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
        names = _namespaces(program.uid, program.gid)
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
            "namespaces": _namespaces(os.getuid() or 1, os.getgid() or 1),
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


def remedy(proc: Path = _PROC) -> str | None:
    """Return the command that allows user namespaces, when a setting of the kernel forbids them."""
    for name, forbidding, command in _SYSCTLS:
        try:
            if (proc / name).read_text("utf-8").strip() == forbidding:
                return command
        except OSError:
            continue
    return None


def refuse_foreign_platform(image: ImageFiles) -> None:
    """Refuse what this machine's processor cannot execute.

    Raises:
        ForeignPlatform: it is for another architecture.
    """
    wanted, own = image.config.platform, os.uname().machine
    if wanted.machine != own:
        raise ForeignPlatform(
            f"the image is for {wanted}, this machine is {own}",
            where=image.reference,
            hint="check it on such a machine; CI has runners for both architectures",
        )


def _namespaces(uid: int, gid: int) -> Namespaces:
    """Choose the id maps: all ids when we are root over them, else our own in the image's place."""
    maps = [_PROC / "self/uid_map", _PROC / "self/gid_map"]
    extents = [[line.split() for line in path.read_text("utf-8").splitlines()] for path in maps]
    if os.geteuid() == 0 and all(_covers(rows, max(uid, gid)) for rows in extents):
        uids, gids = ("".join(f"{row[0]} {row[0]} {row[2]}\n" for row in rows) for rows in extents)
        return {
            "outer_uids": uids,
            "outer_gids": gids,
            "inner_uids": uids,
            "inner_gids": gids,
            "set_groups": True,
            "uid": uid,
            "gid": gid,
        }
    return {
        "outer_uids": f"0 {os.geteuid()} 1\n",
        "outer_gids": f"0 {os.getegid()} 1\n",
        "inner_uids": f"{uid} 0 1\n",
        "inner_gids": f"{gid} 0 1\n",
        "set_groups": False,
        "uid": uid,
        "gid": gid,
    }


def _covers(rows: list[list[str]], highest: int) -> bool:
    return any(int(row[0]) == 0 and int(row[2]) >= max(_NEEDED_IDS, highest + 1) for row in rows)


def _order(program: Program, root: Path, names: Namespaces) -> Order:
    home = {"HOME": home_of(program.uid, root), "HOSTNAME": _HOSTNAME}
    return {
        "namespaces": names,
        "root": str(root),
        "writable": list(program.writable),
        "hostname": _HOSTNAME,
        "argv": list(program.argv),
        "env": home | program.env,
        "workdir": program.workdir,
    }


def _explained(error: Refused, image: ImageFiles) -> Exception:
    if error.what.startswith(("execute", "enter the directory")):
        return StartFailed(f"cannot {error}", where=image.reference)
    return NamespacesForbidden(f"cannot {error}", hint=remedy() or "use --engine docker")


def _unchanged(argv: Sequence[str]) -> Sequence[str]:
    return argv
