# SPDX-License-Identifier: Apache-2.0
"""Which packages an image needs: the closure of dependencies, always decided the same way.

apt solves a harder problem: an existing system, recommendations, removals. Here the image is empty
and every choice is local. A package is the highest version that its relation allows; of
alternatives, one that is chosen already wins, then the first that exists, then the providers of a
virtual package by name. Essential packages are not implied: dpkg and a shell are just what an image
should not have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from wheelship.debian.distribution import Cut
from wheelship.debian.errors import ConflictingPackages, UnknownPackage, UnsatisfiedDependency
from wheelship.debian.index import Available, PackageIndex
from wheelship.debian.relation import Relation

__all__ = ["Closure"]


@dataclass(slots=True, kw_only=True)
class Closure:
    """A growing set of packages that satisfies itself.

    ``preferred`` are the exact packages of an older lock, ``name -> (version, SHA-256)``: they win
    over higher versions where the archive still has them.
    """

    index: PackageIndex
    cuts: tuple[Cut, ...]
    preferred: dict[str, tuple[str, str]] = field(default_factory=dict)
    chosen: dict[str, Available] = field(default_factory=dict)
    _parents: dict[str, str | None] = field(default_factory=dict)
    _provided: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)

    def add(self, names: Iterable[str]) -> None:
        """Choose the packages ``names`` and whatever they need, breadth first.

        Raises:
            UnknownPackage: the release has no package of such a name.
            UnsatisfiedDependency: something that is needed does not exist, with the chain to it.
        """
        waiting: deque[str] = deque()
        for name in names:
            self._seed(name, waiting)
        while waiting:
            package = self.chosen[waiting.popleft()]
            for group in package.depends:
                if not self._is_cut(package.name, group):
                    self._satisfy(package.name, group, waiting)

    def check_conflicts(self) -> None:
        """Refuse a set whose packages exclude each other.

        Raises:
            ConflictingPackages: naming both.
        """
        for name in sorted(self.chosen):
            for relation in self.chosen[name].conflicts:
                for other in self._answering(relation):
                    if other != name:
                        raise ConflictingPackages(
                            f"{name} conflicts with {relation}, but {other} is needed too",
                            where=f"{self._chain(name)}; {self._chain(other)}",
                            hint="ask for only one of them in `system-packages`",
                        )

    def _seed(self, name: str, waiting: deque[str]) -> None:
        if name in self.chosen:
            return
        candidates = self._candidates(Relation(name))
        if not candidates:
            providers = self.index.providers(name)
            similar = self.index.similar(name)
            hint = None
            if providers:
                hint = f"{name} is a virtual package: ask for one of {', '.join(providers[:5])}"
            elif similar:
                hint = f"did you mean {', '.join(similar)}?"
            raise UnknownPackage(
                f"the release has no package {name}", where="system-packages", hint=hint
            )
        self._choose(candidates[0], None, waiting)

    def _satisfy(self, parent: str, group: tuple[Relation, ...], waiting: deque[str]) -> None:
        if any(self._answering(relation) for relation in group):
            return
        for relation in group:
            for candidate in self._candidates(relation):
                if candidate.name not in self.chosen:
                    self._choose(candidate, parent, waiting)
                    return
        for relation in group:
            for provider in self.index.providers(relation.name):
                for candidate in self._candidates(Relation(provider)):
                    if provider not in self.chosen and _provides(candidate, relation):
                        self._choose(candidate, parent, waiting)
                        return
        wanted = " | ".join(map(str, group))
        held = [self.chosen[one.name].version for one in group if one.name in self.chosen]
        raise UnsatisfiedDependency(
            f"{parent} depends on {wanted}, which "
            + (f"cannot be had beside version {held[0]} chosen before" if held else "is not there"),
            where=self._chain(parent),
            hint="the mirror may be in the middle of an update: try again in some minutes",
        )

    def _choose(self, package: Available, parent: str | None, waiting: deque[str]) -> None:
        self.chosen[package.name] = package
        self._parents[package.name] = parent
        for provided in package.provides:
            self._provided.setdefault(provided.name, []).append((package.name, provided.version))
        waiting.append(package.name)

    def _candidates(self, relation: Relation) -> list[Available]:
        """Return the packages that ``relation`` names and allows, the preferred one first."""
        found = [one for one in self.index.named(relation.name) if relation.allows(one.version)]
        preferred = self.preferred.get(relation.name)
        if preferred is not None:
            found.sort(key=lambda one: (one.version, one.sha256) != preferred)
        return found

    def _answering(self, relation: Relation) -> list[str]:
        """Return the chosen packages that ``relation`` is about, itself or by provision."""
        provided = self._provided.get(relation.name, ())
        found = [name for name, version in provided if relation.allows(version)]
        package = self.chosen.get(relation.name)
        if package is not None and relation.allows(package.version):
            found.insert(0, package.name)
        return found

    def _is_cut(self, package: str, group: tuple[Relation, ...]) -> bool:
        names = {relation.name for relation in group}
        return any(cut.dependency in names and cut.package in (None, package) for cut in self.cuts)

    def _chain(self, name: str) -> str:
        steps = [name]
        while (parent := self._parents[steps[-1]]) is not None:
            steps.append(parent)
        return " <- ".join(steps)


def _provides(package: Available, relation: Relation) -> bool:
    return any(
        one.name == relation.name and relation.allows(one.version) for one in package.provides
    )
