# SPDX-License-Identifier: Apache-2.0
"""Optional dependencies and dependency groups (PEP 621, PEP 735), by normalised name."""

from __future__ import annotations

from wheelship.errors import InputError
from wheelship.request.requirement import check_requirement
from wheelship.request.table import Table
from wheelship.request.value import canonical_name

__all__ = ["read_extras", "read_groups"]


def read_extras(project: Table) -> dict[str, tuple[str, ...]]:
    """Return ``[project.optional-dependencies]``."""
    table = project.table("optional-dependencies")
    if table is None:
        return {}
    extras: dict[str, tuple[str, ...]] = {}
    for key, name in _names(table).items():
        extras[name] = tuple(check_requirements(table, key))
    return extras


def read_groups(document: Table) -> dict[str, tuple[str, ...]]:
    """Return ``[dependency-groups]`` with each ``include-group`` replaced by what it names."""
    table = document.table("dependency-groups")
    if table is None:
        return {}
    keys = {name: key for key, name in _names(table).items()}
    resolver = _Resolver(table, keys)
    return {name: resolver.resolve(name, ()) for name in keys}


def check_requirements(table: Table, key: str) -> list[str]:
    """Return the strings of the list ``key``; those that are no requirement become findings."""
    accepted = []
    for text in table.texts(key) or ():
        try:
            check_requirement(text)
            accepted.append(text)
        except InputError as error:
            table.report(key, error.message, hint=error.hint)
    return accepted


class _Resolver:
    def __init__(self, table: Table, keys: dict[str, str]) -> None:
        self._table = table
        self._keys = keys
        self._resolved: dict[str, tuple[str, ...]] = {}

    def resolve(self, name: str, within: tuple[str, ...]) -> tuple[str, ...]:
        if name in self._resolved:
            return self._resolved[name]
        key = self._keys[name]
        if name in within:
            self._table.report(key, f"includes itself: {' → '.join((*within, name))}")
            return ()
        items = self._table.data[key]
        if not isinstance(items, list):
            self._table.texts(key)  # reports the type
            return ()
        found: list[str] = []
        for item in items:
            found.extend(self._item(key, item, (*within, name)))
        return self._resolved.setdefault(name, tuple(dict.fromkeys(found)))

    def _item(self, key: str, item: object, within: tuple[str, ...]) -> tuple[str, ...]:
        if isinstance(item, str):
            single = Table(
                self._table.document, self._table.path, {key: [item]}, self._table.findings
            )
            return tuple(check_requirements(single, key))
        included = item.get("include-group") if isinstance(item, dict) and len(item) == 1 else None
        if not isinstance(included, str):
            hint = '{ include-group = "name" }'
            self._table.report(key, "holds neither a requirement nor an include", hint=hint)
            return ()
        try:
            name = canonical_name(included)
        except InputError as error:
            self._table.report(key, error.message, hint=error.hint)
            return ()
        if name not in self._keys:
            known = ", ".join(sorted(self._keys))
            self._table.report(
                key, f"includes the unknown group {included!r}", hint=f"known: {known}"
            )
            return ()
        return self.resolve(name, within)


def _names(table: Table) -> dict[str, str]:
    """Return key → normalised name; two keys with one name are reported."""
    names: dict[str, str] = {}
    for key in table.data:
        try:
            name = canonical_name(key)
        except InputError as error:
            table.report(key, error.message, hint=error.hint)
            continue
        if name in names.values():
            table.report(key, f"is a second spelling of {name!r}", hint="keep one of them")
            continue
        names[key] = name
    return names
