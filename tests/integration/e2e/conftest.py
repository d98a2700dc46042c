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
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wheelship.archive.untar import LayerFile, LayerReader
from wheelship.build.lockfile import write_lock
from wheelship.cli.main import main
from wheelship.cli.services import native_platform
from wheelship.debian.lock import DebianLock, LockedSuite
from wheelship.events import discard
from wheelship.inspect.group import by_kind, by_layer, by_owner, by_path
from wheelship.inspect.model import Contents, Expectation, Sizes
from wheelship.inspect.run import read_contents
from wheelship.inspect.scan.kept import KeptContents
from wheelship.inspect.waste.rules import find_waste
from wheelship.oci.digest import Digest
from wheelship.source.model import SourceLayer
from wheelship.store.store import Store
from wheelship.testing.contents import LayoutOracle
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
        self.fill(store)
        return store

    def fill(self, store: Path) -> None:
        """Give ``store`` the downloads of earlier builds."""
        place_files(self.kept, store / "downloads")

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
            with peak_of(process.pid) if measured else nullcontext([0]) as peak:
                process.wait()
            out.seek(0)
            err.seek(0)
            ran = Ran(status=process.returncode, out=out.read(), err=err.read(), peak_bytes=peak[0])
        assert ran.status == status, f"{arguments} ended with {ran.status}:\n{ran.err}\n{ran.out}"
        return ran


