# SPDX-License-Identifier: Apache-2.0
"""Resolves the requirements of a variant for one target after the other."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from wheelship.events import Emit, Warned, discard
from wheelship.fetch.file import file_sha256
from wheelship.lock.answer import check_can_be_had, locked_packages
from wheelship.lock.errors import IndexUnreachable, NotAWheel, SdistOnly, Unresolvable
from wheelship.lock.inputs import LockInputs
from wheelship.lock.local import LocalWheel, find_local_wheels, misfit, write_index, write_page
from wheelship.lock.machine import MachineSources
from wheelship.lock.model import Locked, LockedSource
from wheelship.lock.project import GeneratedProject, Place
from wheelship.lock.route import Route, find_routes, parse_requirements
from wheelship.lock.source import (
    SourceRoute,
    check_binaries,
    check_environment,
    dates_of,
    route_sources,
)
from wheelship.lock.target import Target
from wheelship.lock.toml import inline_table, string
from wheelship.lock.uv import Uv
from wheelship.request.model import BuildRule, Sources
from wheelship.request.requirement import requirement_name
from wheelship.request.uv import UvSettings, UvSource
from wheelship.variant.model import AcceleratorRow

__all__ = ["Pins", "Resolver", "Upgrade"]

Pins: TypeAlias = Mapping[str, Sequence[str]]
"""Versions to prefer, by package."""

_OUTPUT = "pylock.result.toml"
_NO_COMMITS: Mapping[str, tuple[str, str, str]] = {}


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
        rules: how packages are built that have no wheel; None = such ones are refused.
        temporary: where a directory for uv is made; None = the system's place.
        settings: what the project tells uv, with credentials.
        uv_sources: those of its sources that the variant's extras and groups choose.
    """

    name: str
    inputs: LockInputs
    row: AcceleratorRow
    sources: Sources
    machine: MachineSources
    uv: Uv
    size_of: Callable[[str], int | None]
    rules: Mapping[str, BuildRule] | None = None
    temporary: Path | None = None
    settings: UvSettings = field(default_factory=UvSettings)
    uv_sources: tuple[UvSource, ...] = ()
    emit: Emit = discard
    _hashes: dict[Path, str] = field(default_factory=dict)
    _said: set[Warned] = field(default_factory=set)

    def resolve(
        self,
        target: Target,
        pins: Pins,
        upgrade: Upgrade,
        held: Sequence[str] = (),
        built: Sequence[UvSource] = (),
        commits: Mapping[str, tuple[str, str, str]] = _NO_COMMITS,
    ) -> tuple[Locked, ...]:
        """Return the wheels for ``target``, by name, and sources of packages that have none.

        ``pins`` are versions to prefer, by name; they give way where a requirement needs another
        one. ``held`` are constraints beside those of the inputs, and do not give way; ``built``
        names packages that may come from local wheels only. ``commits`` are address, wanted
        revision and commit of repositories, by package, and stay while the requirement names the
        same revision.
        ``upgrade`` says for which packages uv asks the index anew.

        uv sends only direct requirements to the index they are routed to. A member of one of the
        accelerator's families that something else requires is therefore made direct, and all is
        done again. So it is where uv finds that a package has no wheel: source is allowed for that
        package alone, because uv runs the build backend of what it takes as source.

        Raises:
            Unresolvable, SdistOnly: the requirements cannot be met (with wheels).
            SourceUnusable: a source does not say what it requires.
            NotAWheel, MissingHash: an answer is no file with a hash.
            NetworkError, MachineError: uv got no answer, or could not be run.
        """
        check_environment(self.settings, target)
        local = self.local_wheels()
        wanted = parse_requirements(self.inputs.requirements, target)
        direct = {requirement_name(one.name) for one in wanted}
        here = {one.name for one in local if one.fits(target)}
        # Where what only another member requires is, uv reads from that member itself.
        members = {
            one.package
            for one in built
            if self.rules is None or not one.fields or one.package in here
        } - direct
        # What is built is what uv.lock holds: its commit, where a source names a branch.
        own = self._own_routes((*built, *self.uv_sources), direct | members, local, target)
        others = [one for one in wanted if requirement_name(one.name) not in own]
        sources = set(check_can_be_had(others, building=self.rules is not None))
        sources |= {one.package for one in own.values() if one.place and one.place.fields}
        if self.rules is not None:
            # A wheel that the user built of such a package is what was asked for.
            sources |= set(self.settings.no_binary) - here
        constraints = (*self.inputs.constraints, *held)
        named = [*wanted, *parse_requirements((*constraints, *self.inputs.overrides), target)]
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
                run = _Run(
                    Path(place), self, target, routes, own, members, local, constraints, sources
                )
                try:
                    packages = run.compile(pins, upgrade, commits)
                    missed = self._members(one["name"] for one in packages) - direct - members
                except (Unresolvable, IndexUnreachable) as error:
                    missed = self._members(_words(error.message)) - direct - members
                    wheelless = self._wheelless(error) - sources
                    if isinstance(error, IndexUnreachable) or not (missed or wheelless):
                        raise _explained(error, routes, self.machine) from error
                    sources |= wheelless if not missed else set()
                else:
                    if not missed:
                        found = locked_packages(
                            packages, run.parents(), self.size_of, target, run.directory
                        )
                        self._check_may_be_built(found)
                        check_binaries(self.settings, found)
                        return found
                members |= missed

    def sha256_of(self, path: Path) -> str:
        """Return the hash of a local file; each is read once."""
        if path not in self._hashes:
            self._hashes[path] = file_sha256(path)
        return self._hashes[path]

    def local_wheels(self) -> tuple[LocalWheel, ...]:
        """Return the wheels of all local directories, the project's first."""
        return find_local_wheels([*self.sources.find_links, *self.machine.find_links])

    def _own_routes(
        self,
        sources: Iterable[UvSource],
        direct: Iterable[str],
        local: Sequence[LocalWheel],
        target: Target,
    ) -> dict[str, SourceRoute]:
        """Return where the project's own sources lead; what is not honoured is said once."""
        routes, warnings = route_sources(
            sources,
            direct,
            local,
            settings=self.settings,
            row=self.row,
            target=target,
            building=self.rules is not None,
        )
        for warning in warnings:
            if warning not in self._said:
                self._said.add(warning)
                self.emit(warning)
        return {route.package: route for route in routes}

    def _members(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if self.row.family_of(name)}

    def _check_may_be_built(self, packages: Iterable[Locked]) -> None:
        """Check that nothing is to be built where that is forbidden.

        uv need not run anything for a directory that says what it requires, and so takes it.
        """
        for one in packages if self.rules is None else ():
            if isinstance(one, LockedSource):
                raise NotAWheel(
                    f"{one.name} is {one.url or one.path}, and nothing is to be built",
                    where="sdist",
                    hint="remove `sdist = false`, or build the wheel and name its directory:\n"
                    'find-links = ["wheels"]',
                )

    def _wheelless(self, error: Exception) -> set[str]:
        """Return the packages that ``error`` is about, if they may be built."""
        if self.rules is None or not isinstance(error, SdistOnly):
            return set()
        return set(error.packages)

    def _replacement(self) -> str | None:
        """Return the address that takes the place of the accelerator's index, if there is one."""
        place = self.sources.torch_index
        return Path(place).as_uri() if place and Path(place).is_absolute() else place


