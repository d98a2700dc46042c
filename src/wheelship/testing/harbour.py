# SPDX-License-Identifier: Apache-2.0
"""A whole project of made parts: what fault and reproducibility tests build again and again.

Its wheels and packages are served from loopback, its locks are written without uv, and its base
holds a loader that starts this machine's Python, so that bytecode is compiled for real in
milliseconds. The sources are chosen so that bytecode gives away a hash seed that is not fixed, and
an environment that leaks into the compiler.
"""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from wheelship.build.lockfile import write_lock as write_debian_lock
from wheelship.cli.services import native_platform
from wheelship.debian.lock import DebianLock, LockedSuite
from wheelship.lock.document import lock_path, render_lock, write_lock
from wheelship.lock.inputs import lock_inputs
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.request.read import read_request
from wheelship.testing.deb import MadeDeb, TarMember, make_deb
from wheelship.testing.ground import Ground
from wheelship.testing.index import PackageIndex
from wheelship.testing.wheel import MadeWheel, make_wheel

__all__ = ["REVEALING", "WHEELS", "Harbour", "real_ground"]

PYTHON = "3.11"

REVEALING = (
    b'''"""Bytecode of this module gives its compiler's surroundings away."""

WORDS = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}
NUMBER = '''
    + b"7" * 700
    + b"""


def known(word):
    assert word
    return word in {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}
"""
)
"""A constant set is stored in the order of its hashes; a number of 700 digits compiles unless
PYTHONINTMAXSTRDIGITS forbids it; positions are left out under PYTHONNODEBUGRANGES."""

NOISE = random.Random(0).randbytes(60_000)  # noqa: S311 - content, not a secret
"""Content that no codec makes smaller: the wheel does not fit into one buffer."""

WHEELS = (
    make_wheel("alpha", files={"alpha/__init__.py": REVEALING, "alpha/data": NOISE}),
    make_wheel("beta", requires=["alpha"], console_scripts={"beta": "beta:main"}),
    make_wheel("gamma", files={"gamma/__init__.py": b"value = 3\n", "gamma/ünï.txt": b"x" * 5000}),
)

_PROJECT = """
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.11"
dependencies = [{requirements}]

[project.scripts]
demo = "demo:main"

[tool.wheelship]
python = "3.11"
bytecode = "{bytecode}"
command = ["demo"]
index = "{index}"
debian-mirror = "{mirror}"
system-packages = ["libextra1"]
port = 8000
writable = ["/data"]
"""

_LOADER = """#!/bin/sh
shift 3
unset PYTHONHOME
exec {python} "$@"
"""


