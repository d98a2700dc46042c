# SPDX-License-Identifier: Apache-2.0
"""Why a package is in an image: the ways to it from what was asked for.

What was asked for are the project's requirements and system packages, and what every base holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from wheelship.debian.dependency import control_fields, dependencies
from wheelship.debian.distribution import distribution
from wheelship.debian.lock import DebianLock
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.request.model import Project, Variant
from wheelship.request.value import canonical_name
from wheelship.store.store import Store

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Graph", "Root", "Way", "debian_graph", "python_graph"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A package that was asked for.

    ``label`` is the requirement without marker and address, ``origin`` who asks for it:
    ``project``, ``extra NAME``, ``group NAME``, ``system-packages``, ``base``; ``reason`` is what
    the base holds it for, else empty.
    """

    package: str
    label: str
    origin: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """The shortest way to a package: ``path`` begins with the root's and ends with it."""

    root: Root
    path: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What was asked for, and what each package requires.

    ``complete`` is False where it is not known what the packages require: of Debian packages only
    they themselves tell, and they need not have been fetched yet.
    """

    roots: tuple[Root, ...]
    requires: Mapping[str, tuple[str, ...]]
    complete: bool = True

    @cached_property
    def _dependants(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for name in sorted(self.requires):
            for one in self.requires[name]:
                found.setdefault(one, []).append(name)
        return {name: tuple(names) for name, names in found.items()}

    def dependants(self, package: str) -> tuple[str, ...]:
        """Return the packages that require ``package`` themselves, by name."""
        return self._dependants.get(package, ())

    def ways(self, package: str) -> tuple[Way, ...]:
        """Return the shortest way from each root that leads to ``package``, the shortest first."""
        # Backwards from the package: one search serves all roots.
        towards: dict[str, str | None] = {package: None}
        queue = deque([package])
        while queue:
            name = queue.popleft()
            for one in self.dependants(name):
                if one not in towards:
                    towards[one] = name
                    queue.append(one)
        found = []
        for root in self.roots:
            step: str | None = root.package
            path: list[str] = []
            while step is not None and step in towards:
                path.append(step)
                step = towards[step]
            if path:
                found.append(Way(root, tuple(path)))
        return tuple(sorted(found, key=lambda way: (len(way.path), way.root.package)))


def python_graph(
    project: Project, variant: Variant, wheels: Sequence[LockedWheel], target: Target
) -> Graph:
    """Return the graph of the wheels of one image."""
    names = {wheel.name for wheel in wheels}
    asked = [("project", one) for one in project.dependencies]
    for extra in variant.extras:
        asked += [(f"extra {extra}", one) for one in project.extras[extra]]
    for group in variant.groups:
        asked += [(f"group {group}", one) for one in project.groups[group]]
    return Graph(
        roots=tuple(_python_roots(asked, names, target)),
        requires={
            wheel.name: tuple(one for one in wheel.requires if one in names) for wheel in wheels
        },
    )


def _python_roots(
    asked: Iterable[tuple[str, str]], names: set[str], target: Target
) -> Iterable[Root]:
    from packaging.requirements import Requirement

    environment = cast("dict[str, str]", target.environment())
    for origin, text in asked:
        requirement = Requirement(text)
        applies = requirement.marker is None or requirement.marker.evaluate(environment)
        name = canonical_name(requirement.name)
        if applies and name in names:
            yield Root(package=name, label=_label(requirement), origin=origin)


def _label(requirement: Requirement) -> str:
    """Return the requirement without its address, which may carry a password."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def debian_graph(lock: DebianLock, store: Store) -> Graph:
    """Return the graph of the Debian packages, as far as those in the store tell."""
    table = distribution(lock.release)
    held = {package.name for package in lock.packages}
    roots = [
        Root(package=seed.name, label=seed.name, origin="base", reason=seed.reason)
        for seed in (*table.seeds, *table.debug)
        if seed.name in held
    ]
    seeds = {root.package for root in roots}
    roots += [
        Root(package=name, label=name, origin="system-packages")
        for name in lock.requested
        if name not in seeds
    ]
    files = {
        one.name: (store.download(one.sha256), one.filename.rpartition("/")[2])
        for one in lock.packages
    }
    fields = {
        name: control_fields(path, where=where)
        for name, (path, where) in files.items()
        if path.is_file()
    }
    return Graph(
        roots=tuple(roots),
        requires=dependencies(fields, table.cuts),
        complete=len(fields) == len(files),
    )
