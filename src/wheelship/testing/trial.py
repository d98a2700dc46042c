# SPDX-License-Identifier: Apache-2.0
"""One project, disturbed and built again and again, and what must hold after each time.

The invariants (DESIGN §11): a run ends well or with one clear error; nothing partial has a final
name; a tag moves only when everything is there; the next run repairs all by itself, gives the
digest of a build that nobody disturbed, and leaves no unfinished work behind.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wheelship.files.write import is_unfinished
from wheelship.oci.validate import problems_of_layout
from wheelship.testing.forks import Ended, ForkServer, Job
from wheelship.testing.harbour import Harbour

__all__ = ["CannotBreak", "Trial"]

_REFUSED = {3, 4, 5}
_STOPPED = {130: "interrupted", 143: "terminated", -signal.SIGKILL: "killed"}


class CannotBreak(Exception):
    """This machine lacks what breaking it this way takes; the message says what."""


class Trial:
    """Builds the project of ``harbour`` in forks of ``server``.

    Attributes:
        digest: what a build that nobody disturbed gives.
        output: the layout that runs write to.
    """

    def __init__(self, harbour: Harbour, server: ForkServer) -> None:
        self.harbour = harbour
        self.server = server
        self.output = harbour.root / "dist" / "demo"
        self.store = harbour.store
        self.digest: str = self.run(self.job()).image["digest"]

    def job(self, *options: str, environment: Mapping[str, str] | None = None) -> Job:
        """Return a build of the project into :attr:`output`."""
        output = ("--output", f"oci:{self.output}")
        command = ("build", str(self.harbour.root), "--locked", "--json", "-q", "--jobs", "2")
        return Job(
            argv=(*command, *output, *options),
            environment=self.harbour.environment
            | {"WHEELSHIP_STORE": str(self.store)}
            | dict(environment or {}),
        )

    def run(self, job: Job) -> Ended:
        """Run one job."""
        (ended,) = self.server.run(job)
        return ended

    def run_apart(self, job: Job, *prefix: str, **streams: Any) -> Ended:  # noqa: ANN401
        """Run one job as a process of its own, begun by another program."""
        done = subprocess.run(
            [*prefix, sys.executable, "-P", "-m", "wheelship.cli.main", *job.argv],
            env=dict(job.environment),
            text=True,
            check=False,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams),
        )
        return Ended(status=done.returncode, out=done.stdout or "", err=done.stderr or "")

    def forget(self) -> None:
        """Remove the store and the layout."""
        for directory in (self.store, self.output):
            shutil.rmtree(directory, ignore_errors=True)

    def require_sound(self, ended: Ended) -> str:
        """Require the invariants of a run that was disturbed; say in a word how it ended."""
        word = self.ending(ended)
        for path in (*self._files("blobs/sha256"), *self._files("downloads")):
            if path.suffix != ".partial" and not path.is_symlink():
                found = hashlib.sha256(path.read_bytes()).hexdigest()
                assert found == path.name, f"{path} is not whole"
        if (self.output / "index.json").is_file():
            assert problems_of_layout(self.output) == []
        return word

    def require_repaired(self, job: Job | None = None) -> None:
        """Build undisturbed and require what a first build would have given, and no leftovers."""
        ended = self.run(job or self.job())
        assert ended.status == 0, f"not repaired: {ended}"
        assert ended.image["digest"] == self.digest, "another image"
        self.require_sound(ended)
        assert list((self.store / "tmp").iterdir()) == [], "unfinished work in the store"
        left = [path for path in self.output.parent.rglob("*") if is_unfinished(path.name)]
        assert left == [], "unfinished work in the layout"
        assert list((self.store / "downloads").glob("*.partial")) == []

    def _files(self, part: str) -> list[Path]:
        folder = self.store / part
        return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []

    @staticmethod
    def ending(ended: Ended) -> str:
        """Require one clear line of a run that did not end well; say in a word how it ended."""
        if ended.status == 0:
            return "done"
        if ended.status in _STOPPED:
            word = _STOPPED[ended.status]
            lines = ended.err.splitlines()
            assert word == "killed" or lines[-1:] == [word], f"not said: {ended}"
            assert "Traceback" not in ended.err, ended.err
            return word
        assert ended.status in _REFUSED, f"no clear ending: {ended}"
        error: dict[str, Any] = json.loads(ended.out)["error"]
        assert error["hint"], f"no hint: {error}"
        assert error["where"], f"no place: {error}"
        assert "Traceback" not in ended.err, ended.err
        return str(error["code"])
