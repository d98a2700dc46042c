# SPDX-License-Identifier: Apache-2.0
"""What a ``uv.lock`` makes of a resolution: versions that are held, if they can be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from wheelship.lock.errors import HashDiffers, Unresolvable, UvLockMisfit
from wheelship.lock.local import LocalWheel
from wheelship.lock.model import Locked, LockedWheel
from wheelship.lock.resolve import Resolver
from wheelship.lock.target import Target
from wheelship.lock.upgrade import Pins, Upgrade
from wheelship.lock.uv_lock import UvLock, UvPackage
from wheelship.request.choice import chosen_extras
from wheelship.request.model import Project, Variant
from wheelship.request.uv import UvSource
from wheelship.variant.model import AcceleratorRow

__all__ = ["NOTHING_HELD", "Held", "Misfit", "held_versions", "resolve_held"]

_BUILT = ("git", "directory", "editable", "virtual", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A held version whose wheels the target cannot load."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Versions that a resolution has to take over.

    Attributes:
        versions: those that must be met, by name.
        preferred: those of the accelerator's families' own requirements, which give way.
        sources: packages that must be built first, so that a local wheel stands in for each.
        wheels: SHA-256 by file name of the wheels that were locked.
        misfits: versions without a wheel for the target.
    """

    versions: Mapping[str, str]
    preferred: Mapping[str, str]
    sources: tuple[UvSource, ...]
    wheels: Mapping[str, str]
    misfits: tuple[Misfit, ...]

    def constraints(self, loosened: Iterable[Misfit] = ()) -> tuple[str, ...]:
        """Return the held versions as constraints; those ``loosened`` only as upper bounds."""
        below = {one.name for one in loosened}
        return tuple(
            f"{name}{'<' if name in below else '=='}{version}"
            for name, version in sorted(self.versions.items())
        )

    def check_hashes(self, packages: Iterable[Locked]) -> None:
        """Check that the files are those that were locked.

        Raises:
            HashDiffers: one is another file of the same name.
        """
        for wheel in packages:
            wanted = self.wheels.get(wheel.filename) if isinstance(wheel, LockedWheel) else None
            if wanted and wheel.url is not None and wheel.sha256 != wanted:
                raise HashDiffers(
                    f"the index has sha256 {wheel.sha256}, but uv.lock says {wanted}",
                    where=wheel.filename,
                    hint="find out who replaced the file; if it is right:\n"
                    f"uv lock --upgrade-package {wheel.name}",
                )


NOTHING_HELD = Held(versions={}, preferred={}, sources=(), wheels={}, misfits=())


def held_versions(
    lock: UvLock,
    project: Project,
    variant: Variant,
    target: Target,
    row: AcceleratorRow,
    local: Sequence[LocalWheel],
) -> Held:
    """Return what ``lock`` holds for ``variant`` on ``target``; ``local`` wheels help out.

    Raises:
        InvalidUvLock: the lock contradicts itself.
    """
    selected = lock.select(
        project.name,
        target,
        extras=chosen_extras(project, variant),
        groups=variant.groups,
        exclude={*variant.exclude_packages, *project.uv.exclude},
    )
    firm = _firm(selected, project.name, row)
    packages = {name: package for name, (package, _) in selected.items()}
    versions = {
        name: _version(packages[name], row) for name in firm if packages[name].kind == "registry"
    }
    theirs = {name: one for name, one in packages.items() if row.family_of(name) is None}
    return Held(
        versions=versions,
        preferred={name: one.version for name, one in theirs.items() if name not in firm},
        sources=tuple(
            UvSource(
                package=name,
                kind="source",
                place=f"{one.kind} {one.source} in uv.lock",
                fields=_fields(one, project.root),
            )
            for name, one in packages.items()
            if one.kind in _BUILT
        ),
        wheels={file: sha256 for one in theirs.values() for file, sha256 in one.wheels.items()},
        misfits=tuple(
            Misfit(name=name, version=version)
            for name, version in sorted(versions.items())
            if name in theirs and not _is_usable(theirs[name], target, local)
        ),
    )


def _firm(
    selected: Mapping[str, tuple[UvPackage, frozenset[str]]], project: str, row: AcceleratorRow
) -> frozenset[str]:
    """Return the packages that are not required by the accelerator's families alone.

    Which CUDA libraries torch needs depends on the build, and that is the variant's choice.
    """
    firm: set[str] = set()
    waiting = [name for name, (_, parents) in selected.items() if project in parents]
    while waiting:
        name = waiting.pop()
        if name in firm:
            continue
        firm.add(name)
        if row.family_of(name) is None:
            waiting += [child for child, (_, parents) in selected.items() if name in parents]
    return frozenset(name for name in firm if not row.forbids(name))


def _version(package: UvPackage, row: AcceleratorRow) -> str:
    """Return the version; of a package of a family without its label, which is the variant's."""
    if row.family_of(package.name) is None:
        return package.version
    return package.version.partition("+")[0]


def _fields(package: UvPackage, root: Path) -> tuple[tuple[str, str], ...]:
    """Return a source that is to be built as uv's table of sources has it: the commit is held."""
    if package.kind != "git":
        return (("path", normpath(root / package.source)),)
    parts = urlsplit(package.source)
    url = urlunsplit(parts._replace(query="", fragment=""))
    inner = parse_qs(parts.query).get("subdirectory", [])
    return (("git", url), ("rev", parts.fragment), *(("subdirectory", one) for one in inner))


def _is_usable(package: UvPackage, target: Target, local: Sequence[LocalWheel]) -> bool:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    if not package.wheels:  # source only: another error says so
        return True
    tags = frozenset(target.tags())
    for filename in package.wheels:
        try:
            if not tags.isdisjoint(parse_wheel_filename(filename)[3]):
                return True
        except InvalidWheelFilename:
            continue
    return any(
        one.name == package.name and str(one.version) == package.version and one.fits(target)
        for one in local
    )


def resolve_held(
    resolver: Resolver,
    target: Target,
    pins: Pins,
    upgrade: Upgrade,
    held: Held,
    commits: Mapping[str, tuple[str, str, str]],
) -> tuple[Locked, ...]:
    """Resolve with the versions that are held; ``commits`` as of :meth:`Resolver.resolve`.

    Raises:
        UvLockMisfit: one of them has no wheel for the target; the error names one that has.
        WheelshipError: see :meth:`Resolver.resolve`.
    """
    if not held.misfits:
        return resolver.resolve(target, pins, upgrade, held.constraints(), held.sources, commits)
    try:
        # What would the image get if these could be older? That is the nearest that fits.
        below = held.constraints(held.misfits)
        found = resolver.resolve(target, pins, upgrade, below, held.sources, commits)
    except Unresolvable:
        found = ()
    nearest = {wheel.name: wheel.version for wheel in found}
    lines = [
        f"\n  {one.name} {one.version}: "
        + (
            f"the nearest that fits is {nearest[one.name]}"
            if one.name in nearest
            else "none below fits"
        )
        for one in held.misfits
    ]
    older = ", ".join(
        f'"{one.name}<={nearest[one.name]}"' for one in held.misfits if one.name in nearest
    )
    raise UvLockMisfit(
        f"versions without a wheel for {target} with glibc 2.{target.glibc}:{''.join(lines)}",
        where="uv.lock",
        hint=f"add to pyproject.toml, then: uv lock\n[tool.uv]\nconstraint-dependencies = [{older}]"
        if older
        else "choose a base with a newer C library, or build the wheels and name their directory:\n"
        'find-links = ["wheels"]',
    )
