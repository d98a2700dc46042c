# SPDX-License-Identifier: Apache-2.0
"""Reads ``[tool.uv]`` and ``uv.toml`` as far as they decide what is locked.

uv itself judges these tables when it is run by the user; here only what would change a lock is
read, and what cannot be honoured is a finding. ``[tool.uv.pip]`` is left aside: it is for
``uv pip`` in an environment that the user manages, and ``uv lock`` does not read it either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from posixpath import join, normpath
from typing import TypeAlias

from wheelship.errors import InputError
from wheelship.request.document import load
from wheelship.request.group import check_requirements
from wheelship.request.table import Table, quoted
from wheelship.request.uv import SourceKind, UvIndex, UvSettings, UvSource
from wheelship.request.value import canonical_name, parse_url
from wheelship.request.workspace import find_member

__all__ = ["read_uv_settings"]

_OWN = "uv.toml"
_OPTIONS = ("exclude-newer", "index-strategy", "prerelease", "resolution")
_TABLE_OPTIONS = ("exclude-newer-package",)
_ACCESS = ("allow-insecure-host", "keyring-provider", "native-tls", "system-certs")
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


def read_uv_settings(root: Path, whole: Table) -> UvSettings:
    """Read what ``whole``, the project's ``pyproject.toml``, and ``uv.toml`` tell uv."""
    table = whole.descend("tool", "uv")
    settings = _settings_table(root, table)
    indexes = (*_indexes(settings, root), *_legacy_indexes(settings), *_links(settings, root))
    return UvSettings(
        # These two belong to the project; uv reads them from pyproject.toml alone.
        sources=tuple(_sources(table.descend("sources"), root, indexes)),
        conflicts=tuple(_conflicts(table)),
        indexes=indexes,
        constraints=tuple(check_requirements(settings, "constraint-dependencies")),
        overrides=tuple(check_requirements(settings, "override-dependencies")),
        exclude=settings.each("exclude-dependencies", canonical_name) or (),
        environments=_markers(settings),
        options=tuple(_options(settings, (*_OPTIONS, *_TABLE_OPTIONS))),
        access=tuple(_options(settings, _ACCESS)),
        metadata=_metadata(settings),
        no_binary=_no_binary(settings),
        no_index=settings.data.get("no-index") is True,
    )


def _settings_table(root: Path, table: Table) -> Table:
    """Return ``uv.toml`` where there is one, as uv does; else ``table``."""
    if not (root / _OWN).is_file():
        return table
    document = load(root, _OWN, table.findings)
    return table if document is None else Table(document, (), document.data, table.findings)


def _indexes(table: Table, root: Path) -> tuple[UvIndex, ...]:
    found: list[UvIndex] = []
    for one in table.tables("index") or ():
        address = one.parsed("url", lambda text: _address(text, root))
        if address is None:
            if "url" not in one:
                table.report("index", "an index has no url", hint='url = "https://…/simple"')
            continue
        found.append(
            UvIndex(
                name=one.text("name"),
                address=address,
                explicit=one.data.get("explicit") is True,
                default=one.data.get("default") is True,
                flat=one.data.get("format") == "flat",
            )
        )
    return tuple(found)


def _legacy_indexes(table: Table) -> Iterator[UvIndex]:
    """Yield the indexes of the settings that ``[[tool.uv.index]]`` has replaced."""
    for address in table.each("extra-index-url", parse_url) or ():
        yield UvIndex(name=None, address=address)
    if (main := table.parsed("index-url", parse_url)) is not None:
        yield UvIndex(name=None, address=main, default=True)


def _links(table: Table, root: Path) -> Iterator[UvIndex]:
    """Yield ``find-links``: what a flat index is without a name."""
    for address in table.each("find-links", lambda text: _address(text, root)) or ():
        yield UvIndex(name=None, address=address, flat=True)


def _address(text: str, root: Path) -> str:
    return parse_url(text) if "://" in text else normpath(join(root, text))


def _sources(table: Table, root: Path, indexes: tuple[UvIndex, ...]) -> Iterator[UvSource]:
    for key, value in table.data.items():
        try:
            name = canonical_name(key)
        except InputError as error:
            table.report(key, error.message, hint=error.hint)
            continue
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict):
                continue
            one = Table(table.document, (*table.path, key), item, table.findings)
            found = _kind(one, root, name)
            if found is None:
                table.report(key, "names no source", hint=f'{key} = {{ index = "NAME" }}')
                continue
            kind, place, fields = found
            if kind == "index" and all(index.name != place for index in indexes):
                known = ", ".join(index.name for index in indexes if index.name) or "none"
                message = f"there is no [[tool.uv.index]] named {place!r} (there is: {known})"
                table.report(key, message, hint=_index_hint(place))
            yield UvSource(
                package=name,
                kind=kind,
                place=place,
                marker=one.text("marker") or "",
                extra=one.parsed("extra", canonical_name),
                group=one.parsed("group", canonical_name),
                fields=fields,
            )


