# SPDX-License-Identifier: Apache-2.0
"""What a source needs to be built, read from the source itself and pinned for every machine.

PEP 517 and 518: ``[build-system]`` of ``pyproject.toml``, or setuptools where there is none. What a
backend asks for only when it runs ("get_requires_for_build_wheel") is not known here; the build,
which has nothing but what was pinned, then fails and says what to add.
"""

from __future__ import annotations

import tarfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wheelship.lock.errors import SourceUnusable, Unresolvable
from wheelship.lock.model import LEGACY_BUILD, BuildRequirement, Locked, LockedSource, LockedWheel
from wheelship.lock.resolve import Resolver
from wheelship.lock.target import Target
from wheelship.lock.upgrade import Upgrade
from wheelship.oci.platform import Platform
from wheelship.request.errors import InvalidValue
from wheelship.request.model import BuildRule
from wheelship.request.requirement import check_requirement

__all__ = ["declared_requirements", "pin_builds"]

_TEXT_BYTES = 1024 * 1024
_MEMBERS = 200_000
_ARCHITECTURES = ("amd64", "arm64")


def pin_builds(
    selections: Mapping[Target, Sequence[Locked]],
    resolver: Resolver,
    path_of: Callable[[LockedSource], Path],
    pins: Mapping[str, Mapping[str, str]],
    upgrade: Upgrade,
) -> dict[Target, tuple[Locked, ...]]:
    """Return ``selections`` with the build requirements of each source, once per source.

    They are pinned for machines of both architectures, whatever the targets are: a wheel that is
    good for all of them may be built on either, and the lock does not depend on which machine made
    it. Versions that the image has are preferred, because compiled code must fit them; else those
    of ``pins``, by package, which the lock had before. For what ``upgrade`` names the index is
    asked anew.

    Raises:
        SourceUnusable: a source cannot be read.
        Unresolvable: what it needs cannot be had for any machine.
        NetworkError, MachineError: an index, uv or the disk failed.
    """
    done: dict[tuple[str, str, str], tuple[BuildRequirement, ...]] = {}
    result: dict[Target, tuple[Locked, ...]] = {}
    for target, packages in selections.items():
        installed = {one.name: one.version for one in packages if one.version}
        found: list[Locked] = []
        for one in packages:
            if isinstance(one, LockedSource):
                key = (one.name, one.version, one.sha256 or one.commit)
                if key not in done:
                    rule = (resolver.rules or {}).get(one.name, BuildRule())
                    wanted = (*declared_requirements(path_of(one), one), *rule.requires)
                    preferred = {**pins.get(one.name, {}), **installed}
                    done[key] = _pinned(one, wanted, resolver, target, preferred, upgrade)
                one = replace(one, build=done[key])  # noqa: PLW2901 - the same with more
            found.append(one)
        result[target] = tuple(found)
    return result


def declared_requirements(path: Path, source: LockedSource) -> tuple[str, ...]:
    """Return what the archive or directory at ``path`` says that its build requires.

    Raises:
        SourceUnusable: it is no source tree, or says it in no readable way.
    """
    try:
        inner = source.subdirectory.strip("/")
        if path.is_dir():
            text = _from_directory(path / inner)
        else:
            text = _from_archive(path, [*inner.split("/")] if inner else [])
        if text is None:
            return LEGACY_BUILD
        table = tomllib.loads(text.decode()).get("build-system")
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise SourceUnusable(
            f"what its build requires cannot be read: {error}", where=source.filename
        ) from error
    if table is None:
        return LEGACY_BUILD
    requires = table.get("requires") if isinstance(table, dict) else None
    if not isinstance(requires, list) or not all(isinstance(one, str) for one in requires):
        raise SourceUnusable(
            "its build-system table has no list `requires` (PEP 518)", where=source.filename
        )
    for one in requires:
        try:
            check_requirement(one)
        except InvalidValue as error:
            raise SourceUnusable(error.message, where=source.filename) from error
    return tuple(requires)


def _from_directory(path: Path) -> bytes | None:
    declaring = path / "pyproject.toml"
    if declaring.is_file():
        return declaring.read_bytes()
    if not (path / "setup.py").is_file():
        raise ValueError("it has neither pyproject.toml nor setup.py")
    return None


def _from_archive(path: Path, inner: list[str]) -> bytes | None:
    """Return ``pyproject.toml`` of the one directory that an sdist holds (PEP 517)."""
    with tarfile.open(path, "r:*") as archive:
        for count, member in enumerate(archive):
            if count > _MEMBERS:
                raise ValueError(f"it has more than {_MEMBERS} members")
            parts = member.name.removeprefix("./").split("/")
            if parts[1:] == [*inner, "pyproject.toml"] and member.isreg():
                if member.size > _TEXT_BYTES:
                    raise ValueError(f"its pyproject.toml has {member.size} bytes")
                stream = archive.extractfile(member)
                return stream.read() if stream is not None else None
    return None


def _pinned(
    source: LockedSource,
    wanted: Iterable[str],
    resolver: Resolver,
    target: Target,
    pins: Mapping[str, str],
    upgrade: Upgrade,
) -> tuple[BuildRequirement, ...]:
    requirements = tuple(sorted(set(wanted)))
    if not requirements:
        return ()
    inner = replace(
        resolver,
        name=f"build-of-{source.name}",
        inputs=replace(
            resolver.inputs,
            requirements=requirements,
            constraints=(),
            overrides=(),
            exclude=(),
            metadata=(),
        ),
        # What a project tells uv of its own packages does not hold for tools that build others.
        settings=replace(resolver.settings, environments=(), no_binary=()),
        uv_sources=(),
        rules=None,
    )
    chosen: dict[str, dict[str, LockedWheel]] = {}
    refused: Unresolvable | None = None
    preferred = {name: (version,) for name, version in pins.items()}
    for architecture in _ARCHITECTURES:
        machine = replace(target, platform=Platform(architecture))
        try:
            wheels = inner.resolve(machine, preferred, upgrade)
        except Unresolvable as error:
            refused = error
            continue
        preferred |= {one.name: (one.version,) for one in wheels}
        chosen[architecture] = {one.name: one for one in wheels if isinstance(one, LockedWheel)}
    if target.platform.architecture not in chosen and refused is not None:
        raise Unresolvable(
            f"what {source.name} {source.version} needs to be built:\n{refused.message}",
            explanation=refused.explanation,
            where=source.filename,
            hint=f"ask for other versions:\n[tool.wheelship.sdist.{source.name}]\n"
            'requires = ["setuptools<81"]\n'
            'or name a directory with wheels that fit:\nfind-links = ["wheels"]',
        ) from refused
    return tuple(_joined(chosen))


def _joined(chosen: Mapping[str, Mapping[str, LockedWheel]]) -> Iterable[BuildRequirement]:
    found: dict[tuple[str, str], tuple[LockedWheel, list[str]]] = {}
    for architecture, wheels in chosen.items():
        for name, wheel in wheels.items():
            found.setdefault((name, wheel.sha256), (wheel, []))[1].append(architecture)
    for _, (wheel, architectures) in sorted(found.items()):
        everywhere = set(architectures) == set(_ARCHITECTURES)
        yield BuildRequirement(
            wheel=wheel, architectures=() if everywhere else tuple(architectures)
        )
