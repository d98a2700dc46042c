# SPDX-License-Identifier: Apache-2.0
"""Sources become wheels: for the architectures they fit, from what the store has where it can."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from wheelship.build.artifacts import LockedFileMissing, StoredArtifacts
from wheelship.build.sources import SourceBuilder
from wheelship.events import Event, Finished, Started, Warned
from wheelship.lock.errors import NotAWheel
from wheelship.lock.model import BuildRequirement, LockedSource, LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.request.model import (
    Accelerator,
    Budget,
    BuildRule,
    Check,
    Sources,
    Variant,
)
from wheelship.sdist import make
from wheelship.sdist.errors import SdistNeedsNative
from wheelship.store.maintain import prune, verify
from wheelship.store.store import Store
from wheelship.testing.sdist import make_sdist
from wheelship.testing.wheel import make_wheel
from wheelship.wheel.errors import WrongWheel

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
MACHINE, OTHER = "amd64", "arm64"


def target(architecture: str = MACHINE) -> Target:
    return Target(
        python=PYTHON, platform=Platform(architecture), release=f"{PYTHON}.2", glibc_minor=36
    )


@dataclass
class Bench:
    """A store, sources in a directory, and a count of the builds."""

    folder: Path
    store: Store
    started: list[str]
    events: list[Event] = field(default_factory=list)

    def source(self, **kind: Any) -> LockedSource:
        made = make_sdist("gamma", **kind)
        path = made.write(self.folder)
        return LockedSource(
            name="gamma",
            version="1.0",
            kind="sdist",
            filename=made.filename,
            sha256=made.sha256,
            size_bytes=len(made.data),
            path=path,
            requires=("beta",),
        )

    def wheels(self, source: LockedSource, architecture: str = MACHINE, **more: Any) -> LockedWheel:
        variant = Variant(
            name="cpu",
            accelerator=Accelerator.CPU,
            platforms=(Platform(architecture),),
            python=PYTHON,
            omit={},
            sources=Sources(),
            env={},
            labels={},
            check=Check(),
            budget=Budget(),
            **more,
        )
        builder = SourceBuilder(
            store=self.store,
            emit=self.events.append,
            artifacts=self.artifacts,
            environ={"PATH": "/usr/bin:/bin"},
            machine=MACHINE,
        )
        (wheel,) = builder.wheels([source], variant, target(architecture))
        return wheel

    def artifacts(self) -> StoredArtifacts:
        def fetcher() -> Any:
            raise AssertionError("the network was asked for")

        return StoredArtifacts(
            self.store,
            find_links=lambda: (self.folder,),
            locate=lambda _: (),
            fetcher=fetcher,
            emit=self.events.append,
        )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    started: list[str] = []
    build = make.build_wheel

    def counted(source: Path, name: str, *rest: Any) -> Path:
        started.append(name)
        return build(source, name, *rest)

    monkeypatch.setattr(make, "build_wheel", counted)
    (tmp_path / "files").mkdir()
    store = Store(tmp_path / "store")
    yield Bench(tmp_path / "files", store, started)
    store.close()


def test_a_wheel_takes_the_place_of_its_source_and_is_kept(bench: Bench) -> None:
    source = bench.source()
    wheel = bench.wheels(source)
    path = bench.store.download(wheel.sha256)
    assert wheel == LockedWheel(
        name="gamma",
        version="1.0",
        filename="gamma-1.0-py3-none-any.whl",
        sha256=wheel.sha256,
        size_bytes=path.stat().st_size,
        path=path,
        requires=("beta",),
    )
    assert zipfile.ZipFile(path).read("gamma.py") == b"value = 1\n"
    assert path.stat().st_mode & 0o777 == 0o444
    told = [one for one in bench.events if not isinstance(one, Warned)]
    assert told == [
        Started("build", "gamma 1.0"),
        Finished("build", "gamma 1.0", "done", wheel.filename),
    ]
    assert bench.wheels(source) == wheel
    assert bench.started == ["gamma"]
    assert list((bench.store.root / "tmp").rglob("*.py")) == []


def test_a_wheel_without_compiled_code_is_good_for_every_architecture(bench: Bench) -> None:
    source = bench.source()
    assert bench.wheels(source, OTHER) == bench.wheels(source, MACHINE)
    assert bench.started == ["gamma"]


def test_compiled_code_of_another_architecture_is_refused_at_once_the_second_time(
    bench: Bench,
) -> None:
    source = bench.source(tag=f"py3-none-linux_{Platform(MACHINE).machine}")
    for _ in range(2):
        with pytest.raises(SdistNeedsNative, match="compiled for amd64") as caught:
            bench.wheels(source, OTHER)
    assert "on a machine with arm64" in str(caught.value.hint)
    assert bench.started == ["gamma"]
    bench.wheels(source, MACHINE)
    assert bench.started == ["gamma"]


def test_compiled_code_in_a_wheel_that_hides_it(bench: Bench) -> None:
    """Its tag says any machine; the library in it says which."""
    library = Path(sys.executable).resolve().read_bytes()
    source = bench.source(more={"code.so": library}, ships=["code.so"])
    with pytest.raises(SdistNeedsNative):
        bench.wheels(source, OTHER)
    bench.wheels(source, MACHINE)


def test_each_thing_that_decides_the_result_is_in_the_key(bench: Bench) -> None:
    tool = make_wheel("tool")
    tool.write(bench.folder)
    locked = LockedWheel(
        name="tool",
        version="1.0",
        filename=tool.filename,
        sha256=tool.sha256,
        size_bytes=len(tool.data),
    )
    source = bench.source()
    ways: list[tuple[LockedSource, dict[str, Any]]] = [
        (source, {}),
        (source, {"sdist": {"gamma": BuildRule(env=(("A", "b"),))}}),
        (source, {"sdist": {"gamma": BuildRule(env=(("A", "c"),))}}),
        (source, {"sdist": {"gamma": BuildRule(network=True)}}),
        (source, {"sdist": {"gamma": BuildRule(settings=(("a", ("b",)),))}}),
        (replace(source, build=(BuildRequirement(wheel=locked),)), {}),
        (bench.source(more={"other": b"1"}), {}),
    ]
    for number, (one, more) in enumerate(ways, start=1):
        bench.source(more={"other": b"1"} if number == len(ways) else None)
        bench.wheels(one, **more)
        assert len(bench.started) == number
    bench.wheels(source, sdist={"other": BuildRule(env=(("A", "b"),))})
    elsewhere = BuildRequirement(wheel=locked, architectures=(OTHER,))
    bench.wheels(replace(source, build=(elsewhere,)))
    assert len(bench.started) == len(ways), "what another package or machine needs does not count"


def test_a_pruned_or_damaged_wheel_is_built_again(bench: Bench) -> None:
    source = bench.source()
    wheel = bench.wheels(source)
    assert prune(bench.store, 1) > 0
    assert bench.wheels(source) == wheel
    path = bench.store.download(wheel.sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert [one.path for one in verify(bench.store)] == [path]
    assert bench.wheels(source) == wheel
    assert bench.started == ["gamma"] * 3


def test_a_local_archive_that_was_changed_or_is_gone_is_refused(bench: Bench) -> None:
    source = bench.source()
    path = bench.folder / source.filename
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(WrongWheel, match=r"sha256 is not the locked one"):
        bench.wheels(source)
    path.unlink()
    with pytest.raises(LockedFileMissing):
        bench.wheels(source)
    missing = replace(source, kind="directory", path=bench.folder / "gone")
    with pytest.raises(LockedFileMissing, match="locked as a directory"):
        bench.wheels(missing)
    assert bench.started == []


def test_nothing_is_built_where_that_is_forbidden(bench: Bench) -> None:
    with pytest.raises(NotAWheel, match="nothing is to be built"):
        bench.wheels(bench.source(), sdist=None)
    assert bench.started == []
