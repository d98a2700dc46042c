# SPDX-License-Identifier: Apache-2.0
"""What we make of real wheels is what uv installs, file by file, but for a written list.

Compared are path, bytes and executable bit. uv installs into a virtual environment of the running
Python, one per wheel. Our entries name the same prefix, so even the scripts' first lines agree.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import subprocess
import sys
import tempfile
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

from wheelship.archive.layer import with_parents
from wheelship.testing.layer import Found, read_layer, write_layer
from wheelship.testing.wheel import make_wheel
from wheelship.wheel.environment import Environment
from wheelship.wheel.install import installed_entries
from wheelship.wheel.reader import open_wheel
from wheelship.wheel.script import parse_scripts

pytestmark = pytest.mark.integration

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"lib/python{PYTHON}/site-packages"

# Small wheels of many makers and years; together about 40 MB.
REQUIREMENTS = [
    "bcrypt==4.2.0",  # abi3
    "black==24.10.0",  # compiled by mypyc, two scripts
    "certifi==2024.8.30",
    "cffi==1.17.1",  # entry points of another group
    "click==8.1.7",
    "cryptography==43.0.3",  # abi3, large libraries
    "docutils==0.16",  # many .data/scripts with placeholder lines
    "Flask==2.2.5",  # upper case
    "googleapis-common-protos==1.65.0",  # namespace package
    "greenlet==3.1.1",  # .data/headers
    "ipykernel==6.29.5",  # .data/data
    "jaraco.functools==4.1.0",
    "Jinja2==3.0.3",
    "MarkupSafe==3.0.2",
    "meson==1.6.0",  # .data/data with a manual page
    "ninja==1.11.1.1",  # .data/scripts with a binary
    "numpy==2.1.3",
    "pip==24.3.1",
    "protobuf==3.20.3",  # nspkg.pth
    "psutil==6.1.0",
    "psycopg2-binary==2.9.10",  # libraries beside the package
    "pybind11-global==2.13.6",  # .data/headers and .data/data
    "Pygments==2.18.0",
    "PyMySQL==1.1.1",
    "pytz==2019.1",  # a zip-safe marker of another age
    "PyYAML==6.0.2",
    "ruamel.yaml==0.17.21",  # a dot in its directory's name
    "setuptools==75.6.0",
    "six==1.16.0",
    "sphinxcontrib-jsmath==1.0.1",
    "SQLAlchemy==2.0.36",
    "tzdata==2024.2",
    "uvicorn==0.32.1",
    "virtualenv==20.28.0",  # wheels inside the wheel
    "wheel==0.45.1",
    "widgetsnbextension==4.0.13",
    "XlsxWriter==1.2.0",  # one .data/scripts
    "zope.event==4.6",
    "zope.interface==7.2",
]

# Differences in the .dist-info directory, each with its reason.
DIFFERENT_CONTENT = {
    "INSTALLER": "names who installed: uv, or us",
    "RECORD": "its rows follow from the other differences; its truth is checked below",
}
ONLY_UV = {
    "REQUESTED": "says that the user named the package; a lock's packages are all alike",
    "direct_url.json": "says which local file it came from; an image must not know that",
    "uv_cache.json": "uv's own note",
}
ONLY_UV_SCRIPTS = {
    f"bin/pip{PYTHON}": "a name that uv and pip add to pip's own scripts; its wheel has none",
}


@dataclass(frozen=True)
class Installed:
    data: bytes
    executable: bool


@pytest.fixture(scope="session")
def wheels(missing: Callable[[str], None]) -> Path:
    """Return a directory with all wheels, fetched once per machine."""
    digest = hashlib.sha256("\n".join([PYTHON, *REQUIREMENTS]).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir(), f"wheelship-parity-{digest}")
    complete = folder / "complete"
    if complete.exists():
        return folder
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), *REQUIREMENTS]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    if result.returncode != 0:
        missing(f"the package index does not answer: {result.stderr[-500:]}")
    complete.touch()
    return folder


def run_uv(*arguments: str | Path, cache: Path) -> None:
    command = [uv.find_uv_bin(), *map(str, arguments)]
    command += ["--quiet", "--no-config", "--offline", "--cache-dir", str(cache)]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    assert result.returncode == 0, result.stderr


def files_below(root: Path) -> dict[str, Installed]:
    return {
        path.relative_to(root).as_posix(): Installed(
            path.read_bytes(), bool(path.stat().st_mode & 0o111)
        )
        for path in root.rglob("*")
        if path.is_file()
    }


def installed_by_uv(wheel: Path, root: Path, cache: Path) -> dict[str, Installed]:
    """Install with uv and return what that added to the environment."""
    run_uv("venv", "--python", sys.executable, root, cache=cache)
    before = files_below(root)
    run_uv(
        *("pip", "install", "--no-deps", "--no-index", "--link-mode", "copy"),
        *("--python", root / "bin/python", wheel),
        cache=cache,
    )
    after = files_below(root)
    assert {path: after.get(path) for path in before} == before
    before |= {".lock": after[".lock"]}  # uv's guard against a second uv
    return {path: one for path, one in after.items() if path not in before}


def installed_by_us(wheel: Path, root: Path) -> dict[str, Installed]:
    """Write a layer and return what another reader finds in it."""
    environment = Environment(python=PYTHON, prefix=str(root))
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with open_wheel(wheel, wheel.name, sha256=sha256) as opened:
        blob, _ = write_layer(with_parents(installed_entries(opened, environment)))
    return {
        path.removeprefix(environment.root + "/"): Installed(one.data, bool(one.mode & 0o111))
        for path, one in read_layer(blob).items()
        if _is_file(one)
    }


def _is_file(one: Found) -> bool:
    return one.kind == b"0"


def is_info(path: str, names: Container[str]) -> bool:
    """Tell a file of the wheel's own ``.dist-info``; vendored packages have theirs deeper down."""
    folder, name = posixpath.split(path)
    return posixpath.dirname(folder) == SITE and folder.endswith(".dist-info") and name in names


