# SPDX-License-Identifier: Apache-2.0
"""What lies where in an image, as a tree of which only the largest branches are shown."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wheelship.inspect.measure import Measure, measured, total
from wheelship.inspect.model import Item, Sizes

__all__ = ["Branch", "PathTree"]

_SMALL = 1000  # a file below this part of the whole never has a line of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A directory or file that is shown.

    Attributes:
        path: from the root, without a leading slash; the root is the empty path. Between it and
            the branch above are only directories that hold nothing but the next one.
        sizes: of all that is in it.
        files: how many.
        is_directory: whether it can hold others.
        branches: those of it that are shown, largest first.
        rest, rest_files: what is in it beyond ``branches``.
    """

    path: str
    sizes: Sizes
    files: int
    is_directory: bool
    branches: tuple[Branch, ...]
    rest: Sizes
    rest_files: int


@dataclass(slots=True)
class _Sum:
    transfer: int = 0
    unpacked: int = 0
    effective: int = 0
    files: int = 0

    def add(self, item: Item) -> None:
        self.transfer += item.entry.transfer_bytes
        self.unpacked += item.entry.unpacked_bytes
        self.effective += item.effective_bytes
        self.files += item.entry.kind == "file"

    def join(self, other: _Sum) -> None:
        self.transfer += other.transfer
        self.unpacked += other.unpacked
        self.effective += other.effective
        self.files += other.files

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.transfer, self.unpacked, self.effective)


@dataclass(slots=True)
class _Directory(_Sum):
    """Sums of all that is below; ``holds`` are its directories, ``bare`` says: and nothing else."""

    holds: list[str] = field(default_factory=list)
    bare: bool = True


class PathTree:
    """Sums of all directories. The root holds everything: its sizes are the image's."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._directories = _directories(items)

    def __contains__(self, path: str) -> bool:
        """Tell whether there is a directory at ``path``."""
        return path in self._directories

    def largest(self, measure: Measure, *, count: int, depth: int | None = None) -> Branch:
        """Return the root with the ``count`` largest of what is in it; ``depth`` bounds the parts.

        Whatever holds something is at least as large, so nothing is chosen without the directories
        that it is in.
        """
        found: dict[str, _Sum] = dict(self._choices(depth))
        found |= self._files(measure, depth)
        chosen = heapq.nsmallest(
            count,
            found,
            key=lambda path: (-measured(found[path].sizes, measure), path.count("/"), path),
        )
        below: dict[str, list[str]] = {"": []}
        shown = frozenset(chosen)
        for path in chosen:
            below.setdefault(next(_above(path, shown)), []).append(path)
        return self._grown(chosen, below, found)

    def _choices(self, depth: int | None) -> Iterator[tuple[str, _Sum]]:
        for path, one in self._directories.items():
            parts = path.count("/") + 1
            if not path or (depth is not None and parts > depth):
                continue
            passage = one.bare and len(one.holds) == 1
            if not passage or parts == depth:  # what a passage leads to says its name too
                yield path, one

    def _files(self, measure: Measure, depth: int | None) -> dict[str, _Sum]:
        least = measured(self._directories[""].sizes, measure) // _SMALL
        found: dict[str, _Sum] = {}
        for item in self._items:
            entry = item.entry
            if entry.kind != "file" or measured(item.sizes, measure) <= least:
                continue
            if entry.path in self._directories or (
                depth is not None and entry.path.count("/") >= depth
            ):
                continue
            found.setdefault(entry.path, _Sum()).add(item)
        return found

    def _grown(
        self,
        chosen: Iterable[str],
        below: Mapping[str, Sequence[str]],
        found: Mapping[str, _Sum],
    ) -> Branch:
        """Return the root; branches are made before what holds them, without recursion."""
        made: dict[str, Branch] = {}
        for path in sorted(chosen, key=len, reverse=True):
            made[path] = _branch(path, found[path], [made[one] for one in below.get(path, ())])
        return _branch("", self._directories[""], [made[one] for one in below[""]])


def _branch(path: str, own: _Sum, holds: Sequence[Branch]) -> Branch:
    shown = total(one.sizes for one in holds)
    return Branch(
        path=path,
        sizes=own.sizes,
        files=own.files,
        is_directory=isinstance(own, _Directory),
        branches=tuple(holds),
        rest=own.sizes - shown,
        rest_files=own.files - sum(one.files for one in holds),
    )


def _directories(items: Iterable[Item]) -> dict[str, _Directory]:
    sums: dict[str, _Directory] = {"": _Directory()}
    for item in items:
        is_directory = item.entry.kind == "directory"
        path = item.entry.path if is_directory else item.entry.path.rpartition("/")[0]
        one = sums.get(path)
        if one is None:
            one = sums[path] = _Directory()
        one.add(item)
        if not is_directory:
            one.bare = False
    for path in list(sums):
        while path:
            above = path.rpartition("/")[0]
            known = above in sums
            sums.setdefault(above, _Directory()).holds.append(path)
            if known:
                break
            path = above  # noqa: PLW2901 - on the way up
    for path in sorted(sums, key=len, reverse=True):
        if path:
            sums[path.rpartition("/")[0]].join(sums[path])
    return sums


def _above(path: str, shown: frozenset[str]) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        if path in shown or not path:
            yield path