@contextmanager
def peak_of(pid: int) -> Iterator[list[int]]:
    """Sample the memory of a process tree; the list holds the peak, in bytes, at the end."""
    peak = [0]
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            peak[0] = max(peak[0], tree_bytes(pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peak
    finally:
        stop.set()
        sampler.join()


def tree_bytes(pid: int) -> int:
    """Return the resident memory of ``pid`` and its descendants; shared pages count each time.

    A child that has not become another program yet has its parent's memory, not its own (vfork).
    """
    total, pending = 0, [(pid, b"")]
    while pending:
        one, above = pending.pop()
        try:
            command = Path(f"/proc/{one}/cmdline").read_bytes()
            if command != above:
                total += int(Path(f"/proc/{one}/statm").read_text().split()[1])
            for task in Path(f"/proc/{one}/task").iterdir():
                children = (task / "children").read_text().split()
                pending += [(int(child), command) for child in children]
        except (OSError, IndexError):  # it ended meanwhile
            continue
    return total * resource.getpagesize()


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    named = os.environ.get("WHEELSHIP_TEST_STORE")
    with tempfile.TemporaryDirectory(prefix="wheelship-e2e-") as directory:
        work = Path(directory)
        work.chmod(0o755)  # the user of an image unpacked below must get there
        yield Shell(work=work, kept=(Path(named) if named else work / "kept") / "downloads")


# --- every byte of an image ---


@pytest.fixture(scope="session")
def every_byte(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Contents]:
    """Inspect the image of a layout, and require that nothing of it is lost or counted twice.

    What was read of a layer is kept for the session, as the store of a user keeps it.
    """
    kept = KeptContents(Store(tmp_path_factory.mktemp("every-byte")))
    archive_bytes: dict[Digest, int] = {}

    def inspected(layout: Path, tag: str = "") -> Contents:
        source = LayoutOracle(layout=layout, tag=tag)
        contents = read_contents(source, kept=kept, emit=discard, jobs=2)
        views = (by_owner(contents), by_layer(contents), by_kind(contents), by_path(contents, 3))
        for view in views:
            assert sum((row.sizes for row in view.values()), Sizes()) == contents.sizes
        documents = len(source.manifest_bytes) + len(source.config_bytes)
        blobs = sum(layer.descriptor.size_bytes for layer in source.layers)
        assert contents.sizes.transfer == documents + blobs
        for layer in source.layers:
            if layer.diff_id not in archive_bytes:
                archive_bytes[layer.diff_id] = size_of_archive(source, layer)
        archives = sum(archive_bytes[layer.diff_id] for layer in source.layers)
        assert contents.sizes.unpacked == archives
        saved = sum((one.sizes for one in find_waste(contents, Expectation())), Sizes())
        assert saved.unpacked <= contents.sizes.unpacked
        return contents

    return inspected


def size_of_archive(source: LayoutOracle, layer: SourceLayer) -> int:
    """Return the bytes of the archive inside, by what unpacks images."""
    path = source.layout / "blobs/sha256" / layer.descriptor.digest.hex
    file = LayerFile(path=path, diff_id=layer.diff_id)
    with LayerReader(file, limit_bytes=1 << 40) as reader:
        for _ in reader.members():
            pass
        return reader.tell()


# --- a site of its own ---


def base_of(architecture: str) -> tuple[MadeDeb, ...]:
    """Return the packages of a base; its Python is one by name only."""
    folders = ("etc", "usr", "usr/bin", "usr/lib", "tmp")
    members = [TarMember(f"./{path}/", mode=0o755, kind=_DIRECTORY) for path in folders]
    program = b"\x7fELF" if architecture == ARCHITECTURE else b"\x7fELF of " + architecture.encode()
    return (
        make_deb("base-files", architecture=architecture, members=members),
        make_deb(
            "python3.11-minimal", architecture=architecture, files={"usr/bin/python3.11": program}
        ),
    )


BASE = base_of(ARCHITECTURE)

NOISE = random.Random(0).randbytes(60_000)
"""Content that no codec makes smaller: the wheel does not fit into one buffer."""

_DEMO = """
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.11"
dependencies = [{requirements}]

[tool.wheelship]
python = "3.11"
bytecode = "none"
command = ["demo"]
index = "{index}"
debian-mirror = "{mirror}"
{table}
"""


@dataclass(kw_only=True)
class Site:
    """A project called demo, with an index for its wheels and a mirror for its base.

    Attributes:
        root: of the project.
        store: the directory; it holds nothing yet.
        index: serves the wheels in ``index.files`` and, as documents, the Debian packages.
    """

    root: Path
    store: Path
    index: PackageIndex
    capsys: pytest.CaptureFixture[str]

    def project(self, *requirements: str, table: str = "") -> None:
        """Write the project; it requires ``requirements``."""
        text = _DEMO.format(
            requirements=", ".join(f'"{one}"' for one in requirements),
            index=self.index.simple_url,
            mirror=f"{self.index.url}/debian",
            table=table,
        )
        (self.root / "pyproject.toml").write_text(text)
        (self.root / "demo.py").write_text("value = 1\n")

    def serve(self, *wheels: MadeWheel) -> None:
        """Offer wheels."""
        for wheel in wheels:
            wheel.write(self.index.files)

    def base(self, *system: MadeDeb) -> None:
        """Lock a base of made packages, with ``system`` asked for beyond it, and offer them."""
        write_lock(self.root / "wheelship.lock", [self._base(ARCHITECTURE, system)])

    def bases(self, *architectures: str) -> None:
        """Lock bases for several architectures, and offer their packages."""
        write_lock(self.root / "wheelship.lock", [self._base(one) for one in architectures])

    def _base(self, architecture: str, system: Sequence[MadeDeb] = ()) -> DebianLock:
        base = base_of(architecture)
        packages = [deb.locked() for deb in base]
        packages += [deb.locked(group="system", requested=True) for deb in system]
        for deb in (*base, *system):
            self.index.documents[f"/debian/{deb.filename}"] = deb.data
        suite = LockedSuite(name="bookworm", archive="main", date="2026-07-01T00:00:00Z")
        return DebianLock(
            release="bookworm",
            architecture=architecture,
            suites=(suite,),
            packages=tuple(sorted(packages, key=lambda one: one.name)),
        )

    def run(self, *arguments: str, status: int = 0, prefix: Sequence[str] = ()) -> Ran:
        """Run ``wheelship arguments…`` and require its exit status.

        It runs in this process, unless there is a ``prefix``: a program that runs another one.
        """
        self.capsys.readouterr()
        if prefix:
            process = self.spawn(*arguments, prefix=prefix)
            out, err = process.communicate()
            ran = Ran(status=process.returncode, out=out, err=err)
        else:
            found = main([*arguments])
            shown = self.capsys.readouterr()
            ran = Ran(status=found, out=shown.out, err=shown.err)
        assert ran.status == status, f"{arguments} ended with {ran.status}:\n{ran.err}\n{ran.out}"
        return ran

    def spawn(self, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start ``wheelship arguments…`` as a process of its own."""
        return subprocess.Popen(
            [*prefix, *COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def lock(self) -> None:
        """Lock the wheels; the base is locked already."""
        self.run("lock", str(self.root), "--quiet")

    def build(self, *options: str) -> dict[str, Any]:
        """Build the project and return the image of its report."""
        return self.run("build", str(self.root), "--json", *options).image

    def refuse(
        self,
        *arguments: str,
        code: str,
        status: int,
        says: Sequence[str] = (),
        hinted: bool = True,
        prefix: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Require that a command fails as a user deserves it, and return the error.

        It has its code and status, names the culprit, offers a fix, and leaves the project, the
        layout and the store as good as they were. Not ``hinted``: what is wrong says how to fix it.
        """
        before = tree_of(self.root)
        ran = self.run(*arguments, "--json", status=status, prefix=prefix)
        error = ran.document["error"]
        assert error["code"] == code, error
        assert error["exit_status"] == status
        text = f"{error['where']}: {error['message']}"
        for word in says:
            assert word in text, f"{word!r} is not in {text!r}"
        hints = [one["hint"] for one in error.get("findings", ())] or [error["hint"]]
        assert all(hints) or not hinted, f"no hint: {error}"
        assert "Traceback" not in ran.err
        assert tree_of(self.root) == before, "the project changed"
        self.require_sound_store()
        assert isinstance(error, dict)
        return error

    def require_sound_store(self) -> None:
        """Require that no unfinished work is left and that every file is what its name says."""
        assert list(self.store.glob("tmp/*")) == []
        for path in (*self.store.glob("blobs/sha256/*"), *self.store.glob("downloads/*")):
            if path.suffix != ".partial":
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name

    def blobs(self) -> set[str]:
        """Return the names of the layers in the store."""
        return {path.name for path in self.store.glob("blobs/sha256/*")}


def tree_of(root: Path) -> dict[str, bytes]:
    """Return the files below ``root``, with their content."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Site]:
    for name in list(os.environ):
        if name.upper().startswith(("PIP_", "UV_", "WHEELSHIP_")) or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)
    for name in ("root", "wheels", "home"):
        (tmp_path / name).mkdir()
    with PackageIndex(tmp_path / "wheels") as index:
        settings = {
            "WHEELSHIP_STORE": str(tmp_path / "store"),
            "HOME": str(tmp_path / "home"),
            "XDG_CONFIG_DIRS": str(tmp_path / "home"),
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(tmp_path / "uv"),
            # Whoever asks for another address asks this server, which does not know it.
            "http_proxy": index.url,
            "https_proxy": index.url,
            "no_proxy": "127.0.0.1",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(tmp_path)
        made = Site(root=tmp_path / "root", store=tmp_path / "store", index=index, capsys=capsys)
        made.serve(make_wheel("alpha", files={"alpha/__init__.py": b"", "alpha/data": NOISE}))
        made.project("alpha")
        made.base()
        yield made
