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

from wheelship.fetch.file import file_sha256
from wheelship.lock.answer import check_are_wheels, locked_wheels
from wheelship.lock.errors import IndexUnreachable, Unresolvable
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
from wheelship.request.requirement import requirement_name
from wheelship.variant.model import AcceleratorRow

__all__ = ["Resolver", "Upgrade"]

_OUTPUT = "pylock.result.toml"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Which locked versions need not be kept: those of ``packages``, or all."""

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
        ``upgrade`` says for which packages uv asks the index anew.

        uv sends only direct requirements to the index they are routed to. A member of one of the
        accelerator's families that something else requires is therefore made direct, and all is
        done again.

        Raises:
            Unresolvable, SdistOnly: the requirements cannot be met (with wheels).
            NotAWheel, MissingHash: an answer is no wheel with a hash.
            NetworkError, MachineError: uv got no answer, or could not be run.
        """
        local = find_local_wheels([*self.sources.find_links, *self.machine.find_links])
        wanted = parse_requirements(self.inputs.requirements, target)
        check_are_wheels(wanted)
        named = [*wanted, *parse_requirements(self.inputs.constraints, target)]
        direct = {requirement_name(one.name) for one in wanted}
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
                    gpu_targets=self.inputs.gpu_targets,
                )
                run = _Run(Path(place), self, target, routes, members, local)
                try:
                    packages = run.compile(pins, upgrade)
                    missed = self._members(one["name"] for one in packages) - direct - members
                except (Unresolvable, IndexUnreachable) as error:
                    missed = self._members(_words(error.message)) - direct - members
                    if not missed or isinstance(error, IndexUnreachable):
                        raise _explained(error, routes, self.machine) from error
                else:
                    if not missed:
                        return locked_wheels(packages, run.parents(), self.size_of, target)
                members |= missed

    def sha256_of(self, path: Path) -> str:
        """Return the hash of a local file; each is read once."""
        if path not in self._hashes:
            self._hashes[path] = file_sha256(path)
        return self._hashes[path]

    def _members(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if self.row.family_of(name)}

    def _replacement(self) -> str | None:
        """Return the address that takes the place of the accelerator's index, if there is one."""
        place = self.sources.torch_index
        return Path(place).as_uri() if place and Path(place).is_absolute() else place


@dataclass(slots=True)
class _Run:
    """One resolution by uv with certain routes, in ``directory``.

    ``members`` are required in addition; ``local`` are all local wheels.
    """

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
        (self.directory / _OUTPUT).write_text(_preferences(pins), "utf-8")
        self._options = self._links()
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
        devices = [route.requirement for route in self.routes if route.extras]
        known = [f"{route.package}{route.versions}" for route in self.routes if route.versions]
        own = write_index(self.directory / "local", wheels, resolver.sha256_of) if wheels else ""
        return GeneratedProject(
            name=resolver.name,
            requirements=[*resolver.inputs.requirements, *sorted(self.members), *devices],
            constraints=[*resolver.inputs.constraints, *known],
            exclude=resolver.inputs.exclude,
            sources={
                route.package: route.index or own for route in self.routes if route.kind != "public"
            },
            index=self._index(),
            extra_indexes=()
            if resolver.machine.no_index
            else (*resolver.sources.extra_indexes, *resolver.machine.extra_indexes),
        )

    def _index(self) -> str | None:
        resolver = self.resolver
        if resolver.machine.no_index:
            # uv's --no-index would turn off the index of local wheels too; an empty one does not.
            (self.directory / "nothing").mkdir(exist_ok=True)
            return (self.directory / "nothing").as_uri()
        return resolver.sources.index or resolver.machine.index

    def _links(self) -> list[str]:
        """Return where uv finds local wheels; it ignores them for packages that are routed."""
        resolver = self.resolver
        fitting = [one for one in self.local if misfit(one, resolver.row, self.target) is None]
        pages = list(resolver.machine.link_pages)
        if fitting:
            pages.append(write_page(self.directory / "links.html", fitting, resolver.sha256_of))
        return [word for page in pages for word in ("--find-links", page)]


def _preferences(pins: Mapping[str, str]) -> str:
    """Return a lock that holds nothing but versions: uv prefers those of the file it replaces."""
    lines = ['lock-version = "1.0"', 'created-by = "wheelship"']
    lines += [] if pins else ["packages = []"]
    for name, version in sorted(pins.items()):
        lines += ["[[packages]]", f"name = {string(name)}", f"version = {string(version)}"]
    return "\n".join(lines) + "\n"


def _explained(
    error: Unresolvable | IndexUnreachable, routes: Sequence[Route], machine: MachineSources
) -> Unresolvable | IndexUnreachable:
    """Return ``error`` with what only we know: which wheels and indexes were left aside."""
    notes: list[str] = []
    hint = error.hint
    for route in routes:
        if route.kind == "local" and route.package in _words(error.message):
            names = ", ".join(wheel.path.name for wheel in route.wheels)
            notes.append(f"{route.package} was looked for among local wheels only: {names}")
        elif route.kind == "public":
            if route.versions and route.package in _words(error.message):
                told = f"the public index has builds of {route.package} that fit for"
                notes.append(f"{told} {route.versions} only")
                notes += [f"not used: {one}" for one in route.unused]
        elif route.package in _words(error.message) or str(route.index) in error.message:
            notes.append(f"{route.package} was looked for in {route.index} only")
            notes += [f"not used: {one}" for one in route.unused]
            hint = (
                f"name a directory with a wheel of {route.package} that fits, or another index:\n"
                'find-links = ["wheels"]\ntorch-index = "https://example.org/whl"'
            )
            if route.public:
                hint += "\nor take the builds of the public index that are known to fit:\n"
                hint += 'torch-index = "public"'
    if machine.ignored_indexes and type(error) is Unresolvable:
        notes.append(f"pip's local indexes are not used: {', '.join(machine.ignored_indexes)}")
    note = "\nnote:" + "".join(f"\n  {note}" for note in notes) if notes else ""
    if isinstance(error, IndexUnreachable):
        return IndexUnreachable(error.message + note, hint=hint)
    kind = type(error)
    return kind(error.message + note, explanation=error.explanation, hint=error.hint or hint)


def _words(text: str) -> set[str]:
    """Return what could be package names in ``text``, normalised."""
    words = re.findall(r"[A-Za-z][\w.-]*\w|[A-Za-z]", text)
    return {re.sub(r"[-_.]+", "-", word).lower() for word in words}
