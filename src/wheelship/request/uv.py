# SPDX-License-Identifier: Apache-2.0
"""What a project tells uv about its packages, as values: the part that decides what is locked."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

__all__ = ["SourceKind", "UvIndex", "UvSettings", "UvSource", "index_variable"]

SourceKind: TypeAlias = Literal["index", "url", "wheel", "wheels", "source"]
"""Where a package comes from: a named index, a wheel's address, a local wheel, a directory of
wheels, or something that must be built first (a repository, a source tree, a workspace member)."""


def index_variable(name: str, kind: Literal["USERNAME", "PASSWORD"]) -> str:
    """Return the environment variable in which uv looks for credentials of the index ``name``."""
    return f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', name.upper())}_{kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UvIndex:
    """One ``[[tool.uv.index]]``.

    Attributes:
        name: by which sources refer to it, or None.
        address: http, https or file URL as written, or an absolute directory. May carry
            credentials.
        explicit: only packages whose source names it are looked for there.
        default: it takes the place of the public index.
        flat: it is a page or directory of files, not an index (PEP 503).
    """

    name: str | None
    address: str
    explicit: bool = False
    default: bool = False
    flat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UvSource:
    """One alternative of ``[tool.uv.sources]``.

    Attributes:
        package: normalised name.
        place: name of an index, URL, absolute path, or words for what must be built.
        marker: under which it holds; empty for always.
        fields: of what must be built, the table as uv reads it; empty where nothing can be.
        extra, group: normalised name of the extra or dependency group whose requirements it is for.
    """

    package: str
    kind: SourceKind
    place: str
    marker: str = ""
    extra: str | None = None
    group: str | None = None
    fields: tuple[tuple[str, str], ...] = ()

    def applies(self, extras: Collection[str], groups: Collection[str]) -> bool:
        """Tell whether it holds where these extras and groups are chosen, markers aside."""
        return (self.extra is None or self.extra in extras) and (
            self.group is None or self.group in groups
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UvSettings:
    """``[tool.uv]``, or ``uv.toml`` beside it.

    Attributes:
        constraints, overrides: PEP 508 strings that narrow, and that replace requirements.
        exclude: normalised names of packages that are left out.
        environments: markers; where none of them is true, the project is not meant to run.
        options: settings that change which versions are chosen, as TOML writes them.
        access: settings that only say how indexes are reached, likewise.
        metadata: ``dependency-metadata``, each table as JSON.
        no_binary: packages whose wheels must not be used.
        no_index: no index is asked.
        conflicts: sets of extras and groups of which one at most can be chosen; each
            ``("extra" | "group", name)``.
    """

    sources: tuple[UvSource, ...] = ()
    indexes: tuple[UvIndex, ...] = ()
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    access: tuple[tuple[str, str], ...] = ()
    metadata: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    no_index: bool = False
    conflicts: tuple[frozenset[tuple[str, str]], ...] = ()

    def chosen(self, extras: Collection[str], groups: Collection[str]) -> tuple[UvSource, ...]:
        """Return the sources that hold where these extras and groups are chosen."""
        return tuple(
            replace(one, extra=None, group=None)
            for one in self.sources
            if one.applies(extras, groups)
        )

    def index(self, name: str) -> UvIndex | None:
        """Return the index of this name."""
        return next((one for one in self.indexes if one.name == name), None)
