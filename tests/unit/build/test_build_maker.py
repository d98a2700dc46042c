# SPDX-License-Identifier: Apache-2.0
"""Whose interpreter compiles, what the lock holds of it, and that machines do not fight over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from wheelship.base.errors import BaseLacksPlatform
from wheelship.base.locking import lock_image
from wheelship.base.model import AbsentImage
from wheelship.base.source import FoundImage
from wheelship.build import bases
from wheelship.build.foundation import debian_lock
from wheelship.build.lockfile import LOCK_NAME, InvalidLockFile, LockFile, read_lock, write_lock
from wheelship.build.maker import find_debian_maker, lock_makers, maker_of
from wheelship.build.model import Surroundings
from wheelship.build.workshop import ForeignInterpreter, Workshop
from wheelship.debian import resolve as resolving
from wheelship.debian.lock import DebianLock, LockedPackage, LockedSuite
from wheelship.errors import InputError
from wheelship.events import Event, Warned, discard
from wheelship.lock.errors import LockOutOfDate
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.platform import Platform
from wheelship.plan.interpreter import interpreter_build
from wheelship.registry.errors import PlatformMissing
from wheelship.request.model import (
    Accelerator,
    Budget,
    Check,
    Project,
    Request,
    Sources,
    Variant,
)
from wheelship.testing.base import BASE_FILES, MadeBase, make_program

AMD64, ARM64 = Platform("amd64"), Platform("arm64")
BASE = "registry.example.org/team/base:1"


def debian(architecture: str, version: str = "3.11.2-6", *system: str) -> DebianLock:
    names = ["python3.11-minimal", *system]
    packages = [
        LockedPackage(
            name=name,
            version=version,
            architecture=architecture,
            archive="main",
            filename=f"pool/{name}_{version}_{architecture}.deb",
            sha256=f"{len(name) + len(architecture):064x}",
            size_bytes=1,
            source=name,
            source_version=version,
            group="system" if name in system else "base",
            requested=name in system,
        )
        for name in sorted(names)
    ]
    suite = LockedSuite(name="bookworm", archive="main", date="2026-07-01T00:00:00Z")
    return DebianLock(
        release="bookworm", architecture=architecture, suites=(suite,), packages=tuple(packages)
    )


def request_in(root: Path, **changes: Any) -> Request:
    variant = Variant(
        name="cpu",
        accelerator=Accelerator.CPU,
        platforms=(ARM64,),
        python="3.11",
        omit={},
        sources=Sources(),
        env={},
        labels={},
        check=Check(),
        budget=Budget(),
    )
    project = Project(
        root=root,
        name="demo",
        version="1",
        requires_python=None,
        dependencies=(),
        extras={},
        groups={},
        scripts={},
        config_file=None,
    )
    return Request(
        project=project, variants={"cpu": replace(variant, **changes)}, default_variant="cpu"
    )


class Archive:
    """Stands for Debian's archive: resolves to ``version``, and remembers for whom."""

    def __init__(self) -> None:
        self.version = "3.11.2-6"
        self.asked: list[str] = []

    def resolve(
        self, release: str, architecture: str, system: tuple[str, ...], *_: object, **__: object
    ) -> DebianLock:
        assert release == "bookworm"
        self.asked.append(architecture)
        return debian(architecture, self.version, *system)


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    archive = Archive()
    monkeypatch.setattr(resolving, "resolve", archive.resolve)
    return archive


@pytest.fixture
def around(yard: Any) -> Surroundings:
    class Fetcher:
        fetch_bytes = None

    return Surroundings(
        store=yard.store,
        emit=yard.events.append,
        environ={},
        fetcher=cast("Any", Fetcher),
        machine=cast("Any", None),
        apt=None,
        now=datetime(2026, 7, 1, tzinfo=UTC),
        created="1980-01-01T00:00:00Z",
        offline=False,
        registry=cast("Any", None),
    )


def locked(root: Path) -> LockFile:
    return read_lock(root / LOCK_NAME)


def rows(root: Path) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.architecture, one.requested) for one in locked(root).debian]


def warnings(events: list[Event]) -> list[str]:
    return [one.code for one in events if isinstance(one, Warned)]


# --- Debian ---


