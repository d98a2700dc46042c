# SPDX-License-Identifier: Apache-2.0
"""A project that is built from nothing under many conditions, as a process of its own each time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wheelship.testing.forks import ForkServer, Job

__all__ = ["CannotVary", "Ground"]


class CannotVary(Exception):
    """This machine lacks what varying this takes; the message says what."""


def _nothing(store: Path) -> None:
    del store


@dataclass(kw_only=True)
class Ground:
    """Where and how the project is built.

    Attributes:
        root: of the project.
        work: a directory for all that comes about; every user may enter it.
        environment: of a build that nothing disturbs.
        fill: puts downloads into a new store.
        server: runs builds as another user, who may not be able to start this Python.
    """

    root: Path
    work: Path
    environment: Mapping[str, str]
    fill: Callable[[Path], None] = _nothing
    server: ForkServer | None = None
    _count: int = field(default=0, init=False)

    def fresh(self, name: str = "place") -> Path:
        """Return the path of a directory that does not exist yet."""
        self._count += 1
        return self.work / f"{name}{self._count}"

    def store(self) -> Path:
        """Return a new store."""
        store = self.fresh("store")
        store.mkdir()
        store.chmod(0o777)
        self.fill(store)
        return store

    def copy(self, target: Path | None = None) -> Path:
        """Copy the project, without what builds made of it."""
        target = target or self.fresh("copy")
        ignored = shutil.ignore_patterns("dist", ".git")
        return shutil.copytree(self.root, target, ignore=ignored, symlinks=True)

    def build(  # noqa: PLR0913 - each argument is one condition
        self,
        root: Path | str | None = None,
        *,
        env: Mapping[str, str | None] | None = None,
        prefix: Sequence[str] = (),
        options: Sequence[str] = ("--jobs", "2"),
        store: Path | None = None,
        cwd: Path | None = None,
        umask: int = -1,
        uid: int = 0,
    ) -> Path:
        """Build into a new layout with a new store and return the layout.

        A variable that is None in ``env`` is unset. With ``uid`` the build is that user's.
        """
        layout = self.fresh("out") / "layout"
        layout.parent.mkdir()
        layout.parent.chmod(0o777)
        store = store or self.store()
        environ = dict(self.environment) | {"WHEELSHIP_STORE": str(store)}
        for name, value in (env or {}).items():
            environ.pop(name, None)
            if value is not None:
                environ[name] = value
        arguments = ["build", str(root or self.root), "--locked", "-q", "--output", f"oci:{layout}"]
        arguments += options
        if uid:
            self._as_user(arguments, environ, uid, layout)
            return layout
        command = [*prefix, sys.executable, "-P", "-m", "wheelship.cli.main", *arguments]
        done = subprocess.run(
            command,
            env=environ,
            cwd=cwd or self.work,
            umask=umask,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return layout

    def _as_user(
        self, arguments: list[str], environ: dict[str, str], uid: int, layout: Path
    ) -> None:
        if self.server is None:
            raise CannotVary("only root can become another user")
        job = Job(argv=tuple(arguments), environment=environ, cwd=str(self.work), uid=uid)
        # Another user may be unable to read this Python's library: the server reads it before.
        mine = {**environ, "WHEELSHIP_STORE": str(self.store())}
        self.server.run(replace(job, environment=mine, uid=0))
        shutil.rmtree(layout)
        (ended,) = self.server.run(job)
        assert ended.status == 0, ended
