# SPDX-License-Identifier: Apache-2.0
"""Reads a lock, perhaps edited by hand, and chooses one file per package for a target."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from wheelship.fetch.url import display_url
from wheelship.lock.errors import (
    LOCK_AGAIN,
    InvalidLock,
    LockLacksPlatform,
    LockOutOfDate,
    MissingHash,
    MissingLock,
    NotAWheel,
    NoWheelForPlatform,
)
from wheelship.lock.files import SHA256, build_table, source_of, wheel_of
from wheelship.lock.inputs import LockInputs
from wheelship.lock.model import Locked
from wheelship.lock.target import Target

if TYPE_CHECKING:
    from packaging.pylock import Pylock

__all__ = ["Lock", "parse_lock", "read_lock", "read_locks"]


@dataclass(frozen=True, slots=True)
class Lock:
    """A well-formed lock: every file has a SHA-256, and a name that suits its package.

    Attributes:
        path: of the file.
        pylock: the document.
        request: digest of the inputs it was made from; empty where wheelship did not make it.
        inputs: these inputs, if they are written in a form this version knows.
    """

    path: Path
    pylock: Pylock
    request: str
    inputs: LockInputs | None

    def select(self, target: Target) -> tuple[Locked, ...]:
        """Return the files for ``target``, by name; exactly one per package that applies.

        Raises:
            LockLacksPlatform: the lock was not made for it.
            NoWheelForPlatform: a package has no wheel that fits.
            NotAWheel: a package is to be built, and the lock does not say how.
            InvalidLock: it names two versions of a package at once.
        """
        from packaging.pylock import PackageWheel, PylockSelectError

        self._check_covers(target)
        found: list[Locked] = []
        try:
            chosen = list(self.pylock.select(environment=target.environment(), tags=target.tags()))
        except PylockSelectError as error:
            if str(error).startswith("No wheel found"):
                raise self._no_wheel(str(error), target) from error
            raise InvalidLock(str(error), where=str(self.path), hint=LOCK_AGAIN) from error
        for package, file in chosen:
            if isinstance(file, PackageWheel):
                found.append(wheel_of(self.path, package, file))
                continue
            build = build_table(package)
            if build is None and package.wheels:
                raise self._no_wheel(f"of {package.name} {package.version}", target)
            if build is None:
                raise NotAWheel(
                    f"{package.name} is not locked as a wheel, and not how one is built",
                    where=str(self.path),
                    hint=LOCK_AGAIN,
                )
            found.append(source_of(self.path, package, file, build))
        return tuple(sorted(found, key=lambda one: one.name))

    def commits(self, keeps: Callable[[str], bool]) -> dict[str, tuple[str, str, str]]:
        """Return address, wanted revision and commit of the repositories that ``keeps`` names."""
        return {
            package.name: (
                package.vcs.url or "",
                package.vcs.requested_revision or "",
                package.vcs.commit_id,
            )
            for package in self.pylock.packages
            if package.vcs is not None and keeps(package.name)
        }

    def build_pins(self, keeps: Callable[[str], bool]) -> dict[str, dict[str, str]]:
        """Return, by package, the versions of what its source is built with.

        ``keeps`` tells of a name whether its version is to be kept.
        """
        found: dict[str, dict[str, str]] = {}
        for package in self.pylock.packages:
            rows = build_table(package) if keeps(package.name) else None
            found[package.name] = {
                str(row.get("package")): str(row.get("version"))
                for row in rows or ()
                if keeps(str(row.get("package")))
            }
        return found

    def versions(self) -> list[tuple[str, str]]:
        """Return name and version of every package, for comparisons."""
        return [(package.name, str(package.version or "")) for package in self.pylock.packages]

    def pins(self, target: Target) -> dict[str, str]:
        """Return the versions to prefer on ``target``: its own, else those of other platforms."""
        environment = cast("dict[str, str]", target.environment())
        own: dict[str, str] = {}
        others: dict[str, str] = {}
        for package in self.pylock.packages:
            if package.version is None:
                continue
            applies = package.marker is None or package.marker.evaluate(
                environment, context="lock_file"
            )
            (own if applies else others).setdefault(package.name, str(package.version))
        return others | own

    def require_current(self, inputs: LockInputs) -> None:
        """Check that the lock was made from ``inputs``.

        Raises:
            LockOutOfDate: it was not; the error says what changed.
        """
        if self.request == str(inputs.digest):
            return
        if self.inputs is None:
            lines = ["it does not say what it was made from in a form known here"]
        else:
            lines = list(self.inputs.differences(inputs)) or ["its digest was edited"]
        raise LockOutOfDate(str(self.path), lines, hint=LOCK_AGAIN)

    def _check_covers(self, target: Target) -> None:
        environment = cast("dict[str, str]", target.environment())
        markers = self.pylock.environments or ()
        fits = self.pylock.requires_python is None or self.pylock.requires_python.contains(
            target.python_full
        )
        if not fits or (markers and not any(one.evaluate(environment) for one in markers)):
            raise LockLacksPlatform(
                f"was not made for {target}", where=str(self.path), hint=LOCK_AGAIN
            )

    def _no_wheel(self, what: str, target: Target) -> NoWheelForPlatform:
        return NoWheelForPlatform(
            f"no wheel for {target}: {what}", where=str(self.path), hint=LOCK_AGAIN
        )


def read_lock(path: Path) -> Lock:
    """Read and check the lock at ``path`` (absolute).

    Raises:
        MissingLock: there is no such file.
        InvalidLock, MissingHash: it cannot be used as it stands.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingLock("there is no lock", where=str(path), hint="wheelship lock") from error
    except OSError as error:
        raise InvalidLock(f"cannot be read: {error.strerror}", where=str(path)) from error
    return parse_lock(data, path)


