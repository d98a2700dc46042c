# SPDX-License-Identifier: Apache-2.0
"""One resolution by uv: the project that is written for it, and the lock that it answers with."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelship.lock.local import LocalWheel, misfit, write_index, write_page
from wheelship.lock.project import GeneratedProject, Place
from wheelship.lock.route import Route
from wheelship.lock.source import SourceRoute, dates_of
from wheelship.lock.target import Target
from wheelship.lock.toml import inline_table, string
from wheelship.lock.upgrade import Pins, Upgrade
from wheelship.lock.uv import Uv

if TYPE_CHECKING:
    from wheelship.lock.resolve import Resolver

__all__ = ["Run"]

_OUTPUT = "pylock.result.toml"


@dataclass(slots=True)
class Run:
    """A resolution with certain routes, in ``directory``.

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