def shipped_bytecode(path: str) -> bool:
    """Bytecode beside its source; in a layer, whose times differ, it would be stale."""
    return "/__pycache__/" in path and path.endswith(".pyc")


def entry_points(files: dict[str, Installed]) -> set[str]:
    """Return the paths of the scripts made for entry points, whose text each installer words."""
    for path, one in files.items():
        if is_info(path, {"entry_points.txt"}):
            points = parse_scripts(one.data.decode(), path)
            return {f"bin/{point.name}" for point in points}
    return set()


def first_line(one: Installed) -> bytes:
    return one.data.partition(b"\n")[0]


def compare(wheel: Path, folder: Path, cache: Path) -> dict[str, Installed]:
    root = folder / "environment"
    theirs = installed_by_uv(wheel, root, cache)
    ours = installed_by_us(wheel, root)
    expected = {
        path: one
        for path, one in theirs.items()
        if not is_info(path, ONLY_UV) and path not in ONLY_UV_SCRIPTS and not shipped_bytecode(path)
    }
    assert set(ours) == set(expected)
    scripts = entry_points(ours)
    assert scripts <= set(ours)
    for path, one in ours.items():
        other = expected[path]
        assert one.executable == other.executable, path
        if path in scripts:
            assert first_line(one) == first_line(other), path
        elif not is_info(path, DIFFERENT_CONTENT):
            assert one.data == other.data, path
    check_record(ours)
    return ours


def check_record(files: dict[str, Installed]) -> None:
    """Recording installed projects: every file is listed, with its hash and size."""
    (record,) = [path for path in files if is_info(path, {"RECORD"})]
    rows = csv.reader(io.StringIO(files[record].data.decode()))
    listed = {posixpath.normpath(f"{SITE}/{path}"): (hashed, size) for path, hashed, size in rows}
    assert set(listed) == set(files)
    assert listed.pop(record) == ("", "")
    for path, (hashed, size) in listed.items():
        algorithm, _, encoded = hashed.partition("=")
        digest = hashlib.new(algorithm, files[path].data).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == encoded, path
        assert int(size) == len(files[path].data), path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: uv changes how a script starts when the interpreter's path is long."""
    with tempfile.TemporaryDirectory(prefix="parity-") as name:
        yield Path(name)


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_real_wheel_installs_as_uv_installs_it(
    requirement: str, wheels: Path, folder: Path, cache: Path
) -> None:
    """STYLE §2.16, parity: the layer's listing equals what the reference installer makes."""
    name, _, version = requirement.partition("==")
    wanted = name.replace("-", "_").replace(".", "_").lower() + "-" + version
    (wheel,) = [
        path
        for path in wheels.glob("*.whl")
        if path.name.lower().replace(".", "_").startswith(wanted.replace(".", "_") + "-")
    ]
    compare(wheel, folder, cache)


def test_a_wheel_of_everything_installs_as_uv_installs_it(folder: Path, cache: Path) -> None:
    """What the real wheels do not happen to hold."""
    data = "Demo.Pkg-1.0.data"
    files = {
        "demo/__init__.py": b"",
        "demo/sourceless.pyc": b"",
        "demo/__pycache__/__init__.cpython-311.pyc": b"stale",
        "demo/data, with comma.txt": b"",
        "demo/ünïcode.txt": b"",
        "other.data/scripts/kept": b"",
        f"{data}/purelib/demo/pure.py": b"",
        f"{data}/platlib/demo/plat.py": b"",
        f"{data}/headers/demo.h": b"",
        f"{data}/headers/sub/demo.h": b"",
        f"{data}/data/share/man/demo.1": b"",
        f"{data}/data/bin/helper": b"#!python\n",
        f"{data}/data/bin/run": b"#!/bin/sh\n",
        f"{data}/scripts/sh": b"#!/bin/sh\n",
        f"{data}/scripts/binary": b"\x7fELF" + bytes(5000),
        f"{data}/scripts/empty": b"",
    }
    lines = (b"#!python", b"#!pythonw", b"#!python3", b"#!python -E", b"#!python\r", b"#! python")
    for number, line in enumerate(lines):
        files[f"{data}/scripts/first{number}"] = line + b"\nprint(1)\n"
        files[f"{data}/scripts/only{number}"] = line
    modes = {f"{data}/data/bin/run": 0o755, "demo/data, with comma.txt": 0o751}
    scripts = {"demo": "demo:main", "Demo-2.x": "demo.cli:App.run [extra]"}
    made = make_wheel("Demo.Pkg", files=files, modes=modes, console_scripts=scripts)
    ours = compare(made.write(folder), folder, cache)
    assert "bin/Demo-2.x" in ours
    assert f"{SITE}/demo/ünïcode.txt" in ours
