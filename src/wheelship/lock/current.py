# SPDX-License-Identifier: Apache-2.0
"""Tells whether a ``uv.lock`` was made from what its project requires now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from wheelship.lock.errors import UvLockOutOfDate
from wheelship.lock.target import Target
from wheelship.lock.uv_lock import UvLock, holds
from wheelship.request.choice import chosen_extras
from wheelship.request.model import Project, Variant

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["check_current"]


def check_current(lock: UvLock, project: Project, variant: Variant, target: Target) -> None:
    """Check that ``lock`` was made from what ``project`` requires now, as far as it matters here.

    Raises:
        UvLockOutOfDate: it was not; the error says what changed.
    """
    from packaging.specifiers import SpecifierSet

    lines: list[str] = []
    if lock.requires_python and not SpecifierSet(lock.requires_python).contains(target.python_full):
        lines.append(f"requires-python: it is for {lock.requires_python}, not {target.python_full}")
    requires = lock.root(project.name).requires
    if requires:
        extras = chosen_extras(project, variant)
        before = set(_locked(requires, project.name, target, extras, variant.groups))
        now = set(_required(project, target, extras, variant.groups))
        direct = {name for _, name, text in before if text == _DIRECT}
        now = {(scope, name, _DIRECT if name in direct else text) for scope, name, text in now}
        lines += [f"+ {_row(one)}" for one in sorted(now - before)]
        lines += [f"- {_row(one)}" for one in sorted(before - now)]
    for label, held, texts in (
        ("constraint", lock.constraints, project.uv.constraints),
        ("override", lock.overrides, project.uv.overrides),
    ):
        named = {(_name(one), str(one.specifier)) for one in _parsed(texts)}
        known = {(name, str(SpecifierSet(text))) for name, text in held}
        lines += [f"+ {label} {name}{text}" for name, text in sorted(named - known)]
        lines += [f"- {label} {name}{text}" for name, text in sorted(known - named)]
    if lines:
        raise UvLockOutOfDate(str(lock.path), lines, hint="uv lock")


_DIRECT = "@"
_Row = tuple[str, str, str]
"""Extra or group (empty for the project's own), name with extras, specifier or :data:`_DIRECT`."""


def _row(row: _Row) -> str:
    scope, name, text = row
    return f"{name}{text if text != _DIRECT else ''}{f' ({scope})' if scope else ''}"


def _locked(
    requires: Mapping[str, Any],
    project: str,
    target: Target,
    extras: Iterable[str],
    groups: Iterable[str],
) -> Iterator[_Row]:
    rows = requires.get("requires-dist", ())
    for row in rows:
        marker = row.get("marker", "")
        if holds(marker, target, project, ()):
            yield ("", *_entry(row))
            continue
        for extra in extras:
            if holds(marker, target, project, (), extra):
                yield (f"extra {extra}", *_entry(row))
    dev = requires.get("requires-dev", {})
    for group in groups:
        for row in dev.get(group, ()):
            if holds(row.get("marker", ""), target, project, ()):
                yield (f"group {group}", *_entry(row))


def _entry(row: Mapping[str, Any]) -> tuple[str, str]:
    from packaging.specifiers import SpecifierSet

    direct = not {"url", "git", "path", "directory", "editable", "virtual"}.isdisjoint(row)
    text = _DIRECT if direct else str(SpecifierSet(row.get("specifier", "")))
    return _with_extras(row["name"], row.get("extras", ())), text


def _required(
    project: Project, target: Target, extras: Iterable[str], groups: Iterable[str]
) -> Iterator[_Row]:
    scopes = [("", project.dependencies)]
    scopes += [(f"extra {one}", project.extras.get(one, ())) for one in extras]
    scopes += [(f"group {one}", project.groups.get(one, ())) for one in groups]
    environment = cast("dict[str, str]", {**target.environment(), "extra": ""})
    for scope, texts in scopes:
        for one in _parsed(texts):
            if one.marker is None or one.marker.evaluate(environment):
                text = _DIRECT if one.url else str(one.specifier)
                yield scope, _with_extras(_name(one), one.extras), text


def _parsed(texts: Iterable[str]) -> list[Requirement]:
    from packaging.requirements import Requirement

    return [Requirement(text) for text in texts]


def _name(requirement: Requirement) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(requirement.name)


def _with_extras(name: str, extras: Iterable[str]) -> str:
    from packaging.utils import canonicalize_name

    named = sorted(canonicalize_name(one) for one in extras)
    return f"{name}[{','.join(named)}]" if named else name
