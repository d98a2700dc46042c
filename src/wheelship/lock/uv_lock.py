# SPDX-License-Identifier: Apache-2.0
"""Reads a ``uv.lock``: which version of each package a variant gets on a target.

uv's lock is universal: it holds every version that any platform, extra or group may need, and
markers on the edges say which one applies. Walking the edges from the project with the target's
environment gives one version per package. The builds of the accelerator's families, and what only
they require, are the variant's business: their versions are taken over, their files are not.

uv documents the file as its own, so everything not understood is an error rather than a guess.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from wheelship.lock.errors import InvalidUvLock
from wheelship.lock.target import Target

__all__ = ["Edge", "UvLock", "UvPackage", "holds", "read_uv_lock"]

_VERSION = 1
_CONFLICT = re.compile(r"extra (?P<operator>[=!]=) '(?P<kind>extra|group|project)-(?P<rest>[^']*)'")
_ALWAYS, _NEVER = "python_version >= '0'", "python_version < '0'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A requirement as uv resolved it; ``version`` is given where the lock holds several."""

    name: str
    version: str | None
    source: str
    extras: tuple[str, ...]
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UvPackage:
    """One ``[[package]]``.

    Attributes:
        version: empty where uv does not record it (source trees with a dynamic one).
        kind: key of its source: ``registry``, ``url``, ``git``, ``directory``, ``editable``, ….
        source: the source as text, to tell packages of one name apart.
        wheels: SHA-256 (empty where unknown) by file name.
        extras, groups: further requirements by name.
        requires: ``[package.metadata]``, what the lock was made from.
    """

    name: str
    version: str
    kind: str
    source: str
    wheels: Mapping[str, str]
    dependencies: tuple[Edge, ...]
    extras: Mapping[str, tuple[Edge, ...]]
    groups: Mapping[str, tuple[Edge, ...]]
    requires: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UvLock:
    """A lock of uv's. ``constraints`` and ``overrides`` are ``(name, specifier)``."""

    path: Path
    requires_python: str
    packages: Mapping[str, tuple[UvPackage, ...]]
    constraints: frozenset[tuple[str, str]]
    overrides: frozenset[tuple[str, str]]

    def root(self, name: str) -> UvPackage:
        """Return the project itself.

        Raises:
            InvalidUvLock: it is not in the lock.
        """
        for one in self.packages.get(name, ()):
            if one.kind in ("virtual", "editable", "directory") and one.source == ".":
                return one
        raise InvalidUvLock(
            f"holds no project {name!r} in its own directory", where=str(self.path), hint="uv lock"
        )

    def select(
        self,
        project: str,
        target: Target,
        *,
        extras: Collection[str],
        groups: Collection[str],
        exclude: Collection[str],
    ) -> dict[str, tuple[UvPackage, frozenset[str]]]:
        """Return what the project requires on ``target``, by name, each with who requires it.

        Raises:
            InvalidUvLock: an edge leads nowhere, or to two versions of one package.
        """
        root = self.root(project)
        active = {("extra", one) for one in extras} | {("group", one) for one in groups}
        chosen: dict[str, UvPackage] = {}
        parents: dict[str, set[str]] = {}
        waiting = [(project, one) for one in root.dependencies]
        waiting += [(project, one) for name in extras for one in root.extras.get(name, ())]
        waiting += [(project, one) for name in groups for one in root.groups.get(name, ())]
        seen: set[tuple[str, str]] = set()
        while waiting:
            parent, edge = waiting.pop()
            if edge.name == project or edge.name in exclude:
                continue
            if not holds(edge.marker, target, project, active):
                continue
            package = self._package(edge)
            if chosen.setdefault(edge.name, package) != package:
                raise InvalidUvLock(
                    f"{edge.name} would be there as {chosen[edge.name].version} and as "
                    f"{package.version} on {target}",
                    where=str(self.path),
                    hint="uv lock",
                )
            parents.setdefault(edge.name, set()).add(parent)
            for extra in ("", *edge.extras):
                if (edge.name, extra) not in seen:
                    seen.add((edge.name, extra))
                    more = package.extras.get(extra, ()) if extra else package.dependencies
                    waiting += [(edge.name, one) for one in more]
        return {name: (package, frozenset(parents[name])) for name, package in chosen.items()}

    def _package(self, edge: Edge) -> UvPackage:
        found = [
            one
            for one in self.packages.get(edge.name, ())
            if edge.version in (None, one.version) and edge.source in ("", one.source)
        ]
        if len(found) != 1:
            which = f"{edge.name} {edge.version or ''}".rstrip()
            raise InvalidUvLock(
                f"holds {which} {len(found)} times, where it is required once",
                where=str(self.path),
                hint="uv lock",
            )
        return found[0]