def test_of_several_bases_the_one_locked_together_compiles() -> None:
    plain, with_gomp = debian("amd64"), debian("amd64", "3.11.2-6", "libgomp1")
    others = [debian("arm64"), replace(plain, release="trixie")]
    entries = [with_gomp, plain, *others]
    assert find_debian_maker(entries, "bookworm", "amd64", ("libgomp1",)) is with_gomp
    assert find_debian_maker(entries, "bookworm", "amd64", ()) is plain
    assert find_debian_maker(entries, "bookworm", "amd64", ("git",)) is plain
    assert find_debian_maker([with_gomp], "bookworm", "amd64", ("git",)) is with_gomp
    assert find_debian_maker(others, "bookworm", "amd64", ()) is None


def test_an_image_of_this_machine_compiles_for_itself(
    around: Surroundings, archive: Archive, tmp_path: Path
) -> None:
    request = request_in(tmp_path)
    variant = request.variants["cpu"]
    native = maker_of(request, variant, debian("arm64"), ARM64, around, mode="locked")
    assert (native.foundation, native.left_out, native.written) == (None, None, False)
    none = replace(variant, bytecode="none")
    assert maker_of(request, none, debian("arm64"), AMD64, around, mode="locked") == native
    assert archive.asked == []


def test_what_compiles_is_locked_once_and_then_required(
    around: Surroundings, archive: Archive, tmp_path: Path
) -> None:
    request = request_in(tmp_path, system_packages=("libgomp1",))
    variant = request.variants["cpu"]
    base, _ = debian_lock(request, variant, ARM64, around, mode="update")
    assert rows(tmp_path) == [("arm64", ("libgomp1",))]
    for mode in ("locked", "frozen"):
        with pytest.raises(LockOutOfDate, match="bookworm for linux/amd64, whose Python") as caught:
            maker_of(request, variant, base, AMD64, around, mode=mode)  # type: ignore[arg-type]
        assert "wheelship lock" in (caught.value.hint or "")
        assert 'bytecode = "none"' in (caught.value.hint or "")
    made = maker_of(request, variant, base, AMD64, around, mode="update")
    assert (made.foundation, made.written) == (debian("amd64"), True)
    assert rows(tmp_path) == [("amd64", ()), ("arm64", ("libgomp1",))]
    again = maker_of(request, variant, base, AMD64, around, mode="locked")
    assert (again.foundation, again.written) == (made.foundation, False)
    assert archive.asked == ["arm64", "amd64"]


def test_two_developers_machines_do_not_fight_over_the_lock(
    around: Surroundings, archive: Archive, tmp_path: Path
) -> None:
    """An arm64 machine needs no maker for an arm64 image, and must not drop amd64's."""
    request = request_in(tmp_path)
    variant = request.variants["cpu"]
    path = tmp_path / LOCK_NAME

    def on(native: Platform, request: Request = request) -> bytes:
        for one in request.variants.values():
            for platform in one.platforms:
                base, _ = debian_lock(request, one, platform, around, mode="update")
                maker_of(request, one, base, native, around, mode="update")
            lock_makers(request, one, native, around)
        return path.read_bytes()

    first = on(AMD64)
    assert on(ARM64) == on(AMD64) == first
    # A variant is added by who works on arm64: amd64's entry is still there, and serves.
    more = replace(variant, name="more", system_packages=("libgomp1",))
    both = replace(request, variants={"cpu": variant, "more": more})
    second = on(ARM64, both)
    assert rows(tmp_path) == [("amd64", ()), ("arm64", ()), ("arm64", ("libgomp1",))]
    assert on(AMD64, both) == second
    assert archive.asked == ["arm64", "amd64", "arm64"]
    # What no image and no machine can need goes.
    assert on(AMD64, request) == second, "nothing is written only to tidy up"
    write_lock(path, [*locked(tmp_path).debian, replace(debian("amd64"), release="trixie")])
    archive.version = "3.11.2-7"
    debian_lock(request, variant, ARM64, around, mode="update", upgrade=True)
    assert rows(tmp_path) == [("amd64", ()), ("arm64", ())]
    assert {one.release for one in locked(tmp_path).debian} == {"bookworm"}


def test_an_upgrade_reaches_what_other_machines_compile_with(
    around: Surroundings, archive: Archive, tmp_path: Path
) -> None:
    """Else an arm64 machine would compile with a Python that the images no longer have."""
    request = request_in(tmp_path, platforms=(AMD64,))
    variant = request.variants["cpu"]
    write_lock(tmp_path / LOCK_NAME, [debian("amd64"), debian("arm64")])
    assert not lock_makers(request, variant, AMD64, around)
    archive.version = "3.11.2-7"
    debian_lock(request, variant, AMD64, around, mode="update", upgrade=True)
    assert lock_makers(request, variant, AMD64, around, upgrade=True)
    versions = {one.packages[0].version for one in locked(tmp_path).debian}
    assert versions == {"3.11.2-7"}
    assert archive.asked == ["amd64", "arm64"]


