# SPDX-License-Identifier: Apache-2.0
"""Resolves the requirements of a variant for one target after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wheelship.events import Emit, Warned, discard
from wheelship.fetch.file import file_sha256
from wheelship.lock.answer import check_can_be_had, locked_packages
from wheelship.lock.errors import IndexUnreachable, NotAWheel, SdistOnly, Unresolvable
from wheelship.lock.explain import explained, words
from wheelship.lock.inputs import LockInputs
from wheelship.lock.local import LocalWheel, find_local_wheels
from wheelship.lock.machine import MachineSources
from wheelship.lock.model import Locked, LockedSource
from wheelship.lock.route import find_routes, parse_requirements
from wheelship.lock.run import Run
from wheelship.lock.source import SourceRoute, check_binaries, check_environment, route_sources
from wheelship.lock.target import Target
from wheelship.lock.upgrade import Pins, Upgrade
from wheelship.lock.uv import Uv
from wheelship.request.model import BuildRule, Sources
from wheelship.request.requirement import requirement_name
from wheelship.request.uv import UvSettings, UvSource
from wheelship.variant.model import AcceleratorRow

__all__ = ["Resolver"]


_NO_COMMITS: Mapping[str, tuple[str, str, str]] = {}


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
                run = Run(
                    Path(place), self, target, routes, own, members, local, constraints, sources
                )
                try:
                    packages = run.compile(pins, upgrade, commits)
                    missed = self._members(one["name"] for one in packages) - direct - members
                except (Unresolvable, IndexUnreachable) as error:
                    missed = self._members(words(error.message)) - direct - members
                    wheelless = self._wheelless(error) - sources
                    if isinstance(error, IndexUnreachable) or not (missed or wheelless):
                        raise explained(error, routes, self.machine) from error
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
