# SPDX-License-Identifier: Apache-2.0
"""Where the items of an image lie, and which findings name those places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from wheelship.inspect.model import Finding, Item

__all__ = ["Places"]

_DEPTH = 40


class Places:
    """Numbers the directories, and knows which findings lie in each.

    Attributes:
        parents: of each directory the one above; the first is the root, its own parent.
        names: of each directory.
        marks: sets of findings, by their numbers; the first is empty.
        rows: of each item directory, name (empty for a directory itself) and number of its mark.
    """

    def __init__(self, items: Iterable[Item], findings: Sequence[Finding]) -> None:
        self._named: dict[str, list[int]] = defaultdict(list)
        for number, finding in enumerate(findings):
            for path in finding.paths:
                if path.strip("/"):
                    self._named[path.strip("/")].append(number)
        self._numbers = {"": 0}
        self.marks: list[tuple[int, ...]] = [()]
        self._combined: dict[tuple[int, ...], int] = {(): 0}
        self.parents = [0]
        self.names = [""]
        self._marks = [0]
        self.rows = [self._place(item) for item in items]

    def _place(self, item: Item) -> tuple[int, str, int]:
        path = item.entry.path
        if item.entry.kind in ("directory", "opaque"):
            number = self._number(path)
            return number, "", self._marks[number]
        above, _, name = path.rpartition("/")
        if above.count("/") >= _DEPTH:  # nobody looks that deep, and recursion must end
            parts = path.split("/")
            above, name = "/".join(parts[:_DEPTH]), "/".join(parts[_DEPTH:])
        number = self._number(above)
        return number, name or "(nameless)", self._mark(self._marks[number], path)

    def _number(self, path: str) -> int:
        known = self._numbers.get(path)
        if known is not None:
            return known
        number, so_far = 0, ""
        for name in path.split("/")[:_DEPTH]:
            so_far = f"{so_far}/{name}" if so_far else name
            below = self._numbers.get(so_far)
            if below is None:
                below = self._numbers[so_far] = len(self.parents)
                self.parents.append(number)
                self.names.append(name)
                self._marks.append(self._mark(self._marks[number], so_far))
            number = below
        self._numbers[path] = number
        return number

    def _mark(self, inherited: int, path: str) -> int:
        own = self._named.get(path)
        if own is None:
            return inherited
        both = tuple(sorted({*self.marks[inherited], *own}))
        if both not in self._combined:
            self._combined[both] = len(self.marks)
            self.marks.append(both)
        return self._combined[both]