def test_an_upgrade_adds_no_entry_beside_the_one_that_compiles(
    around: Surroundings, archive: Archive, tmp_path: Path
) -> None:
    """An image of this machine with the same system packages has a Python too."""
    request = request_in(tmp_path, system_packages=("libgomp1",))
    variant = request.variants["cpu"]
    other = replace(variant, name="native", platforms=(AMD64,))
    request = replace(request, variants={"cpu": variant, "native": other})
    both = [debian(one, "3.11.2-6", "libgomp1") for one in ("amd64", "arm64")]
    write_lock(tmp_path / LOCK_NAME, both)
    archive.version = "3.11.2-7"
    assert lock_makers(request, variant, AMD64, around, upgrade=True)
    assert rows(tmp_path) == [("amd64", ("libgomp1",)), ("arm64", ("libgomp1",))]
    assert [one.packages[0].version for one in locked(tmp_path).debian] == ["3.11.2-7", "3.11.2-6"]


def test_another_version_that_compiles_is_said(
    around: Surroundings, archive: Archive, yard: Any, tmp_path: Path
) -> None:
    """The archive has the security update for one architecture only."""
    request = request_in(tmp_path)
    variant = request.variants["cpu"]
    write_lock(tmp_path / LOCK_NAME, [debian("amd64", "3.11.2-7")])
    maker_of(request, variant, debian("arm64", "3.11.2-7"), AMD64, around, mode="locked")
    assert warnings(yard.events) == []
    maker = maker_of(request, variant, debian("arm64"), AMD64, around, mode="locked").foundation
    assert maker is not None
    assert interpreter_build(maker, "3.11") == "3.11/3.11.2-7"
    assert warnings(yard.events) == ["interpreter-differs"]
    (event,) = yard.events
    assert "3.11.2-7 compiles for an image with Python 3.11.2-6" in event.message
    assert "wheelship lock --upgrade" in event.hint
    assert archive.asked == []


# --- another image ---


def program(architecture: str) -> dict[str, Any]:
    loader = "/lib64/ld-linux-x86-64.so.2"
    return {
        **BASE_FILES,
        "usr/bin/python3.11": make_program(
            "3.11.2", "CPython", architecture=architecture, loader=loader
        ),
        "usr/lib/x86_64-linux-gnu/libc.so.6": make_program(
            "GNU C Library (Made GLIBC 2.36-9) stable release version 2.36.",
            architecture=architecture,
            loader="",
        ),
    }


class TwoPlatforms:
    """A reference that leads to an image for each of ``made``."""

    def __init__(
        self, *platforms: Platform, missing: Callable[[], Exception] | None = None
    ) -> None:
        self.made = {
            one: MadeBase(program(one.architecture), architecture=one.architecture)
            for one in platforms
        }
        self.missing = missing or (lambda: PlatformMissing("is for others", where=BASE))
        self.asked: list[Platform] = []

    def image(self, platform: Platform) -> FoundImage:
        self.asked.append(platform)
        if platform not in self.made:
            raise self.missing()
        return self.made[platform].image(platform)

    def blob(self, blob: Descriptor, destination: Path) -> None:
        for made in self.made.values():
            if blob in made.layers:
                made.blob(blob, destination)


@pytest.fixture
def image_request(tmp_path: Path) -> Request:
    return request_in(tmp_path, base=BASE)


def lead_to(source: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "source_of", lambda *_: source)


