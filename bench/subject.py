# SPDX-License-Identifier: Apache-2.0
"""What is built: a project in a place of its own, its wheels, and the changes made to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wheels import LockedFile, collect, link, locked_files, new_version
from wheelship.cli.services import native_platform

__all__ = ["SUBJECTS", "WORK", "Project", "Subject"]

# Not below /tmp, which may be memory: gigabytes, kept for the next run.
WORK = Path("/var/tmp/wheelship-bench")  # noqa: S108 - every program names the same place

_HERE = Path(__file__).resolve().parent
_PARTS = ("heavy", "light")
_MADE = ("dist", "pylock.*", "wheelship.lock", ".venv", "__pycache__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A project to build.

    Attributes:
        light, heavy: the packages whose version changes; ``heavy`` is required once, by version.
        apart: which packages the Dockerfile's ``split`` keeps in a layer of their own.
        source: the file that gets another line.
        disk_bytes: free disk that a pass takes at most, most of it Docker's.
    """

    name: str
    title: str
    origin: Path
    variant: str
    light: str
    heavy: str
    apart: re.Pattern[str]
    source: str
    disk_bytes: int


SUBJECTS = {
    one.name: one
    for one in (
        Subject(
            name="speech",
            title="speech service, CPU",
            origin=_HERE.parent / "examples" / "speech-service",
            variant="cpu",
            light="anyio",
            heavy="torch",
            apart=re.compile("torch"),
            source="src/speech_service/app.py",
            disk_bytes=15_000_000_000,
        ),
        Subject(
            name="cuda",
            title="torch 2.15, CUDA",
            origin=_HERE / "projects" / "cuda",
            variant="cuda",
            light="filelock",
            heavy="torch",
            apart=re.compile("torch|triton|(nvidia|cuda)-.*"),
            source="src/cuda_service/__main__.py",
            disk_bytes=50_000_000_000,
        ),
        Subject(
            name="tiny",
            title="two small wheels",
            origin=_HERE / "projects" / "tiny",
            variant="cpu",
            light="anyio",
            heavy="pyyaml",
            apart=re.compile("pyyaml"),
            source="src/tiny_service/__main__.py",
            disk_bytes=2_000_000_000,
        ),
    )
}


def only_for(platform: str) -> Callable[[str], str]:
    """Return the change to one platform: wheels for others are not at hand."""
    line = f'platforms = ["{platform}"]'
    return lambda text: re.sub(r"^platforms = .*$", line, text, flags=re.MULTILINE)


def pinned(package: str, version: str) -> Callable[[str], str]:
    """Return the change of the one requirement of ``package`` to exactly ``version``."""
    required = re.compile(rf'"{package}\s*[=<>~!][^"]*"')

    def change(text: str) -> str:
        changed, count = required.subn(f'"{package}=={version}"', text)
        assert count == 1, f"{count} requirements of {package}"
        return changed

    return change


class Project:
    """A copy of a subject in ``directory``, locked to wheels that lie in directories beside it.

    What takes the network (wheels, Debian packages) is kept in ``kept`` for the next run.

    Attributes:
        environ: the environment of wheelship, which gets wheels from these directories only.
        store: wheelship's store.
        wheels: where its wheels are, in the directories ``heavy`` and ``light``.
    """

    def __init__(self, subject: Subject, directory: Path, kept: Path, found: Path | None) -> None:
        self.subject = subject
        self.root = directory / "project"
        self.store = kept / "store"
        self.wheels = directory / "wheels"
        self._program = str(Path(sys.executable).with_name("wheelship"))
        shutil.copytree(subject.origin, self.root, ignore=shutil.ignore_patterns(*_MADE))
        self._edit(only_for(str(native_platform())))
        self.environ = {**os.environ, "WHEELSHIP_STORE": str(self.store)}
        if not (kept / "complete").exists():
            self._fetch(kept, found)
        places = []
        for part in _PARTS:
            places.append(self.wheels / part)
            places[-1].mkdir(parents=True)
            for wheel in (kept / part).iterdir():
                link(wheel, places[-1] / wheel.name)
        for name in (self.lock.name, "wheelship.lock"):  # begin with the versions of the first run
            shutil.copyfile(kept / name, self.root / name)
        self.environ["PIP_NO_INDEX"] = "1"
        self.environ["PIP_FIND_LINKS"] = " ".join(str(place) for place in places)
        self._wheelship("lock", "--quiet")

    @property
    def lock(self) -> Path:
        """The lock of the wheels."""
        return self.root / f"pylock.{self.subject.variant}.toml"

    def files(self) -> list[LockedFile]:
        """Return the wheels that are locked now."""
        return locked_files(self.lock)

    def command(self, *options: str) -> list[str]:
        """Return the command that builds what is locked."""
        variant = self.subject.variant
        fixed = ["--variant", variant, "--locked", "--quiet", "--json"]
        return [self._program, "build", str(self.root), *fixed, *options]

    def change_line(self, number: int) -> None:
        """Add a line to the source."""
        with (self.root / self.subject.source).open("a") as file:
            file.write(f"# {number}\n")

    def bump_light(self, number: int) -> None:
        """Lock another release of the light package."""
        self._bump(self.subject.light, number)

    def bump_heavy(self, number: int) -> None:
        """Require and lock another release of the heavy package."""
        release = self._bump(self.subject.heavy, number, lock=False)
        self._edit(pinned(self.subject.heavy, release))
        self._wheelship("lock", "--quiet")

    def _edit(self, change: Callable[[str], str]) -> None:
        pyproject = self.root / "pyproject.toml"
        pyproject.write_text(change(pyproject.read_text()))

    def _bump(self, name: str, number: int, *, lock: bool = True) -> str:
        """Make a new release of ``name`` and return its version without the label."""
        (now,) = (one for one in self.files() if one.name == name)
        public, plus, label = now.version.partition("+")
        release = f"{public.partition('.post')[0]}.post{number}"
        place = self.wheels / _PARTS[0 if self.subject.apart.fullmatch(name) else 1]
        new_version(place / now.file_name, f"{release}{plus}{label}", place)
        if lock:
            self._wheelship("lock", "--quiet", "--upgrade-package", name)
        return release

    def _fetch(self, kept: Path, found: Path | None) -> None:
        """Resolve and build once, then sort the wheels into the two directories."""
        sys.stderr.write(f"{self.subject.name}: fetching wheels and packages, once\n")
        if found is not None:
            self.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(found)}
        self._wheelship("build", "--quiet")
        heavy, light = (kept / part for part in _PARTS)
        files = self.files()
        apart = [one for one in files if self.subject.apart.fullmatch(one.name)]
        collect(apart, self.store / "downloads", heavy)
        collect([one for one in files if one not in apart], self.store / "downloads", light)
        for lock in (self.lock, self.root / "wheelship.lock"):
            shutil.copyfile(lock, kept / lock.name)
        (kept / "complete").touch()

    def _wheelship(self, verb: str, *options: str) -> None:
        command = [self._program, verb, str(self.root), "--variant", self.subject.variant, *options]
        ended = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr}")
