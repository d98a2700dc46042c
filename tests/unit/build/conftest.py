# SPDX-License-Identifier: Apache-2.0
"""A plan of made wheels, a store, and sources of files that count what they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from wheelship.build.context import BuildContext
from wheelship.debian.lock import LockedPackage
from wheelship.errors import NetworkError
from wheelship.events import Event
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.oci.image import Package
from wheelship.oci.platform import Platform
from wheelship.plan.model import (
    ConfigurationRecipe,
    ImagePlan,
    LayerPlan,
    RunConfig,
    WheelsRecipe,
)
from wheelship.request.model import Budget
from wheelship.store.store import Store
from wheelship.testing.wheel import MadeWheel, make_wheel


class CountingArtifacts:
    """Hands out made wheels from a directory and remembers which."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[str] = []
        self.missing: set[str] = set()
        self.abandoned = False

    def prefetch(self, files: Iterable[LockedWheel | LockedPackage]) -> None:
        del files

    def path(self, file: LockedWheel | LockedPackage) -> Path:
        self.asked.append(file.name)
        if file.name in self.missing:
            raise NetworkError("no route to host", where=file.name)
        return self.directory / file.filename

    def abandon(self) -> None:
        self.abandoned = True

    def replace(self, file: LockedWheel | LockedPackage) -> Path:
        raise AssertionError(f"{file.name} was asked for again")


class Yard:
    """Everything a build test needs, in one directory."""

    def __init__(self, directory: Path) -> None:
        self.wheels = directory / "wheels"
        self.wheels.mkdir()
        self.store = Store(directory / "store")
        self.artifacts = CountingArtifacts(self.wheels)
        self.events: list[Event] = []
        self.context = BuildContext(
            store=self.store,
            artifacts=self.artifacts,
            emit=self.events.append,
            jobs=2,
            machine="amd64",
        )

    def lock(self, made: MadeWheel) -> LockedWheel:
        """Write the wheel and return what a lock would say of it."""
        made.write(self.wheels)
        name, version = made.filename.split("-")[:2]
        return LockedWheel(
            name=name,
            version=version,
            filename=made.filename,
            sha256=made.sha256,
            size_bytes=len(made.data),
        )

    def plan(self, *layers: LayerPlan, budget: Budget | None = None) -> ImagePlan:
        """Return a plan of these layers."""
        return ImagePlan(
            name="demo",
            variant="cpu",
            platform=Platform(architecture="amd64"),
            layers=layers,
            run=RunConfig(
                env=(("PATH", "/opt/venv/bin"),),
                entrypoint=(),
                command=("demo",),
                user="65532:65532",
                workdir="/app",
                ports=(8000,),
                volumes=("/data",),
                labels=(),
                healthcheck=None,
                stop_signal="SIGINT",
            ),
            annotations=(),
            created="1980-01-01T00:00:00Z",
            budget=budget or Budget(),
            layer_limit=40,
        )


def wheels_layer(*wheels: LockedWheel, salt: str = "") -> LayerPlan:
    """Return the layer of these wheels."""
    return LayerPlan(
        key=Digest.of(canonical_json([salt, [wheel.sha256 for wheel in wheels]])),
        title=", ".join(wheel.name for wheel in wheels),
        kind="wheels",
        packages=tuple(
            Package(name=one.name, version=one.version, type="python") for one in wheels
        ),
        recipe=WheelsRecipe(wheels=wheels, python="3.11"),
    )


def directories_layer(writable: Sequence[str]) -> LayerPlan:
    """Return the configuration layer."""
    return LayerPlan(
        key=Digest.of(canonical_json(["directories", list(writable)])),
        title="directories",
        kind="application",
        packages=(),
        recipe=ConfigurationRecipe(user=(65532, 65532), writable=tuple(writable), workdir="/app"),
    )


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.fixture
def two_wheels(yard: Yard) -> tuple[LockedWheel, LockedWheel]:
    big = {"alpha/__init__.py": b"", "alpha/data.bin": bytes(range(256)) * 2000}
    return (
        yard.lock(make_wheel("alpha", files=big)),
        yard.lock(make_wheel("beta", console_scripts={"beta": "beta:main"})),
    )


@pytest.fixture
def layer() -> Callable[..., LayerPlan]:
    return wheels_layer


@pytest.fixture
def directories() -> Callable[[Sequence[str]], LayerPlan]:
    return directories_layer
