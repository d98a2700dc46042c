# SPDX-License-Identifier: Apache-2.0
"""The image as the rules look at it; what several of them need is worked out once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from wheelship.inspect.model import Contents, Expectation, Facts, Item, Owner

__all__ = ["Interpreter", "Subject"]

_SHOWN_LETTERS = 60
_SITE = re.compile(r"(?:^|/)(?:site|dist)-packages/")
_STANDARD = re.compile(r"(?:(.*)/)?lib/python(\d+\.\d+)/os\.py", re.ASCII)


class Interpreter(NamedTuple):
    """A Python with its standard library in ``PREFIX/lib/pythonVERSION``."""

    prefix: str
    version: str

    @property
    def library(self) -> str:
        """The directory of the standard library."""
        return f"{self.prefix}/lib/python{self.version}".lstrip("/")


class Subject:
    """An image, what it is meant for, and indexes over its files.

    Made by :meth:`without` it is what rules of higher precedence left over: files that they took
    whole are not among the :attr:`files` any more.
    """

    def __init__(self, contents: Contents, expectation: Expectation) -> None:
        self.contents = contents
        self.expectation = expectation

    @cached_property
    def files(self) -> Sequence[Item]:
        """Files, and further names of files (hard links), that a container sees."""
        return [
            item
            for item in self.contents.items
            if item.hidden_by is None and item.entry.kind in ("file", "hardlink")
        ]

    @cached_property
    def hidden(self) -> Sequence[Item]:
        """Files that a later layer overwrote or deleted."""
        return [
            item
            for item in self.contents.items
            if item.hidden_by is not None and item.entry.kind in ("file", "hardlink")
        ]

    @cached_property
    def by_path(self) -> Mapping[str, Item]:
        """The visible files by path."""
        return {item.entry.path: item for item in self.files}

    @cached_property
    def sources(self) -> Mapping[str, Item]:
        """All visible Python sources by path, claimed or not."""
        return {
            item.entry.path: item
            for item in self.contents.items
            if item.hidden_by is None
            and item.entry.path.endswith(".py")
            and item.entry.kind in ("file", "hardlink", "symlink")
        }

    @cached_property
    def with_facts(self) -> Sequence[tuple[Item, Facts]]:
        """Visible files whose content told something, once for each fact."""
        return [(item, fact) for item in self.files for fact in item.entry.facts]

    @cached_property
    def by_owner(self) -> Mapping[Owner, Sequence[Item]]:
        """The visible files of each owner."""
        owned: dict[Owner, list[Item]] = {}
        for item in self.files:
            owned.setdefault(item.owner, []).append(item)
        return owned

    @cached_property
    def python_owners(self) -> Sequence[Owner]:
        """The Python packages that have visible files, sorted."""
        return sorted(owner for owner in self.by_owner if owner.type == "python")

    @cached_property
    def site(self) -> str:
        """The directory that most bytes of Python packages lie in, with a leading slash.

        None whose name cannot be shown: it is for commands to be pasted.
        """
        weights: dict[str, int] = {}
        for owner in self.python_owners:
            for item in self.by_owner[owner]:
                found = self.site_of(item.entry.path)
                if found and found.isprintable():
                    weights[found] = weights.get(found, 0) + item.entry.unpacked_bytes
        return f"/{max(weights, key=lambda one: (weights[one], one))}" if weights else "/opt/venv"

    @property
    def quoted_site(self) -> str:
        """The same as a word of a shell: whoever made the image chose the name."""
        return shlex.quote(self.site)

    @cached_property
    def names(self) -> Mapping[tuple[int, str], Sequence[Item]]:
        """Visible hard links, by layer and path of the file whose content they share."""
        found: dict[tuple[int, str], list[Item]] = {}
        for item in self.contents.items:
            if item.entry.kind == "hardlink" and item.hidden_by is None:
                found.setdefault((item.layer, item.entry.target), []).append(item)
        return found

    @cached_property
    def interpreters(self) -> Sequence[Interpreter]:
        """The Pythons with a standard library, sorted by prefix and version."""
        found = {
            Interpreter(match[1] or "", match[2])
            for item in self.files
            if item.entry.path.endswith("/os.py")
            and (match := _STANDARD.fullmatch(item.entry.path))
        }
        return sorted(found)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The environment of the image's configuration."""
        return dict(self.contents.config.env)

    def layer_name(self, index: int) -> str:
        """Return how a layer is called in a sentence, numbered from 1 as people count."""
        text = " ".join(self.contents.layers[index].created_by.split())
        shown = text if len(text) <= _SHOWN_LETTERS else text[: _SHOWN_LETTERS - 1] + "…"
        return f"layer {index + 1}" + (f" ({shown})" if shown else "")

    @staticmethod
    def site_of(path: str) -> str:
        """Return the ``site-packages`` (or ``dist-packages``) above ``path``; empty without one."""
        match = _SITE.search(path)
        return path[: match.end() - 1] if match else ""

    def without(self, claimed: Collection[int]) -> Subject:
        """Return the same image without items that are spoken for, by their identity."""
        left = Subject(self.contents, self.expectation)
        left.__dict__["files"] = [item for item in self.files if id(item) not in claimed]
        for name in ("hidden", "names", "interpreters", "sources", "environment", "site"):
            left.__dict__[name] = getattr(self, name)
        return left