class Harbour:
    """A context manager; everything lies below ``work``, and the index runs while it is entered.

    Attributes:
        root: of the project called demo; it can be replaced by another copy.
        store: directory of the store; it holds nothing yet.
        index: serves the wheels and, as documents, the Debian packages.
    """

    def __init__(self, work: Path, *, bytecode: str = "all") -> None:
        self.work = work
        self.bytecode = bytecode
        self.root = work / "root"
        self.store = work / "store"
        (work / "wheels").mkdir(parents=True)
        (work / "home").mkdir()
        self.index = PackageIndex(work / "wheels")

    def __enter__(self) -> Self:
        self.index.__enter__()
        for wheel in WHEELS:
            wheel.write(self.index.files)
        for deb in _packages():
            self.index.documents[f"/debian/{deb.filename}"] = deb.data
        self.project(self.root)
        return self

    def __exit__(self, *error: object) -> None:
        self.index.__exit__(*error)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a build: nothing of this process but its PATH."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.work / "home"),
            "WHEELSHIP_STORE": str(self.store),
            "PIP_CONFIG_FILE": os.devnull,
            "XDG_CONFIG_DIRS": str(self.work / "home"),
            "LC_ALL": "C.UTF-8",
            # Whoever asks for another address asks this server, which does not know it.
            "http_proxy": self.index.url,
            "https_proxy": self.index.url,
            "no_proxy": "127.0.0.1",
        }

    def project(
        self,
        root: Path,
        wheels: tuple[MadeWheel, ...] = WHEELS,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write a project that requires ``wheels`` into ``root``, with its locks."""
        root.mkdir(parents=True, exist_ok=True)
        names = [wheel.filename.partition("-")[0] for wheel in wheels]
        (root / "pyproject.toml").write_text(
            _PROJECT.format(
                requirements=", ".join(f'"{name}"' for name in names),
                bytecode=self.bytecode,
                index=self.index.simple_url,
                mirror=f"{self.index.url}/debian",
            )
        )
        sources = {"demo/__init__.py": REVEALING, "demo/b.py": b"b = 2\n", "demo/a.txt": b"a\n"}
        for path, data in (sources | dict(files or {})).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        native = native_platform()
        request = read_request(root, native=native)
        variant = request.variants["cpu"]
        target = Target(python=PYTHON, platform=native)
        locked = [self._locked(wheel) for wheel in wheels]
        inputs = lock_inputs(request.project, variant)
        write_lock(lock_path(root, "cpu"), render_lock(inputs, {target: locked}, root))
        write_debian_lock(root / "wheelship.lock", [_debian_lock()])

    def _locked(self, wheel: MadeWheel) -> LockedWheel:
        name, version = wheel.filename.split("-")[:2]
        return LockedWheel(
            name=name,
            version=version,
            filename=wheel.filename,
            sha256=wheel.sha256,
            size_bytes=len(wheel.data),
            url=self.index.file_url(wheel.filename),
        )


def _debian_lock() -> DebianLock:
    *base, system = _packages()
    packages = [deb.locked() for deb in base]
    packages.append(system.locked(group="system", requested=True))
    return DebianLock(
        release="bookworm",
        architecture=native_platform().architecture,
        suites=(LockedSuite(name="bookworm", archive="main", date="2026-07-01T00:00:00Z"),),
        packages=tuple(sorted(packages, key=lambda one: one.name)),
    )


def _packages() -> tuple[MadeDeb, ...]:
    """Return the base's packages and, last, a system package."""
    architecture = native_platform().architecture
    loader = {"amd64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}[architecture]
    library = f"usr/lib/{native_platform().machine}-linux-gnu"
    system = Path("/usr/bin/python3")  # which every user may start
    python = shlex.quote(str((system if system.exists() else Path(sys.executable)).resolve()))
    return (
        make_deb(
            "base-files",
            architecture=architecture,
            members=_directories("etc", "usr", "usr/bin", "usr/lib", "tmp"),
        ),
        make_deb(
            "libc6",
            architecture=architecture,
            members=[
                *_directories("usr", "usr/lib", library),
                TarMember(f"./{library}/{loader}", _LOADER.format(python=python).encode(), 0o755),
            ],
        ),
        make_deb(
            "python3.11-minimal",
            architecture=architecture,
            files={
                "usr/bin/python3.11": b"\x7fELF",
                "usr/lib/python3.11/revealing.py": REVEALING,
                "usr/lib/python3.11/json/__init__.py": b"loads = {'a', 'b', 'c'}\n",
            },
        ),
        make_deb(
            "libextra1", architecture=architecture, files={"usr/lib/libextra.so.1": NOISE[:9000]}
        ),
    )


def _directories(*paths: str) -> list[TarMember]:
    return [TarMember(f"./{path}/", mode=0o755, kind=tarfile.DIRTYPE) for path in paths]


_REAL = """
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["alpha", "gamma"]

[tool.wheelship]
python = "3.11"
command = ["python", "-m", "demo"]
find-links = ["wheels"]
"""


def real_ground(work: Path, environ: Mapping[str, str], kept: Path) -> tuple[Ground, Path]:
    """Return a project on Debian's own base and the layout of its first build; needs network.

    It is locked from this machine's mirror. The store ``kept`` holds the downloads, which may be
    there already; later builds need no others.
    """
    root = work / "project"
    (root / "wheels").mkdir(parents=True)
    (root / "demo").mkdir()
    (root / "pyproject.toml").write_text(_REAL)
    (root / "demo" / "__init__.py").write_bytes(REVEALING)
    for wheel in WHEELS:
        wheel.write(root / "wheels")
    environment = {name: value for name, value in environ.items() if name != "WHEELSHIP_STORE"}
    command = [sys.executable, "-P", "-m", "wheelship.cli.main", "build", str(root), "-q"]
    subprocess.run([*command, "--store", str(kept)], env=environment, check=True)

    def fill(store: Path) -> None:
        shutil.copytree(kept / "downloads", store / "downloads", copy_function=_link_or_copy)

    ground = Ground(root=root, work=work, environment=environment, fill=fill)
    return ground, root / "dist" / "demo"


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
