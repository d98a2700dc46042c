# SPDX-License-Identifier: Apache-2.0
"""Installs one wheel three times, each time into an empty environment at the same place.

pip and uv install as their users have them do it; we write a layer, which GNU tar unpacks.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uv

from parity.tree import Tree, read_tree
from parity.wheels import PYTHON
from wheelship.archive.layer import LayerWriter, with_parents
from wheelship.wheel.environment import Environment
from wheelship.wheel.install import installed_entries, python_sources
from wheelship.wheel.reader import open_wheel

__all__ = ["Bench", "InstallerFailed", "open_bench"]

_OPTIONS = (
    # Whatever goes wrong, no package gets into the Python that made the environment.
    *(
        "--require-virtualenv",
        "install",
        "--isolated",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-compile",
    ),
    *(
        "--ignore-installed",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
    ),
)

# One process answers for all wheels: importing pip takes longer than most installations.
_SERVER = """
import os, sys
from pip._internal.cli.main import main
from pip._internal.commands import create_command
create_command("install")
print(sys.prefix, flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        status = 70
        try:
            status = main([*sys.argv[2:], line.rstrip()])
        finally:
            sys.stdout.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class InstallerFailed(Exception):
    """pip or uv refuses a wheel."""


@dataclass(kw_only=True)
class Bench:
    """A directory with an environment that is made anew for each installation.

    Attributes:
        work: the directory; its path is short, because installers start scripts of a long one
            in another way.
    """

    work: Path
    empty: Tree
    pip: subprocess.Popen[str] | None = None

    @property
    def prefix(self) -> Path:
        """The environment."""
        return self.work / "venv"

    def by_pip(self, wheel: Path) -> Tree:
        """Install with pip and return what that added.

        Raises:
            InstallerFailed: it does not install this wheel.
        """
        assert self.pip is not None
        self._renew()
        print(wheel, file=_pipe(self.pip.stdin), flush=True)
        if _pipe(self.pip.stdout).readline().strip() != "0":
            raise InstallerFailed(_one_line((self.work / "pip.log").read_text()))
        return self._added()

    def by_uv(self, *wheels: Path) -> Tree:
        """Install with uv and return what that added.

        Raises:
            InstallerFailed: it does not install these wheels.
        """
        self._renew()
        command = [uv.find_uv_bin(), "pip", "install", "--no-deps", "--no-index", "--no-config"]
        command += ["--quiet", "--no-cache", "--link-mode", "copy", "--python"]
        command += [str(self.prefix / "bin/python"), *map(str, wheels)]
        result = subprocess.run(command, capture_output=True, check=False, text=True)
        if result.returncode != 0:
            raise InstallerFailed(_one_line(result.stderr))
        (self.prefix / ".lock").unlink()  # uv's guard against a second uv
        return self._added()

    def by_us(self, wheel: Path, *, waive_record: bool = False) -> tuple[Tree, set[str]]:
        """Write a layer and return what it unpacks to, and the modules that would be compiled.

        Raises:
            WheelshipError: we refuse this wheel.
        """
        environment = Environment(python=PYTHON, prefix=str(self.prefix))
        layer, root = self.work / "layer.tar.gz", self.work / "layer"
        with wheel.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with (
            open_wheel(wheel, wheel.name, sha256=sha256, waive_record=waive_record) as opened,
            layer.open("wb") as out,
        ):
            writer = LayerWriter(out)
            for entry in with_parents(installed_entries(opened, environment)):
                writer.add(entry)
            writer.finish()
            modules = {path for path, _ in python_sources(opened, environment)}
        remove(root)
        root.mkdir()
        subprocess.run(["/bin/tar", "-xzpf", layer, "-C", root], check=True)
        tree = read_tree(root / environment.root)
        remove(root)
        below = environment.root + "/"
        return self._without_empty(tree), {path.removeprefix(below) for path in modules}

    def _renew(self) -> None:
        remove(self.prefix)
        shutil.copytree(self.work / "empty", self.prefix, symlinks=True)

    def _added(self) -> Tree:
        tree = read_tree(self.prefix)
        changed = [path for path, item in self.empty.items() if tree.get(path) != item]
        if changed:
            raise InstallerFailed(f"changes what was there before: {changed}")
        return self._without_empty(tree)

    def _without_empty(self, tree: Tree) -> Tree:
        return {path: item for path, item in tree.items() if path not in self.empty}


def _one_line(text: str) -> str:
    """Return the end of a message that was broken into lines for some terminal."""
    return " ".join(text.split())[-500:]


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def remove(root: Path) -> None:
    """Remove a tree that may not exist."""
    if root.exists():
        shutil.rmtree(root)


@contextmanager
def open_bench(work: Path, pip_wheel: Path | None = None) -> Iterator[Bench]:
    """Make an environment below ``work``, and start the pip of ``pip_wheel`` in it if there is one.

    ``work`` must not exist yet; it is removed in the end.
    """
    os.umask(0o022)
    work.mkdir(parents=True)
    prefix = work / "venv"
    command: Sequence[str | Path] = (sys.executable, "-m", "venv", "--without-pip", prefix)
    subprocess.run(command, check=True)
    shutil.copytree(prefix, work / "empty", symlinks=True)
    bench = Bench(work=work, empty=read_tree(work / "empty"))
    try:
        if pip_wheel is None:
            yield bench
        else:
            with _pip(bench, pip_wheel) as bench.pip:
                yield bench
    finally:
        shutil.rmtree(work)


@contextmanager
def _pip(bench: Bench, wheel: Path) -> Iterator[subprocess.Popen[str]]:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(bench.work / "pip")
    environ = {"PYTHONPATH": f"{bench.work}/pip", "PATH": "/usr/bin:/bin", "HOME": str(bench.work)}
    with subprocess.Popen(
        [bench.prefix / "bin/python", "-c", _SERVER, bench.work / "pip.log", *_OPTIONS],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        # Only now may the environment be removed and made anew: starting, Python looks for it.
        started_in = _pipe(server.stdout).readline().strip()
        if started_in != str(bench.prefix):
            raise InstallerFailed(f"pip runs in {started_in or 'no environment'}")
        yield server
