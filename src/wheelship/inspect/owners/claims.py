# SPDX-License-Identifier: Apache-2.0
"""Paths that packages say are theirs, and since which layer until which they say so.

A package database is a file of the image like any other: a layer brings it, a later one may
replace or delete it. So a claim holds from the layer that brought the database until the one that
took it away, and a file is judged by what was claimed in its own layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wheelship.inspect.model import Entry, Owner

__all__ = ["FOREVER", "Claim", "Claims", "Document", "known_paths", "nearest", "real_path"]

FOREVER = 1 << 30
_LEVELS_MAX = 64
_ALIASES = ("bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/", "libo32/")


@dataclass(frozen=True, slots=True)
class Document:
    """A database file: ``since`` is its layer, ``until`` the one that hides it."""

    path: str
    content: bytes
    since: int
    until: int

    @property
    def text(self) -> str:
        """Its text; bytes that are no UTF-8 are kept as the paths of entries keep them."""
        return self.content.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Claim:
    """``owner`` claims from layer ``since`` on, until before ``until``.

    Of several that claim at the same time the lowest ``rank`` is believed.
    """

    owner: Owner
    since: int
    until: int
    rank: tuple[int, str] = (0, "")

    def distance(self, layer: int) -> tuple[int, int, tuple[int, str], Owner]:
        """Return how far the claim is from being in force in ``layer``: later ones come first."""
        if self.since <= layer < self.until:
            return 0, 0, self.rank, self.owner
        if self.since > layer:
            return 1, self.since - layer, self.rank, self.owner
        return 2, layer - self.until, self.rank, self.owner


class Claims:
    """All claims of one kind of package to the paths in ``known``, by path.

    A RECORD of megabytes may list what no layer has; holding only what is there keeps a hostile
    one from costing more memory than the image's own entries do.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._by_path: dict[str, Claim | list[Claim]] = {}

    def add(self, path: str, claim: Claim) -> None:
        """Note that ``claim`` is for ``path``."""
        path = self._known.get(path, "")  # the same string, not another one that is equal
        if not path:
            return
        there = self._by_path.setdefault(path, claim)
        if there is claim:
            return
        if isinstance(there, list):
            if there[-1] is not claim:
                there.append(claim)
        else:
            self._by_path[path] = [there, claim]

    def knows(self, path: str) -> bool:
        """Tell whether ``path`` can be claimed."""
        return path in self._known

    def owner(self, path: str, layer: int) -> Owner | None:
        """Return who claims a file of ``layer`` at ``path``.

        Claims in force in that layer come first, then the next that comes into force (a wheel
        split into layers has its RECORD in the last), then the last that was.
        """
        found = self._by_path.get(path)
        return None if found is None else _nearest(found, layer)

    def territory(self, directory: str, below: tuple[str, ...] = ("",)) -> tuple[Claim, ...]:
        """Return the claims of the package that alone has ``directory``, or the nearest above it.

        Nothing where several packages share that one, or where it does not begin with one of
        ``below``. What lies inside another package's directory is that other's.
        """
        path = directory
        for _ in range(_LEVELS_MAX):
            if not path or not path.startswith(below):
                return ()
            found = self._by_path.get(path)
            if found is not None:
                claims = [found] if isinstance(found, Claim) else found
                outermost = min(one.rank[0] for one in claims)
                claims = [one for one in claims if one.rank[0] == outermost]
                names = {(one.owner.type, one.owner.name) for one in claims}
                return tuple(claims) if len(names) == 1 else ()
            path = path.rpartition("/")[0]
        return ()


def nearest(claims: Iterable[Claim], layer: int) -> Owner:
    """Return whose claim is nearest to ``layer``."""
    return min(claims, key=lambda one: one.distance(layer)).owner


def _nearest(found: Claim | list[Claim], layer: int) -> Owner:
    return found.owner if isinstance(found, Claim) else nearest(found, layer)


def real_path(path: str) -> str:
    """Return ``path`` as merged /usr has it: ``lib/x`` and ``usr/lib/x`` are one file there.

    dpkg's lists keep the names that packages were built with, so both spellings must meet.
    """
    return f"usr/{path}" if path.startswith(_ALIASES) else path


def known_paths(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the paths of ``entries`` and the directories they are in, as :class:`Claims` wants."""
    known: dict[str, str] = {}
    for entry in entries:
        path = real_path(entry.path)
        known[path] = path
        known[entry.path] = entry.path
        for _ in range(_LEVELS_MAX):
            path = path.rpartition("/")[0]
            if path in known:
                break
            known[path] = path
    return known
