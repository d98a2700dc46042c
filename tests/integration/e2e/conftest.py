# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the command line as a process, and a site to build on.

``shell`` runs the command line as its users do, with this machine's mirror and indexes. Downloads
are kept for the session, and between sessions in the directory WHEELSHIP_TEST_STORE names.

``site`` needs nothing but this machine: a package index and a Debian mirror on loopback, and locked
packages made for the purpose. Every other address is led to that server, where it is not found.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wheelship.build.lockfile import write_lock
from wheelship.cli.main import main
from wheelship.cli.services import native_platform
from wheelship.debian.lock import DebianLock, LockedSuite
from wheelship.testing.deb import MadeDeb, TarMember, make_deb
from wheelship.testing.index import PackageIndex
from wheelship.testing.wheel import MadeWheel, make_wheel

COMMAND = (sys.executable, "-P", "-m", "wheelship.cli.main")
ARCHITECTURE = native_platform().architecture
_SAMPLE_SECONDS = 0.01
_DIRECTORY = b"5"  # tarfile.DIRTYPE


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended; ``peak_bytes`` is resident memory of its process tree, if sampled."""

    status: int
    out: str
    err: str
    peak_bytes: int = 0

    @property
    def document(self) -> dict[str, Any]:
        """What ``--json`` printed."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def image(self) -> dict[str, Any]:
        """The only image of a build."""
        (image,) = self.document["images"]
        assert isinstance(image, dict)
        return image


def place_files(source: Path, target: Path) -> None:
    """Make the finished files of ``source`` appear in ``target`` too."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir() if source.is_dir() else ():
        if not path.suffix and not (target / path.name).exists():
            try:
                (target / path.name).hardlink_to(path)
            except OSError:
                shutil.copy2(path, target)


# --- the command line as a process ---


@dataclass(kw_only=True)
class Shell:
    """Runs wheelship in processes; each test says which store.

    Attributes:
        work: a directory that every user may enter; it is removed after the session.
        kept: downloads that new stores begin with.
    """

    work: Path
    kept: Path

    def store(self, name: str) -> Path:
        """Return a new store that holds downloads of earlier builds and nothing else."""
        store = self.work / name
        place_files(self.kept, store / "downloads")
        return store

    def keep(self, store: Path) -> None:
        """Let later stores begin with what ``store`` downloaded."""
        place_files(store / "downloads", self.kept)

    def project(self, name: str, files: Mapping[str, str]) -> Path:
        """Return a new project of these files."""
        root = self.work / name
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root

    def run(
        self,
        *arguments: str | Path,
        store: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        command: Sequence[str] = COMMAND,
        umask: int = -1,
        measured: bool = False,
        status: int = 0,
    ) -> Ran:
        """Run ``wheelship arguments…`` and require its exit status."""
        environ = {**os.environ, "WHEELSHIP_STORE": str(store), **(env or {})}
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            subprocess.Popen(
                [*command, *map(str, arguments)],
                env=environ,
                cwd=cwd or self.work,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                umask=umask,
            ) as process,
        ):
            with peak_of(process.pid) if measured else suppress() as peak:
                process.wait()
            out.seek(0)
            err.seek(0)
            ran = Ran(
                status=process.returncode,
                out=out.read(),
                err=err.read(),
                peak_bytes=peak[0] if peak else 0,
            )
        assert ran.status == status, f"{arguments} ended with {ran.status}:\n{ran.err}\n{ran.out}"
        return ran
