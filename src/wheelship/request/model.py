# SPDX-License-Identifier: Apache-2.0
"""The request as values: everything later steps need to know about what the user asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeAlias

from wheelship.oci.platform import Platform
from wheelship.request.uv import UvSettings

__all__ = [
    "PUBLIC",
    "Accelerator",
    "Budget",
    "BuildRule",
    "Check",
    "CheckRequest",
    "Excess",
    "Health",
    "Limited",
    "Project",
    "Request",
    "Sources",
    "Variant",
    "Waiver",
]

PUBLIC = "public"
"""In the place of the address of an accelerator's index: the main index is asked."""

Limited: TypeAlias = Literal["transfer", "unpacked", "layers"]
"""What a budget can limit."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Accelerator(StrEnum):
    """The closed set of accelerators (DESIGN §7)."""

    CPU = "cpu"
    CUDA = "cuda"
    ROCM = "rocm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project to ship, as its own files describe it.

    Attributes:
        root: absolute directory of the project.
        name: normalised distribution name.
        version: as declared; ``"0"`` when there is none.
        requires_python: specifier as written, or None.
        dependencies: PEP 508 strings of the project itself (the ``[project]`` table or
            ``requirements.txt``), in the order written.
        extras: optional dependencies by normalised extra name.
        groups: dependency groups (PEP 735) by normalised name, includes resolved.
        scripts: console scripts, ``name -> module:attribute``.
        entry_points: the other groups of entry points, ``group -> name -> object``.
        config_file: the file that holds the wheelship table (for messages), or None.
        constraints: PEP 508 strings that only constrain.
        declared: there is a ``[project]`` table, so the project is a distribution with a
            ``.dist-info`` of its own; otherwise its name is only that of its directory.
        uv: what the project tells uv.
        hashes: by normalised name, the SHA-256 of the files that its requirements files allow; None
            where they name none, so that any file is.
        uv_lock: SHA-256 (hexadecimal) of its ``uv.lock``, whose versions are used; empty where
            there is none.
    """

    root: Path
    name: str
    version: str
    requires_python: str | None
    dependencies: tuple[str, ...]
    extras: dict[str, tuple[str, ...]]
    groups: dict[str, tuple[str, ...]]
    scripts: dict[str, str]
    config_file: Path | None
    constraints: tuple[str, ...] = ()
    entry_points: dict[str, dict[str, str]] = field(default_factory=dict)
    declared: bool = True
    uv: UvSettings = field(default_factory=UvSettings)
    uv_lock: str = ""
    hashes: Mapping[str, frozenset[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The HTTP health probe; durations in seconds."""

    path: str
    port: int
    interval_seconds: float = 30.0
    timeout_seconds: float = 3.0
    start_period_seconds: float = 40.0
    retries: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """One request with the expected answer.

    ``file`` (relative to the project) is sent as the form field ``field``; ``json`` as a JSON
    body; at most one of them. ``expect`` is the part of the JSON answer that must be there.
    """

    path: str
    method: str = "GET"
    status: int = 200
    file: str | None = None
    field: str = "file"
    json: Json = None
    expect: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What ``wheelship check`` tries beside the health probe."""

    imports: tuple[str, ...] = ()
    request: CheckRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A limit of a budget and what exceeds it: bytes, or a number of layers."""

    what: Limited
    actual: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Upper limits in bytes (or layers); None = no limit.

    ``platforms`` are limits for single platforms, which win one by one over those for all.
    """

    transfer_bytes: int | None = None
    unpacked_bytes: int | None = None
    layers: int | None = None
    platforms: tuple[tuple[Platform, Budget], ...] = ()

    def of(self, platform: Platform) -> Budget:
        """Return the limits of the image for ``platform``."""
        own = dict(self.platforms).get(platform, Budget())
        names = ("transfer_bytes", "unpacked_bytes", "layers")
        given = {name: getattr(own, name) for name in names}
        return replace(
            self,
            platforms=(),
            **{name: value for name, value in given.items() if value is not None},
        )

    def exceeded(
        self, *, transfer_bytes: int, unpacked_bytes: int, layers: int
    ) -> tuple[Excess, ...]:
        """Return the limits for all platforms that an image of these sizes exceeds."""
        limits: tuple[tuple[Limited, int, int | None], ...] = (
            ("transfer", transfer_bytes, self.transfer_bytes),
            ("unpacked", unpacked_bytes, self.unpacked_bytes),
            ("layers", layers, self.layers),
        )
        return tuple(
            Excess(what=what, actual=actual, limit=limit)
            for what, actual, limit in limits
            if limit is not None and actual > limit
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Something accepted by the user in spite of a check, with the reason they gave."""

    package: str
    version: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRule:
    """How the wheel of a package is built that has only its source.

    Attributes:
        requires: PEP 508 strings, in addition to what the source asks for itself.
        settings: of the backend (PEP 517, "config_settings"); each may be given several times.
        env: variables of the build.
        network: whether its build may use the network, beside the locking of what it requires.
    """

    requires: tuple[str, ...] = ()
    settings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where wheels and packages come from.

    Attributes:
        find_links: absolute local directories of wheels, in order of preference.
        link_pages: addresses of pages that list wheels.
        index: URL of the main package index, or None for uv's own default.
        extra_indexes: further index URLs.
        named_indexes: name and address of the indexes that uv knows by a name.
        torch_index: replacement of the accelerator's own index: URL, absolute directory, or
            :data:`PUBLIC`, the main index held to the builds there that fit.
        debian_mirror: mirror URL, or None to read the machine's apt sources.
    """

    find_links: tuple[Path, ...] = ()
    link_pages: tuple[str, ...] = ()
    index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    named_indexes: tuple[tuple[str, str], ...] = ()
    torch_index: str | None = None
    debian_mirror: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One variant with every project-wide setting already merged in.

    Attributes:
        python: ``"3.11"`` or ``"3.13"``.
        accelerator_version: ``"13.0"`` for CUDA and the like; None for the CPU.
        command / entrypoint: argument vectors; None = none given.
        stop_signal: name of the signal that ends the service; None = SIGTERM, as engines do.
        env: the user's own variables, which win over those of the accelerator's data.
        user: ``(uid, gid)``.
        writable: absolute directories the service may write to.
        sdist: how packages are built that have only their source, by normalised name; None = no
            package may be built.
        include / exclude: globs of project files for the application layer, relative to the root.
        requirements, constraints, hashes: in the place of the project's own, where the variant
            names its requirements files; else None, empty and None.
    """

    name: str
    accelerator: Accelerator
    accelerator_version: str | None = None
    gpu_targets: tuple[str, ...] = ()
    platforms: tuple[Platform, ...]
    python: str
    base: str = "debian"
    system_packages: tuple[str, ...] = ()
    waive_scripts: tuple[Waiver, ...] = ()
    waive_record: tuple[Waiver, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    exclude_packages: tuple[str, ...] = ()
    requirements: tuple[str, ...] | None = None
    constraints: tuple[str, ...] = ()
    hashes: Mapping[str, frozenset[str]] | None = None
    omit: dict[str, tuple[str, ...]]
    sources: Sources
    sdist: dict[str, BuildRule] | None = field(default_factory=dict)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    stop_signal: str | None = None
    env: dict[str, str]
    port: int | None = None
    workdir: str = "/app"
    user: tuple[int, int] = (65532, 65532)
    writable: tuple[str, ...] = ()
    labels: dict[str, str]
    health: Health | None = None
    check: Check
    budget: Budget
    bytecode: Literal["all", "none"] = "all"
    layers: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A validated request: the project, its variants by name, and which one is the default.

    Attributes:
        repository: image repository without tag, or None.
        name: the image's own name; None = the project's (see :attr:`image_name`).
        notes: what was decided for the user and should be shown to them, one sentence each.
        history: the file that builds are remembered in, or None.
    """

    project: Project
    variants: dict[str, Variant]
    default_variant: str
    repository: str | None = None
    name: str | None = None
    notes: tuple[str, ...] = ()
    history: Path | None = None

    @property
    def image_name(self) -> str:
        """The name that layouts and archives of this project's images get."""
        return self.name or self.project.name