def holds(
    marker: str, target: Target, project: str, active: Collection[tuple[str, str]], extra: str = ""
) -> bool:
    """Tell whether ``marker`` is true on ``target`` where ``active`` extras and groups are chosen.

    uv writes extras that exclude each other as ``extra == 'extra-7-project-name'``, the number
    being the length of the project's name.
    """
    if not marker:
        return True
    from packaging.markers import InvalidMarker, Marker

    def decided(match: re.Match[str]) -> str:
        length, _, rest = match["rest"].partition("-")
        size = int(length) if length.isdecimal() else 0
        owner, name = rest[:size], rest[size + 1 :]
        chosen = owner == project and (
            match["kind"] == "project" or (match["kind"], name) in active
        )
        return _ALWAYS if chosen == (match["operator"] == "==") else _NEVER

    environment = cast("dict[str, str]", {**target.environment(), "extra": extra})
    try:
        return Marker(_CONFLICT.sub(decided, marker)).evaluate(environment)
    except InvalidMarker as error:
        raise InvalidUvLock(f"{marker!r} is no marker", where="uv.lock", hint="uv lock") from error


def read_uv_lock(path: Path) -> UvLock:
    """Read the lock at ``path``.

    Raises:
        InvalidUvLock: it cannot be read, or is of a form not known here.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        version = document.get("version")
        if version != _VERSION:
            raise InvalidUvLock(
                f"is of version {version}; this release reads version {_VERSION}",
                where=str(path),
                hint="lock with a uv that writes it, or remove uv.lock to let wheelship resolve",
            )
        manifest = document.get("manifest", {})
        packages: dict[str, list[UvPackage]] = {}
        for row in document.get("package", ()):
            packages.setdefault(row["name"], []).append(_package(row))
        return UvLock(
            path=path,
            requires_python=document.get("requires-python", ""),
            packages={name: tuple(found) for name, found in packages.items()},
            constraints=_narrowing(manifest.get("constraints", ())),
            overrides=_narrowing(manifest.get("overrides", ())),
        )
    except OSError as error:
        raise InvalidUvLock(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"is no TOML document: {error}"
        raise InvalidUvLock(message, where=str(path), hint="uv lock") from error
    except (KeyError, TypeError, AttributeError) as error:
        message = f"is not what uv writes: {error!r}"
        raise InvalidUvLock(message, where=str(path), hint="uv lock") from error


def _package(row: Mapping[str, Any]) -> UvPackage:
    kind, source = _source(row["source"])
    return UvPackage(
        name=row["name"],
        version=row.get("version", ""),
        kind=kind,
        source=source,
        wheels=dict(_wheels(row.get("wheels", ()))),
        dependencies=_edges(row.get("dependencies", ())),
        extras={key: _edges(one) for key, one in row.get("optional-dependencies", {}).items()},
        groups={key: _edges(one) for key, one in row.get("dev-dependencies", {}).items()},
        requires=row.get("metadata", {}),
    )


def _source(table: Mapping[str, Any]) -> tuple[str, str]:
    kind = next(iter(table))
    return kind, str(table[kind])


def _edges(rows: Iterable[Mapping[str, Any]]) -> tuple[Edge, ...]:
    return tuple(
        Edge(
            name=row["name"],
            version=row.get("version"),
            source=_source(row["source"])[1] if "source" in row else "",
            extras=tuple(row.get("extra", ())),
            marker=row.get("marker", ""),
        )
        for row in rows
    )


def _wheels(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for row in rows:
        place = row.get("filename") or row.get("url") or row.get("path") or ""
        name = unquote(urlsplit(place).path.rpartition("/")[2])
        kind, _, value = row.get("hash", "").partition(":")
        yield name, value if kind == "sha256" else ""


def _narrowing(rows: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str]]:
    return frozenset((row["name"], row.get("specifier", "")) for row in rows)
