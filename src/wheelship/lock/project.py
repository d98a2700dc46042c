# SPDX-License-Identifier: Apache-2.0
"""The project that uv is asked to resolve: requirements, indexes, and which package goes where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wheelship.lock.toml import array, inline_table, string

__all__ = ["GeneratedProject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedProject:
    """A ``pyproject.toml`` for uv alone.

    Attributes:
        name: of the project, which uv's explanations will use.
        sources: by package, the address of the only index it may come from.
        index: main index, or None for uv's default.
        build_requires: by package, what its build needs beside what it says itself.
        build_settings: by package, the settings of its backend (PEP 517, "config_settings").
    """

    name: str
    requirements: Sequence[str]
    constraints: Sequence[str]
    exclude: Sequence[str]
    sources: Mapping[str, str]
    index: str | None
    extra_indexes: Sequence[str]
    build_requires: Mapping[str, Sequence[str]] = field(default_factory=dict)
    build_settings: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def text(self) -> str:
        """Return the file's text."""
        names = {
            url: f"wheelship-{n}" for n, url in enumerate(dict.fromkeys(self.sources.values()))
        }
        lines = [
            "[project]",
            f"name = {string(self.name)}",
            'version = "0"',
            f"dependencies = {_strings(self.requirements)}",
            "[tool.uv]",
            "package = false",
            f"constraint-dependencies = {_strings(self.constraints)}",
            f"exclude-dependencies = {_strings(self.exclude)}",
            # A workspace of its own: uv would look for one in the directories above.
            "[tool.uv.workspace]",
            "members = []",
            "[tool.uv.sources]",
        ]
        for package, url in self.sources.items():
            lines.append(f"{package} = {inline_table({'index': string(names[url])})}")
        if self.build_requires:
            lines.append("[tool.uv.extra-build-dependencies]")
            for package, needed in self.build_requires.items():
                lines.append(f"{package} = {_strings(needed)}")
        for package, settings in self.build_settings.items():
            if not settings:
                continue
            lines.append(f"[tool.uv.config-settings-package.{package}]")
            lines += [f"{string(key)} = {_strings(texts)}" for key, texts in settings.items()]
        for url, name in names.items():
            lines += _index(url, f"name = {string(name)}", "explicit = true")
        for url in self.extra_indexes:
            lines += _index(url)
        if self.index is not None:
            lines += _index(self.index, "default = true")
        return "\n".join(lines) + "\n"


def _strings(texts: Sequence[str]) -> str:
    return array(string(text) for text in texts)


def _index(url: str, *settings: str) -> list[str]:
    return ["[[tool.uv.index]]", f"url = {string(url)}", *settings]
