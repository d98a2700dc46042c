# SPDX-License-Identifier: Apache-2.0
"""The Debian part of a lock: exact packages by hash, and what they were resolved from.

Imports nothing heavy: a build with nothing to do reads it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, TypeAlias, TypeVar

from wheelship.debian.errors import InvalidDebianLock

__all__ = ["DebianLock", "Group", "LockedPackage", "LockedSuite"]

Group: TypeAlias = Literal["base", "system"]
"""``base``: what every image of the release holds; ``system``: what was asked for beyond it."""

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_VERSION = re.compile(r"[A-Za-z0-9.+:~-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILENAME = re.compile(r"pool/(?:[A-Za-z0-9+._~-]+/)*[A-Za-z0-9+._~%:-]+\.deb")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

_TYPES: dict[str, type] = {"size_bytes": int, "requested": bool}

_Value = TypeVar("_Value", "LockedPackage", "LockedSuite")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One exact package.

    Attributes:
        filename: path of the .deb relative to the address of its archive (``pool/…``).
        archive: ``main`` or ``security``: which archive that is.
        sha256: hexadecimal.
        source, source_version: what it was built from; advisories name these.
        group: see :data:`Group`.
        requested: it was asked for by name, not only needed by another package.
    """

    name: str
    version: str
    architecture: str
    archive: str
    filename: str
    sha256: str
    size_bytes: int
    source: str
    source_version: str
    group: Group
    requested: bool

    def __post_init__(self) -> None:
        _require(_NAME.fullmatch(self.name), "name", self.name)
        _require(_VERSION.fullmatch(self.version), "version", self.version)
        _require(_NAME.fullmatch(self.architecture), "architecture", self.architecture)
        _require(self.archive in ("main", "security"), "archive", self.archive)
        climbs = ".." in self.filename.split("/")
        _require(_FILENAME.fullmatch(self.filename) and not climbs, "filename", self.filename)
        _require(_SHA256.fullmatch(self.sha256), "sha256", self.sha256)
        _require(self.size_bytes > 0, "size_bytes", self.size_bytes)
        _require(_NAME.fullmatch(self.source), "source", self.source)
        _require(_VERSION.fullmatch(self.source_version), "source_version", self.source_version)
        _require(self.group in ("base", "system"), "group", self.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSuite:
    """A suite the packages were chosen from; ``date`` is its release file's, in UTC (RFC 3339)."""

    name: str
    archive: str
    date: str

    def __post_init__(self) -> None:
        _require(_NAME.fullmatch(self.name), "name", self.name)
        _require(self.archive in ("main", "security"), "archive", self.archive)
        _require(_TIME.fullmatch(self.date), "date", self.date)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianLock:
    """Everything a base image is made of; ``packages`` are sorted by name.

    Raises:
        InvalidDebianLock: a value cannot be right. A lock in hand is therefore safe to use in
            paths and addresses.
    """

    release: str
    architecture: str
    suites: tuple[LockedSuite, ...]
    packages: tuple[LockedPackage, ...]

    def __post_init__(self) -> None:
        _require(_NAME.fullmatch(self.release), "release", self.release)
        _require(_NAME.fullmatch(self.architecture), "architecture", self.architecture)
        names = [package.name for package in self.packages]
        _require(names == sorted(set(names)), "packages", "not sorted, or one is there twice")
        for package in self.packages:
            right = package.architecture in ("all", self.architecture)
            _require(right, f"architecture of {package.name}", package.architecture)

    @property
    def requested(self) -> tuple[str, ...]:
        """Names of the system packages that were asked for, sorted."""
        return tuple(package.name for package in self.packages if package.requested)

    @property
    def size_bytes(self) -> int:
        """Size of all packages together."""
        return sum(package.size_bytes for package in self.packages)

    def to_json(self) -> dict[str, object]:
        """Return the lock as plain values that JSON and TOML can hold."""
        return {
            "release": self.release,
            "architecture": self.architecture,
            "suites": [asdict(suite) for suite in self.suites],
            "packages": [asdict(package) for package in self.packages],
        }

    @classmethod
    def from_json(cls, document: object) -> DebianLock:
        """Read what :meth:`to_json` returned.

        Raises:
            InvalidDebianLock: it is anything else; the message names the key.
        """
        table = _table(document, "debian")
        _only(table, {field.name for field in fields(cls)}, "debian")
        return cls(
            release=_string(table, "release", "debian"),
            architecture=_string(table, "architecture", "debian"),
            suites=tuple(
                _value(LockedSuite, one, f"debian.suites[{at}]")
                for at, one in enumerate(_list(table, "suites", "debian"))
            ),
            packages=tuple(
                _value(LockedPackage, one, f"debian.packages[{at}]")
                for at, one in enumerate(_list(table, "packages", "debian"))
            ),
        )


def _require(condition: object, name: str, value: object) -> None:
    if not condition:
        raise _invalid(f"{name}: {str(value)[:80]!r} is not possible")


def _value(kind: type[_Value], document: object, where: str) -> _Value:
    table = _table(document, where)
    names = {field.name for field in fields(kind)}
    _only(table, names, where)
    for name in sorted(names):
        expected = _TYPES.get(name, str)
        if type(table.get(name)) is not expected:
            raise _invalid(f"{where}.{name} must be of type {expected.__name__}")
    try:
        return kind(**table)  # type: ignore[arg-type]  # the types were checked one by one
    except InvalidDebianLock as error:
        raise _invalid(f"{where}.{error.message}") from error


def _table(document: object, where: str) -> Mapping[str, object]:
    if not isinstance(document, dict):
        raise _invalid(f"{where} must be a table")
    return document


def _only(table: Mapping[str, object], names: set[str], where: str) -> None:
    for name in table:
        if name not in names:
            raise _invalid(f"{where} has the unknown key {name!r}")


def _list(table: Mapping[str, object], name: str, where: str) -> list[object]:
    value = table.get(name)
    if not isinstance(value, list):
        raise _invalid(f"{where}.{name} must be a list")
    return value


def _string(table: Mapping[str, object], name: str, where: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise _invalid(f"{where}.{name} must be of type str")
    return value


def _invalid(message: str) -> InvalidDebianLock:
    return InvalidDebianLock(message, hint="make the lock anew: wheelship lock")
