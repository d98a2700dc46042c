# SPDX-License-Identifier: Apache-2.0
"""The project that uv is asked to resolve: requirements, indexes, and which package goes where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wheelship.lock.toml import array, inline_table, string

__all__ = ["GeneratedProject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedProject:
    """A ``pyproject.toml`` for uv alone.

    Attributes:
        name: of the project, which uv's explanations will use.
        sources: by package, the address of the only index it may come from.
        index: main index, or None for uv's default.
    """

    name: str
    requirements: Sequence[str]
    constraints: Sequence[str]
    exclude: Sequence[str]
    sources: Mapping[str, str]
    index: str | None
    extra_indexes: Sequence[str]

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