def test_an_image_s_twin_of_this_machine_compiles(
    around: Surroundings,
    image_request: Request,
    yard: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variant = image_request.variants["cpu"]
    source = TwoPlatforms(AMD64, ARM64)
    lead_to(source, monkeypatch)
    base = lock_image(BASE, ARM64, "3.11", source, yard.store, discard)
    with pytest.raises(LockOutOfDate, match=r"base:1 for linux/amd64, whose Python"):
        maker_of(image_request, variant, base, AMD64, around, mode="locked")
    made = maker_of(image_request, variant, base, AMD64, around, mode="update")
    assert made.written
    assert made.foundation is not None
    assert made.foundation.platform == AMD64  # type: ignore[union-attr]
    again = maker_of(image_request, variant, base, AMD64, around, mode="locked")
    assert (again.foundation, again.written) == (made.foundation, False)
    assert source.asked == [ARM64, AMD64]
    assert warnings(yard.events) == []


@pytest.mark.parametrize(
    "missing",
    [
        lambda: PlatformMissing("is for others", where=BASE),
        lambda: BaseLacksPlatform("holds 0 images", where=BASE),
    ],
    ids=["registry", "layout"],
)
def test_without_a_twin_the_image_gets_no_bytecode_and_the_lock_remembers_why(
    around: Surroundings,
    image_request: Request,
    yard: Any,
    tmp_path: Path,
    missing: Callable[[], InputError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variant = image_request.variants["cpu"]
    source = TwoPlatforms(ARM64, missing=missing)
    lead_to(source, monkeypatch)
    base = lock_image(BASE, ARM64, "3.11", source, yard.store, discard)
    made = maker_of(image_request, variant, base, AMD64, around, mode="update")
    assert (made.foundation, made.written) == (None, True)
    assert made.left_out == f"{BASE} has no image for linux/amd64"
    (event,) = [one for one in yard.events if isinstance(one, Warned)]
    assert event.code == "bytecode-left-out"
    assert 'bytecode = "none"' in (event.hint or "")
    absent = AbsentImage(reference=BASE, platform=AMD64, python="3.11")
    assert locked(tmp_path).absent == (absent,)
    again = maker_of(image_request, variant, base, AMD64, around, mode="locked")
    assert (again.left_out, again.written) == (made.left_out, False)
    assert source.asked == [ARM64, AMD64], "what is missing is not looked for at every build"
    # Once it exists, an upgrade finds it.
    lead_to(TwoPlatforms(AMD64, ARM64), monkeypatch)
    assert lock_makers(image_request, variant, AMD64, around, upgrade=True)
    assert locked(tmp_path).absent == ()
    assert [one.platform for one in locked(tmp_path).images] == [AMD64]


def test_an_image_for_one_architecture_alone_is_no_twin(
    around: Surroundings,
    image_request: Request,
    yard: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reference without an index leads to the same image whatever is asked for."""
    arm = MadeBase(program("arm64"), architecture="arm64")
    lead_to(arm, monkeypatch)
    base = lock_image(BASE, ARM64, "3.11", arm, yard.store, discard)
    variant = image_request.variants["cpu"]
    made = maker_of(image_request, variant, base, AMD64, around, mode="update")
    assert made.left_out == f"{BASE} has no image for linux/amd64"


def test_a_registry_that_is_down_is_an_error_and_no_lack(
    around: Surroundings,
    image_request: Request,
    yard: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from wheelship.errors import NetworkError

    source = TwoPlatforms(ARM64, missing=lambda: NetworkError("no route", where=BASE))
    lead_to(source, monkeypatch)
    base = lock_image(BASE, ARM64, "3.11", source, yard.store, discard)
    with pytest.raises(NetworkError, match="no route"):
        variant = image_request.variants["cpu"]
        maker_of(image_request, variant, base, AMD64, around, mode="update")
    assert not (tmp_path / LOCK_NAME).exists()


@pytest.mark.parametrize(
    "row", [1, {}, {"reference": BASE, "platform": "linux/s390x", "python": "3.11"}]
)
def test_a_lock_with_a_strange_absence_is_refused(row: object, tmp_path: Path) -> None:
    import json

    document = {"version": 1, "debian": [], "absent": [row]}
    (tmp_path / LOCK_NAME).write_text(json.dumps(document))
    with pytest.raises(InputError):
        locked(tmp_path)
    (tmp_path / LOCK_NAME).write_text(json.dumps(document | {"absent": {}}))
    with pytest.raises(InvalidLockFile):
        locked(tmp_path)


# --- running it ---


def test_the_library_of_another_architecture_is_read_and_not_run(yard: Any) -> None:
    from wheelship.build.bases import StoredBase

    files = program("arm64") | {
        "usr/lib/python3.11/abc.py": b"a = 1\n",
        "usr/lib/python3.11/_sysconfigdata__aarch64-linux-gnu.py": b"build_time_vars = {}\n",
    }
    arm = MadeBase(files, architecture="arm64")
    base = lock_image(BASE, ARM64, "3.11", arm, yard.store, discard)
    context = replace(yard.context, base=StoredBase(yard.store, lambda: arm), machine="amd64")
    workshop = Workshop(context)
    try:
        found = {one.path: one.read() for one in workshop.standard_library(base, "3.11")}
        assert found == {
            "usr/lib/python3.11/abc.py": b"a = 1\n",
            "usr/lib/python3.11/os.py": b"sep = '/'\n",
        }
        with pytest.raises(ForeignInterpreter, match="arm64 cannot run on amd64"):
            workshop.compiler(base, "3.11")
    finally:
        workshop.close()
