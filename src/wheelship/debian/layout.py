# SPDX-License-Identifier: Apache-2.0
"""The rules that turn packages into an image: ``data/layout.toml`` as values."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any

__all__ = ["ExtraLink", "Layout", "Omission", "load_layout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """Paths that are left out, with all below them, except what matches ``keep``.

    Symbolic links stay if they match ``keep_links``.
    """

    paths: tuple[str, ...]
    keep: tuple[str, ...]
    keep_links: tuple[str, ...]

    def omits(self, path: str, *, is_link: bool) -> bool:
        """Tell whether ``path`` is left out."""
        if not path.startswith(self.paths):  # most paths; comparing one by one takes its time
            return False
        if not any(path == one or path.startswith(f"{one}/") for one in self.paths):
            return False
        kept = (*self.keep, *self.keep_links) if is_link else self.keep
        return not any(_matches(path, pattern) for pattern in kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraLink:
    """A link that no package holds; made if ``beside`` is None or there."""

    path: str
    target: str
    beside: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All rules; paths are relative to the root.

    Attributes:
        aliases: what the directories of merged /usr (and ``/var/run``) really are.
        partial: of these packages only the paths that match are taken.
        loader: the directories that the dynamic loader searches by itself.
    """

    aliases: dict[str, str]
    partial: dict[str, tuple[str, ...]]
    omissions: tuple[Omission, ...]
    links: tuple[ExtraLink, ...]
    files: dict[str, bytes]
    directories: dict[str, int]
    shells: frozenset[str]
    loader: tuple[str, ...]

    def real(self, path: str) -> str:
        """Return ``path`` with an alias at its beginning replaced by what it stands for."""
        for alias, target in self.aliases.items():
            if path == alias or path.startswith(f"{alias}/"):
                return target + path[len(alias) :]
        return path

    def omits(self, package: str, path: str, *, is_link: bool, is_directory: bool) -> bool:
        """Tell whether the path of a package is left out."""
        keep = self.partial.get(package)
        if keep is not None and not any(_matches(path, pattern) for pattern in keep):
            # Directories that are needed come back as parents of what is kept.
            return True
        if is_directory and path in self.directories:
            return False
        return any(one.omits(path, is_link=is_link) for one in self.omissions)


def load_layout(*, python: str, multiarch: str) -> Layout:
    """Load the rules for an interpreter (``python3.11``) and an architecture's triplet."""
    text = resources.files(__package__).joinpath("data/layout.toml").read_text("utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    return Layout(
        aliases=table["aliases"],
        partial={name: tuple(one["keep"]) for name, one in table["partial"].items()},
        omissions=tuple(
            Omission(
                paths=tuple(one["paths"]),
                keep=tuple(one.get("keep", ())),
                keep_links=tuple(one.get("keep_links", ())),
            )
            for one in table["omit"]
        ),
        links=tuple(
            ExtraLink(
                path=path, target=one["target"].format(python=python), beside=one.get("beside")
            )
            for path, one in table["links"].items()
        ),
        files={path: one["text"].encode() for path, one in table["files"].items()},
        directories=table["directories"],
        shells=frozenset(table["shells"]["names"]),
        loader=tuple(one.format(multiarch=multiarch) for one in table["loader"]["directories"]),
    )


def _matches(path: str, pattern: str) -> bool:
    """Compare name by name; a pattern that ends in ``**`` matches everything below."""
    names, wanted = path.split("/"), pattern.split("/")
    if wanted[-1] == "**":
        wanted.pop()
        if len(names) <= len(wanted):
            return False
        names = names[: len(wanted)]
    return len(names) == len(wanted) and all(map(fnmatchcase, names, wanted))