def read_locks(paths: Iterable[Path]) -> tuple[Lock, ...]:
    """Return those of the locks that are there and can be read; for their versions only."""
    found: list[Lock] = []
    for path in paths:
        with suppress(InvalidLock, MissingLock):
            found.append(read_lock(path))
    return tuple(found)


def parse_lock(data: bytes, path: Path) -> Lock:
    """Read the content ``data`` of the lock at ``path``; see :func:`read_lock`."""
    from packaging.pylock import Pylock, PylockValidationError

    hint = f"delete it and {LOCK_AGAIN}"
    try:
        document = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidLock(f"is no TOML document: {error}", where=str(path), hint=hint) from error
    try:
        pylock = Pylock.from_dict(document)
    except PylockValidationError as error:
        kind = MissingHash if str(error.context or "").endswith("hashes") else InvalidLock
        raise kind(
            _named(error.message, error.context, document), where=str(path), hint=hint
        ) from error
    for message, kind in _contradictions(pylock):
        raise kind(message, where=str(path), hint=hint)
    table = _table(document)
    inputs = table.get("inputs")
    return Lock(
        path,
        pylock,
        str(table.get("request", "")),
        LockInputs.from_table(inputs) if isinstance(inputs, dict) else None,
    )


def _table(document: Mapping[str, Any]) -> Mapping[str, Any]:
    tool = document.get("tool")
    table = tool.get("wheelship") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else {}


def _named(message: str, context: str | None, document: Mapping[str, Any]) -> str:
    """Return the message with the place, and with the name of the package it is in."""
    match = re.match(r"packages\[(\d+)\]", context or "")
    name = ""
    if match:
        package = document["packages"][int(match[1])]
        name = f" ({package.get('name')})" if isinstance(package, dict) else ""
    return f"{message} in {context!r}{name}" if context else message


def _contradictions(pylock: Pylock) -> Iterator[tuple[str, type[InvalidLock]]]:
    """Yield what a PEP 751 document may say, but a lock of ours may not."""
    for package in pylock.packages:
        for dependency in package.dependencies or ():
            if not isinstance(dependency.get("name"), str):
                yield f"{package.name} depends on something without a name", InvalidLock
        sources = [one for one in (package.sdist, package.archive) if one is not None]
        for file in (*(package.wheels or ()), *sources):
            filename = getattr(file, "filename", package.name)
            sha256 = file.hashes.get("sha256")
            if sha256 is None:
                kinds = ", ".join(sorted(file.hashes))
                yield f"{filename} has no sha256, only {kinds}", MissingHash
            elif not SHA256.fullmatch(sha256):
                yield f"{filename}: {sha256[:80]!r} is no sha256", InvalidLock
            if file.url is not None and not file.url.startswith(("https://", "http://", "file:")):
                yield f"{filename}: cannot be fetched: {display_url(file.url)}", InvalidLock
