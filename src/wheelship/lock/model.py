# SPDX-License-Identifier: Apache-2.0
"""Locked wheels and sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = [
    "LEGACY_BUILD",
    "BuildRequirement",
    "Locked",
    "LockedSource",
    "LockedWheel",
    "SourceKind",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWheel:
    """One wheel of a lock, chosen for one target.

    Attributes:
        name: normalised name of the distribution.
        version: with its local label, if any.
        filename: the wheel's own name, decoded.
        sha256: hexadecimal.
        size_bytes: of the file; 0 where the lock does not say.
        url: where it can be fetched, without credentials; None for a local wheel.
        path: absolute path of a local wheel, or None.
        requires: normalised names of the packages it depends on, as far as the lock tells.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    url: str | None = None
    path: Path | None = None
    requires: tuple[str, ...] = ()

    @property
    def tags(self) -> str:
        """The compatibility tags as the file name spells them: ``cp311-cp311-manylinux_2_28…``."""
        return "-".join(self.filename.removesuffix(".whl").split("-")[-3:])

    @property
    def label(self) -> str | None:
        """The local version label (``cpu`` of ``2.13.0+cpu``), or None."""
        return self.version.partition("+")[2] or None


SourceKind: TypeAlias = Literal["sdist", "archive", "directory", "vcs"]


LEGACY_BUILD = ("setuptools>=40.8.0",)
"""What PEP 517 says that a source tree without ``build-system`` requires to be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequirement:
    """A wheel that must be there while a source is built.

    Attributes:
        architectures: of the machines that build with it; empty = all of them.
    """

    wheel: LockedWheel
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSource:
    """The source of a package that has no wheel for the target: a wheel is to be built from it.

    Attributes:
        name: normalised name of the distribution.
        version: empty for a directory, whose version its backend tells.
        kind: ``sdist`` comes from an index, ``archive`` from an address of its own, ``vcs`` from a
            git repository.
        filename: of the archive; of a directory or repository, its name.
        sha256: of the archive, hexadecimal; empty for a directory or repository.
        size_bytes: of the archive; 0 where the lock does not say.
        url: where archive or repository can be fetched, without credentials; None for what is
            local.
        path: absolute path of a local archive or directory, or None.
        requires: normalised names of the packages it depends on, as far as the lock tells.
        commit: of a repository, its full name (hexadecimal).
        revision: branch or tag that was asked for; empty for the repository's own branch.
        subdirectory: where in the source the package is; empty for its root.
        build: everything that its build may use, backend included.
    """

    name: str
    version: str
    kind: SourceKind
    filename: str
    sha256: str = ""
    size_bytes: int = 0
    url: str | None = None
    path: Path | None = None
    requires: tuple[str, ...] = ()
    commit: str = ""
    revision: str = ""
    subdirectory: str = ""
    build: tuple[BuildRequirement, ...] = ()

    @property
    def label(self) -> str | None:
        """The local version label, or None."""
        return self.version.partition("+")[2] or None

    def build_wheels(self, architecture: str) -> tuple[LockedWheel, ...]:
        """Return what a machine of ``architecture`` builds with."""
        return tuple(
            one.wheel
            for one in self.build
            if not one.architectures or architecture in one.architectures
        )


Locked: TypeAlias = LockedWheel | LockedSource
