# SPDX-License-Identifier: Apache-2.0
"""Counts what claims are worth, each byte once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from wheelship.inspect.measure import total
from wheelship.inspect.model import Finding, Item, Sizes
from wheelship.inspect.waste.model import Claim, Part, Rule

__all__ = ["Account"]

_MOST_PLACES = 100


class Account:
    """Which bytes are spoken for. What comes first has them.

    A file goes when all its names go: a claim on a file with several hard links counts nothing for
    it unless it names all those that are visible.
    """

    def __init__(self, names: Mapping[tuple[int, str], Sequence[Item]]) -> None:
        self._names = names
        self._taken: dict[int, Sizes] = {}
        self.whole: set[int] = set()
        """Identities of the items of which nothing is left."""

    def settle(self, rule: Rule, claim: Claim) -> Finding | None:
        """Return what is left of ``claim``, and keep its bytes from others.

        None when it is below what the rule thinks worth telling; nothing is taken then.
        """
        if claim.places:
            return _finding(rule, claim, Sizes(), claim.places)
        listed = {id(part.item) for part in claim.parts}
        taken: dict[int, Sizes] = {}
        places: Counter[str] = Counter()
        goes: dict[tuple[int, str], bool] = {}
        for part in claim.parts:
            if id(part.item) in taken:
                continue
            content = _content_of(part.item)
            if content not in goes:
                goes[content] = self._goes(content, listed)
            if not goes[content]:
                continue
            sizes = self._left(part)
            if sizes.unpacked or sizes.transfer:
                taken[id(part.item)] = sizes
                places[part.place] += sizes.unpacked
        saved = total(taken.values())
        if not taken or saved.unpacked < rule.minimum_bytes:
            return None
        for part in claim.parts:
            if (key := id(part.item)) in taken:
                self._take(part, taken.pop(key))
        ranked = sorted(places.items(), key=lambda one: (-one[1], one[0]))
        return _finding(rule, claim, saved, [place for place, _ in ranked])

    def _goes(self, content: tuple[int, str], listed: set[int]) -> bool:
        """Tell whether the content goes when what is listed goes: no other name keeps it."""
        return all(id(other) in listed for other in self._names.get(content, ()))

    def _left(self, part: Part) -> Sizes:
        sizes = part.item.sizes
        taken = self._taken.get(id(part.item), Sizes())
        left = sizes - taken
        if part.bytes is None:
            return left
        whole = max(part.item.entry.size_bytes, 1)
        count = min(part.bytes, whole)
        return Sizes(
            min(left.transfer, sizes.transfer * count // whole),
            min(left.unpacked, count),
            min(left.effective, count),
        )

    def _take(self, part: Part, sizes: Sizes) -> None:
        key = id(part.item)
        self._taken[key] = self._taken.get(key, Sizes()) + sizes
        if part.bytes is None:
            self.whole.add(key)


def _content_of(item: Item) -> tuple[int, str]:
    """Return what all names of one content have in common: its layer, and the first of them."""
    path = item.entry.target if item.entry.kind == "hardlink" else item.entry.path
    return item.layer, path


def _finding(rule: Rule, claim: Claim, sizes: Sizes, places: Sequence[str]) -> Finding:
    return Finding(
        code=rule.code,
        title=claim.title,
        reason=claim.reason,
        fix=claim.fix,
        sizes=sizes,
        paths=tuple(places[:_MOST_PLACES]),
        unnamed_places=max(0, len(places) - _MOST_PLACES),
        estimate=claim.estimate,
    )
