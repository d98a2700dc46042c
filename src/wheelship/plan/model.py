# SPDX-License-Identifier: Apache-2.0
"""The plan as values: layers with their recipe and key, and the image configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from wheelship.base.model import BaseImage, BaseLayer
from wheelship.debian.lock import DebianLock, Group
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import Healthcheck
from wheelship.oci.descriptor import Annotations
from wheelship.oci.digest import Digest
from wheelship.oci.image import Package
from wheelship.oci.platform import Platform
from wheelship.request.model import Budget, Waiver
from wheelship.request.sources import Snapshot

__all__ = [
    "ApplicationRecipe",
    "BaseRecipe",
    "BytecodeRecipe",
    "ConfigurationRecipe",
    "ForeignRecipe",
    "Foundation",
    "ImagePlan",
    "LayerPlan",
    "PythonRecipe",
    "Recipe",
    "RunConfig",
    "WheelsRecipe",
]


Foundation: TypeAlias = DebianLock | BaseImage
"""What an image stands on, and whose interpreter it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRecipe:
    """A layer of another image, taken as it is: it is never made, and fetched only when needed."""

    base: BaseImage
    layer: BaseLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRecipe:
    """The Debian packages of one group (``base`` or ``system``), unpacked and joined."""

    lock: DebianLock
    group: Group
    waivers: tuple[Waiver, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRecipe:
    """The virtual environment's skeleton, the health probe, the standard library's bytecode.

    ``lock`` is what the image stands on, whose library it is; ``maker`` has the interpreter that
    compiles it, None = there is to be no bytecode.
    """

    lock: Foundation
    python: str
    maker: Foundation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelsRecipe:
    """Wheels installed into the virtual environment.

    ``omit`` are the globs left out, by package; ``waived`` the packages whose RECORD may be wrong.
    """

    wheels: tuple[LockedWheel, ...]
    python: str
    omit: tuple[tuple[str, tuple[str, ...]], ...] = ()
    waived: tuple[str, ...] = ()

    def omit_of(self, wheel: LockedWheel) -> tuple[str, ...]:
        """Return the globs left out of ``wheel``."""
        return dict(self.omit).get(wheel.name, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class BytecodeRecipe:
    """Bytecode of the modules that ``wheels`` installs, made by the interpreter of ``maker``."""

    wheels: WheelsRecipe
    maker: Foundation


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRecipe:
    """The project's own files; ``maker`` has the interpreter for their bytecode, if any."""

    snapshot: Snapshot
    python: str
    maker: Foundation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRecipe:
    """Directories the service may write to, its working directory, its user's name.

    ``identity`` are the ``passwd`` and ``group`` of a base of other origin, None inside where it
    has no such file; None stands for the base debian, which holds the default user.
    """

    user: tuple[int, int]
    writable: tuple[str, ...]
    workdir: str
    identity: tuple[str | None, str | None] | None = None


Recipe: TypeAlias = (
    ForeignRecipe
    | BaseRecipe
    | PythonRecipe
    | WheelsRecipe
    | BytecodeRecipe
    | ApplicationRecipe
    | ConfigurationRecipe
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One layer: equal keys give equal bytes.

    ``kind`` is what sizes are summed up by: ``base``, ``wheels``, ``bytecode``, ``application``.
    """

    key: Digest
    title: str
    kind: str
    packages: tuple[Package, ...]
    recipe: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How the image is run (image-spec, config.md); durations inside are seconds.

    ``stop_signal`` is a name, empty where none is given: engines then send SIGTERM.
    """

    env: tuple[tuple[str, str], ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    user: str
    workdir: str
    ports: tuple[int, ...]
    volumes: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    healthcheck: Healthcheck | None
    stop_signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """Everything that decides one image's bytes.

    ``gpu_targets`` are the GPUs it is for (``sm_90``); ``gpu_packages`` the packages whose
    device code decides where the image runs; ``foreign_libraries`` name patterns,
    by accelerator, of what no library in it may be linked to; ``trusted`` the packages whose build
    says that it is not. ``bytecode_left_out`` is why the image has no
    bytecode although it was asked for; else None.
    """

    name: str
    variant: str
    platform: Platform
    layers: tuple[LayerPlan, ...]
    run: RunConfig
    annotations: Annotations
    created: str
    budget: Budget
    layer_limit: int
    gpu_targets: tuple[str, ...] = ()
    gpu_packages: tuple[str, ...] = ()
    foreign_libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trusted: frozenset[str] = frozenset()
    bytecode_left_out: str | None = None