@dataclass(slots=True)
class _Run:
    """One resolution by uv with certain routes, in ``directory``.

    ``own`` are the routes of the project's sources; ``members`` are required in addition; ``local``
    are all local wheels; of ``sources`` source is taken.
    """

    directory: Path
    resolver: Resolver
    target: Target
    routes: tuple[Route, ...]
    own: Mapping[str, SourceRoute]
    members: set[str]
    local: tuple[LocalWheel, ...]
    constraints: Sequence[str]
    sources: set[str]
    _options: list[str] = field(default_factory=list)

    def compile(
        self,
        pins: Pins,
        upgrade: Upgrade,
        commits: Mapping[str, tuple[str, str, str]],
    ) -> list[dict[str, Any]]:
        """Return the packages of uv's lock."""
        (self.directory / "pyproject.toml").write_text(self._project().text(), "utf-8")
        (self.directory / _OUTPUT).write_text(_preferences(pins, commits), "utf-8")
        self._options = self._links()
        for name in sorted(self.sources):
            self._options += ["--no-binary", name]
        self._uv().compile(self.directory, self.target, [*self._options, *upgrade.options()])
        document = tomllib.loads((self.directory / _OUTPUT).read_text("utf-8"))
        packages: list[dict[str, Any]] = document.get("packages", [])
        return packages

    def parents(self) -> dict[str, tuple[str, ...]]:
        """Return who requires whom."""
        return self._uv().parents(self.directory, self.target, self._options)

    def _uv(self) -> Uv:
        """Return uv with the variables that the backends of sources are to see."""
        uv, rules = self.resolver.uv, self.resolver.rules or {}
        chosen = [rules[name] for name in sorted(self.sources & rules.keys())]
        environment = {**uv.environment, **{key: text for one in chosen for key, text in one.env}}
        return replace(uv, environment=environment) if chosen else uv

    def _project(self) -> GeneratedProject:
        resolver, rules = self.resolver, self.resolver.rules or {}
        inputs, settings = resolver.inputs, resolver.settings
        routes = [one for one in self.routes if one.package not in self._preferred()]
        devices = [route.requirement for route in routes if route.extras]
        known = [f"{route.package}{route.versions}" for route in routes if route.versions]
        return GeneratedProject(
            name=resolver.name,
            requirements=[*inputs.requirements, *sorted(self.members), *devices],
            constraints=[*self.constraints, *known],
            exclude=inputs.exclude,
            sources=self._places(),
            index=self._index(),
            build_requires={name: one.requires for name, one in rules.items() if one.requires},
            build_settings={name: dict(one.settings) for name, one in rules.items()},
            extra_indexes=()
            if self._no_index
            else (*resolver.sources.extra_indexes, *resolver.machine.extra_indexes),
            overrides=inputs.overrides,
            settings={**dict((*settings.options, *settings.access)), **self._dates()},
            metadata=inputs.metadata,
            index_names={one: name for name, one in resolver.sources.named_indexes},
        )

    def _places(self) -> dict[str, Place]:
        """Return the only place of each package that has one.

        A wheel that the project names comes first, then fitting local wheels, the index that the
        variant names in the place of the accelerator's, the project's, the accelerator's.
        """
        routes = {route.package: route for route in self.routes}
        preferred = self._preferred()
        named = {name: one.wheels for name, one in routes.items()}
        named |= {name: one.wheels for name, one in preferred.items()}
        wheels = [one for name, found in named.items() for one in self._fitting(name, found)]
        page = ""
        if wheels:
            page = write_index(self.directory / "local", wheels, self.resolver.sha256_of)
        places = {
            name: Place("index", route.index or page)
            for name, route in routes.items()
            if route.kind != "public"
        }
        for name, own in preferred.items():
            places[name] = own.place or Place("index", page)
        return places

    def _preferred(self) -> dict[str, SourceRoute]:
        """Return the project's sources that win over what the accelerator's data says."""
        routes = {route.package: route for route in self.routes}
        replaced = self.resolver.sources.torch_index is not None
        found: dict[str, SourceRoute] = {}
        for name, own in self.own.items():
            route = routes.get(name)
            if own.place is None or own.place.kind in ("url", "source"):
                wins = True
            elif route is None:
                wins = not replaced or self.resolver.row.family_of(name) is None
            else:
                wins = route.kind == "accelerator" or (route.kind == "public" and not replaced)
            if wins:
                found[name] = own
        return found

    def _dates(self) -> dict[str, str]:
        local = {one.name for one in self.local}
        local |= {one.name for route in self.own.values() for one in route.wheels}
        return dates_of(self.resolver.settings, local)

    def _fitting(self, name: str, wheels: Sequence[LocalWheel]) -> list[LocalWheel]:
        """Return the wheels that are no other accelerator's build: a source may name many."""
        if self.resolver.row.family_of(name) is None:
            return list(wheels)
        return [one for one in wheels if misfit(one, self.resolver.row, self.target) is None]

    @property
    def _no_index(self) -> bool:
        return self.resolver.machine.no_index or self.resolver.settings.no_index

    def _index(self) -> str | None:
        resolver = self.resolver
        if self._no_index:
            # uv's --no-index would turn off the index of local wheels too; an empty one does not.
            (self.directory / "nothing").mkdir(exist_ok=True)
            return (self.directory / "nothing").as_uri()
        return resolver.sources.index or resolver.machine.index

    def _links(self) -> list[str]:
        """Return where uv finds local wheels; it ignores them for packages that are routed."""
        resolver = self.resolver
        fitting = [one for one in self.local if misfit(one, resolver.row, self.target) is None]
        pages = [*resolver.sources.link_pages, *resolver.machine.link_pages]
        if fitting:
            pages.append(write_page(self.directory / "links.html", fitting, resolver.sha256_of))
        return [word for page in pages for word in ("--find-links", page)]


def _preferences(pins: Pins, commits: Mapping[str, tuple[str, str, str]]) -> str:
    """Return a lock of nothing but versions and commits: uv prefers what the file it replaces has.

    Of several versions of one package it takes one that it can have. A package named by its address
    has a version too, which counts for nothing there.
    """
    lines = ['lock-version = "1.0"', 'created-by = "wheelship"']
    lines += [] if pins else ["packages = []"]
    for name, versions in sorted(pins.items()):
        for version in versions:
            lines += ["[[packages]]", f"name = {string(name)}", f"version = {string(version)}"]
            if name in commits:
                url, revision, commit = commits[name]
                fields = {"type": string("git"), "url": string(url), "commit-id": string(commit)}
                if revision:
                    fields["requested-revision"] = string(revision)
                lines.append(f"vcs = {inline_table(fields)}")
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