def _index_hint(name: str) -> str:
    return f'[[tool.uv.index]]\nname = {quoted(name)}\nurl = "https://…/simple"\nexplicit = true'


_Fields: TypeAlias = tuple[tuple[str, str], ...]


def _kind(one: Table, root: Path, name: str) -> tuple[SourceKind, str, _Fields] | None:
    """Return kind and place of a source, and of what must be built, the table for uv."""
    if (index := one.text("index")) is not None:
        return "index", index, ()
    if (path := one.text("path")) is not None:
        return _local(path, root)
    if one.data.get("workspace") is True:
        place = find_member(root, name)
        fields = () if place is None else (("path", str(place)),)
        return "source", "a member of the workspace", fields
    return _remote(one)


def _remote(one: Table) -> tuple[SourceKind, str, _Fields] | None:
    inner = [(key, text) for key in ("subdirectory",) if (text := one.text(key))]
    where = "".join(f" in {text}" for _, text in inner)
    if (url := one.text("url")) is not None:
        if url.partition("#")[0].partition("?")[0].endswith(".whl"):
            return "url", url, ()
        return "source", f"an archive ({_shown(url)}{where})", (("url", url), *inner)
    if (git := one.text("git")) is not None:
        asked = [(key, text) for key in ("rev", "tag", "branch") if (text := one.text(key))]
        at = "".join(f" at {key} {text}" for key, text in asked)
        return "source", f"a repository ({_shown(git)}{at}{where})", (("git", git), *asked, *inner)
    return None


def _local(path: str, root: Path) -> tuple[SourceKind, str, _Fields]:
    place = Path(normpath(join(root, path)))
    if path.endswith(".whl"):
        return "wheel", str(place), ()
    is_source = any((place / name).exists() for name in _PROJECT_FILES)
    if place.is_dir() and not is_source and any(place.glob("*.whl")):
        return "wheels", str(place), ()
    words = f"a source tree ({path})" if place.is_dir() else f"a file ({path})"
    return "source", words, (("path", str(place)),) if place.exists() else ()


def _shown(url: str) -> str:
    """Return the address without user and password."""
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}" if mark else url


def _markers(table: Table) -> tuple[str, ...]:
    value = table.data.get("environments")
    if isinstance(value, str):
        return (value,)
    return table.texts("environments") or ()


def _options(table: Table, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield settings that uv gets as they are, in the notation of TOML."""
    for key in keys:
        value = table.data.get(key)
        if value is None:
            continue
        written = _toml(value)
        if written is None:
            table.report(key, "is nothing that uv could read", hint="remove it")
        else:
            yield key, written


def _toml(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return f"[{', '.join(map(quoted, value))}]"
    if isinstance(value, dict):
        inner = {key: _toml(one) for key, one in value.items()}
        if all(one is not None for one in inner.values()):
            return "{ " + ", ".join(f"{quoted(key)} = {one}" for key, one in inner.items()) + " }"
    return None


def _metadata(table: Table) -> tuple[str, ...]:
    rows = table.tables("dependency-metadata") or ()
    return tuple(json.dumps(dict(row.data), sort_keys=True, default=str) for row in rows)


def _no_binary(table: Table) -> tuple[str, ...]:
    if table.data.get("no-binary") is True:
        hint = "build wheels of what must be built, and name their directory in find-links"
        table.report("no-binary", "an image is made of wheels", hint=hint)
    return table.each("no-binary-package", canonical_name) or ()


def _conflicts(table: Table) -> Iterator[frozenset[tuple[str, str]]]:
    value = table.data.get("conflicts")
    for group in value if isinstance(value, list) else ():
        found = set()
        for one in group if isinstance(group, list) else ():
            for kind in ("extra", "group"):
                if isinstance(one, dict) and isinstance(one.get(kind), str):
                    try:
                        found.add((kind, canonical_name(one[kind])))
                    except InputError as error:
                        table.report("conflicts", error.message, hint=error.hint)
        yield frozenset(found)
