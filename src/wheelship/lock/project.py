# SPDX-License-Identifier: Apache-2.0
"""The project that uv is asked to resolve: requirements, indexes, and which package goes where."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from wheelship.lock.toml import array, inline_table, string

__all__ = ["GeneratedProject", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a package is looked for: an index, a flat page of files, or one file by its address.

    Of a source that is to be built, ``fields`` are the table as uv reads it.
    ``name`` is the index's own, under which uv looks for its credentials in the environment.
    """

    kind: Literal["index", "flat", "url", "source"]
    address: str
    name: str = ""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedProject:
    """A ``pyproject.toml`` for uv alone.

    Attributes:
        name: of the project, which uv's explanations will use.
        sources: by package, the only place where it may come from.
        index: main index, or None for uv's default.
        overrides: requirements that replace others of the same package.
        settings: further keys of ``[tool.uv]``, as TOML writes them.
        metadata: tables of ``dependency-metadata``, as JSON.
        index_names: by address, the names under which uv finds credentials.
        build_requires: by package, what its build needs beside what it says itself.
        build_settings: by package, the settings of its backend (PEP 517, "config_settings").
    """

    name: str
    requirements: Sequence[str]
    constraints: Sequence[str]
    exclude: Sequence[str]
    sources: Mapping[str, Place]
    index: str | None
    extra_indexes: Sequence[str]
    overrides: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    metadata: Sequence[str] = ()
    index_names: Mapping[str, str] = field(default_factory=dict)
    build_requires: Mapping[str, Sequence[str]] = field(default_factory=dict)
    build_settings: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def text(self) -> str:
        """Return the file's text."""
        indexes = [one for one in self.sources.values() if one.kind in ("index", "flat")]
        places = dict.fromkeys(indexes)
        names = {one: one.name or f"wheelship-{n}" for n, one in enumerate(places)}
        lines = [
            "[project]",
            f"name = {string(self.name)}",
            'version = "0"',
            f"dependencies = {_strings(self.requirements)}",
            "[tool.uv]",
            "package = false",
            f"constraint-dependencies = {_strings(self.constraints)}",
            f"override-dependencies = {_strings(self.overrides)}",
            f"exclude-dependencies = {_strings(self.exclude)}",
            *(f"{key} = {text}" for key, text in self.settings.items()),
            # A workspace of its own: uv would look for one in the directories above.
            "[tool.uv.workspace]",
            "members = []",
            "[tool.uv.sources]",
        ]
        for package, place in self.sources.items():
            fields = dict(place.fields)
            if place.kind != "source":
                fields = {"url": place.address} if place.kind == "url" else {"index": names[place]}
            written = {key: string(text) for key, text in fields.items()}
            lines.append(f"{package} = {inline_table(written)}")
        lines += self._builds()
        for place, name in names.items():
            flat = ['format = "flat"'] if place.kind == "flat" else []
            lines += _index(place.address, f"name = {string(name)}", "explicit = true", *flat)
        taken = {place.address for place in names}
        for url in self.extra_indexes:
            lines += _index(url, *self._named(url, taken))
        if self.index is not None:
            lines += _index(self.index, *self._named(self.index, taken), "default = true")
        for row in self.metadata:
            lines += ["[[tool.uv.dependency-metadata]]", *_metadata(json.loads(row))]
        return "\n".join(lines) + "\n"

    def _builds(self) -> Iterator[str]:
        """Yield the tables about packages that uv builds to learn what they require."""
        if self.build_requires:
            yield "[tool.uv.extra-build-dependencies]"
        for package, needed in self.build_requires.items():
            yield f"{package} = {_strings(needed)}"
        for package, settings in self.build_settings.items():
            if settings:
                yield f"[tool.uv.config-settings-package.{package}]"
            yield from (f"{string(key)} = {_strings(texts)}" for key, texts in settings.items())

    def _named(self, url: str, taken: Collection[str]) -> list[str]:
        """Return the index's own name; uv knows no two indexes of one name."""
        name = self.index_names.get(url)
        return [f"name = {string(name)}"] if name and url not in taken else []


def _metadata(row: Mapping[str, object]) -> Iterator[str]:
    for key, value in row.items():
        if isinstance(value, str):
            yield f"{key} = {string(value)}"
        elif isinstance(value, list):
            yield f"{key} = {_strings([str(one) for one in value])}"


def _strings(texts: Sequence[str]) -> str:
    return array(string(text) for text in texts)


def _index(url: str, *settings: str) -> list[str]:
    return ["[[tool.uv.index]]", f"url = {string(url)}", *settings]
