# SPDX-License-Identifier: Apache-2.0
"""Resolves the requirements of a variant for one target after the other."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from wheelship.errors import WheelshipError
from wheelship.fetch.file import file_sha256
from wheelship.fetch.url import file_path, without_credentials
from wheelship.lock.errors import IndexUnreachable, MissingHash, NotAWheel, Unresolvable
from wheelship.lock.inputs import LockInputs
from wheelship.lock.local import LocalWheel, find_local_wheels, misfit, write_index, write_page
from wheelship.lock.machine import MachineSources
from wheelship.lock.model import LockedWheel
from wheelship.lock.project import GeneratedProject
from wheelship.lock.route import Route, find_routes, parse_requirements
from wheelship.lock.target import Target
from wheelship.lock.toml import string
from wheelship.lock.uv import Uv
from wheelship.request.model import Sources
from wheelship.variant.model import AcceleratorRow

__all__ = ["Resolver", "Upgrade"]

_OUTPUT = "pylock.result.toml"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Which locked versions need not be kept: those of ``packages``, or of all."""

    everything: bool = False
    packages: frozenset[str] = frozenset()

    def keeps(self, package: str) -> bool:
        """Tell whether the locked version of ``package`` is to be kept if possible."""
        return not self.everything and package not in self.packages

    def options(self) -> list[str]:
        """Return how uv is told not to trust what it has cached about them."""
        if self.everything:
            return ["--refresh"]
        return [word for one in sorted(self.packages) for word in ("--refresh-package", one)]


@dataclass(slots=True, kw_only=True)
class Resolver:
    """Resolves ``inputs``, target by target.

    Attributes:
        name: of the project, for uv's explanations.
        sources: the project's own, with credentials.
        size_of: asks a server for the size of a file, where an index does not tell sizes.
        temporary: where a directory for uv is made; None = the system's place.
    """

    name: str
    inputs: LockInputs
    row: AcceleratorRow
    sources: Sources
    machine: MachineSources
    uv: Uv
    size_of: Callable[[str], int | None]
    temporary: Path | None = None
    _hashes: dict[Path, str] = field(default_factory=dict)

    def resolve(
        self, target: Target, pins: Mapping[str, str], upgrade: Upgrade
    ) -> tuple[LockedWheel, ...]:
        """Return the wheels for ``target``, by name.

        ``pins`` are versions to prefer; they give way where a requirement needs another one.

        Raises:
            Unresolvable, SdistOnly: the requirements cannot be met (with wheels).
            NotAWheel, MissingHash: an answer is no wheel with a hash.
            NetworkError, MachineError: uv got no answer, or could not be run.
        """
        local = find_local_wheels([*self.sources.find_links, *self.machine.find_links])
        wanted = parse_requirements(self.inputs.requirements, target)
        named = [*wanted, *parse_requirements(self.inputs.constraints, target)]
        direct = {_normalised(one.name) for one in wanted}
        members: set[str] = set()
        with tempfile.TemporaryDirectory(prefix="wheelship-", dir=self.temporary) as place:
            while True:
                routes = find_routes(
                    direct | members,
                    named,
                    local,
                    row=self.row,
                    target=target,
                    replacement=self._replacement(),
                )
                run = _Run(Path(place), self, target, routes, members - direct, local)
                try:
                    packages = run.compile(pins, upgrade)
                except Unresolvable as error:
                    found, failure = set(_names(error.explanation)), error
                else:
                    found, failure = {package["name"] for package in packages}, None
                # uv sends direct requirements only to the index they are routed to, so a member
                # of a family that something else requires is made direct, and all is done again.
                transitive = {one for one in found if self.row.family_of(one)} - direct - members
                if not transitive:
                    if failure is not None:
                        raise _explained(failure, routes, self.machine)
                    return tuple(self._wheels(packages, run.parents()))
                members |= transitive

    def sha256_of(self, path: Path) -> str:
        """Return the hash of a local file; each is read once."""
        if path not in self._hashes:
            self._hashes[path] = file_sha256(path)
        return self._hashes[path]

    def _replacement(self) -> str | None:
        place = self.sources.torch_index
        return Path(place).as_uri() if place and Path(place).is_absolute() else place

    def _wheels(
        self, packages: Iterable[Mapping[str, Any]], parents: Mapping[str, Sequence[str]]
    ) -> Iterable[LockedWheel]:
        for package in sorted(packages, key=lambda one: str(one["name"])):
            name = package["name"]
            required = sorted(child for child, by in parents.items() if name in by)
            yield self._wheel(package, tuple(required))

    def _wheel(self, package: Mapping[str, Any], requires: tuple[str, ...]) -> LockedWheel:
        """Return the one wheel that uv chose; of several, the first is that of the first place."""
        name = str(package["name"])
        file = next(iter(package.get("wheels", ())), package.get("archive"))
        place = str(file.get("url") or file.get("path")) if file else ""
        filename = unquote(urlsplit(place).path.rpartition("/")[2])
        if file is None or not filename.endswith(".whl"):
            raise NotAWheel(
                f"{name} is no wheel but {_kind(package)}, and building is not supported yet",
                hint="name a released version, or a wheel: "
                f'"{name} @ https://example.org/{name}.whl"',
            )
        sha256 = file.get("hashes", {}).get("sha256")
        if sha256 is None:
            raise MissingHash(f"{name}: the index tells no SHA-256 of {filename}", where=place)
        path = file_path(place) if "://" in place else Path(place)
        url = None if path is not None else without_credentials(place)
        return LockedWheel(
            name=name,
            version=str(package.get("version", "")),
            filename=filename,
            sha256=sha256,
            size_bytes=path.stat().st_size if path else self._size(file, place),
            url=url,
            path=path,
            requires=requires,
        )

    def _size(self, file: Mapping[str, Any], url: str) -> int:
        return int(file.get("size") or self.size_of(url) or 0)


@dataclass(slots=True)
class _Run:
    """One resolution by uv with certain routes, in ``directory``."""

    directory: Path
    resolver: Resolver
    target: Target
    routes: tuple[Route, ...]
    members: set[str]
    local: tuple[LocalWheel, ...]
    _options: list[str] = field(default_factory=list)

    def compile(self, pins: Mapping[str, str], upgrade: Upgrade) -> list[dict[str, Any]]:
        """Return the packages of uv's lock."""
        resolver = self.resolver
        (self.directory / "pyproject.toml").write_text(self._project().text(), "utf-8")
        (self.directory / _OUTPUT).write_text(_preferences(pins, upgrade), "utf-8")
        self._options = self._links()
        if resolver.machine.no_index:
            self._options.append("--no-index")
        resolver.uv.compile(self.directory, self.target, [*self._options, *upgrade.options()])
        document = tomllib.loads((self.directory / _OUTPUT).read_text("utf-8"))
        packages: list[dict[str, Any]] = document.get("packages", [])
        return packages

    def parents(self) -> dict[str, tuple[str, ...]]:
        """Return who requires whom."""
        return self.resolver.uv.parents(self.directory, self.target, self._options)

    def _project(self) -> GeneratedProject:
        resolver = self.resolver
        wheels = [wheel for route in self.routes for wheel in route.wheels]
        own = write_index(self.directory / "local", wheels, resolver.sha256_of) if wheels else ""
        return GeneratedProject(
            name=resolver.name,
            requirements=[*resolver.inputs.requirements, *sorted(self.members)],
            constraints=resolver.inputs.constraints,
            exclude=resolver.inputs.exclude,
            sources={route.package: route.index or own for route in self.routes},
            index=resolver.sources.index or resolver.machine.index,
            extra_indexes=(*resolver.sources.extra_indexes, *resolver.machine.extra_indexes),
        )

    def _links(self) -> list[str]:
        """Return where uv finds the local wheels that belong to no family."""
        resolver = self.resolver
        others = [
            wheel
            for wheel in self.local
            if resolver.row.family_of(wheel.name) is None
            and misfit(wheel, resolver.row, self.target) is None
        ]
        pages = list(resolver.machine.link_pages)
        if others:
            pages.append(write_page(self.directory / "links.html", others, resolver.sha256_of))
        return [word for page in pages for word in ("--find-links", page)]


def _preferences(pins: Mapping[str, str], upgrade: Upgrade) -> str:
    """Return a lock that holds nothing but versions: uv prefers those of the file it replaces."""
    lines = ['lock-version = "1.0"', 'created-by = "wheelship"', f"packages = {'[]'}"]
    kept = {name: version for name, version in sorted(pins.items()) if upgrade.keeps(name)}
    if kept:
        lines.pop()
    for name, version in kept.items():
        lines += ["[[packages]]", f"name = {string(name)}", f"version = {string(version)}"]
    return "\n".join(lines) + "\n"


def _explained(
    error: Unresolvable, routes: Iterable[Route], machine: MachineSources
) -> WheelshipError:
    """Return ``error`` with what only we know: which wheels and indexes were left aside, and why."""
    notes: list[str] = []
    for route in routes:
        if not re.search(rf"\b{re.escape(route.package)}\b", error.explanation):
            continue
        if route.kind == "local":
            names = ", ".join(wheel.path.name for wheel in route.wheels)
            notes.append(f"{route.package} was looked for among local wheels only: {names}")
        else:
            notes.append(f"{route.package} was looked for in {route.index} only")
            notes += [f"not used: {one}" for one in route.unused]
    if machine.ignored_indexes:
        notes.append(f"pip's local indexes are not used: {', '.join(machine.ignored_indexes)}")
    if notes:
        note = "".join(f"\n  {note}" for note in notes)
        return type(error)(
            f"{error.message}\nnote:{note}", explanation=error.explanation, hint=error.hint
        )
    return error


def _kind(package: Mapping[str, Any]) -> str:
    if "vcs" in package:
        return f"a repository ({package['vcs'].get('url') or package['vcs'].get('path')})"
    if "directory" in package:
        return f"a directory ({package['directory'].get('path')})"
    return "source"


def _names(text: str) -> list[str]:
    return [_normalised(one) for one in re.findall(r"[A-Za-z][\w.-]*\w|[A-Za-z]", text)]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
