# SPDX-License-Identifier: Apache-2.0
"""The items of an image as leaves of a tree, few enough for a page, and not a byte lost.

What is too small to be a leaf of its own is added to a bucket: of its directory, or of the nearest
one above where the bucket is large enough to be seen. A bucket never mixes owners, kinds, layers,
what is hidden with what is not, or findings, so every question that a page asks has exact sums.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import NamedTuple, TypeAlias

from wheelship.inspect.model import Contents, Item, LayerView, Owner, Sizes
from wheelship.report.page.places import Places

__all__ = ["Forest", "Leaf", "Limits", "State", "grow"]

State: TypeAlias = int
"""0: in the final file system, 1: overwritten by a later layer, 2: deleted by one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a page can take: leaves of their own, owners, layers."""

    leaves: int
    owners: int = 4000
    layers: int = 400

    def scaled(self, factor: float) -> Limits:
        """Return ``factor`` of the leaves, at least one, and no more of the others than that."""
        leaves = max(1, int(self.leaves * factor))
        return Limits(leaves, min(self.owners, leaves), min(self.layers, leaves))


class Group(NamedTuple):
    """What the entries of one leaf have in common; numbers are places in the forest's lists."""

    owner: int
    kind: int
    layer: int
    state: State
    mark: int


class Leaf(NamedTuple):
    """One entry (``name`` given), or a bucket of ``entries``, ``files`` of them files."""

    directory: int
    name: str
    group: Group
    entries: int
    files: int
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Forest:
    """Leaves, and the lists that they point into.

    Attributes:
        directories: place of the parent and name, parents first; the first is the root.
        layers: None stands for the documents beside the layers.
        marks: sets of findings, by their places; the first is empty.
    """

    directories: tuple[tuple[int, str], ...]
    owners: tuple[Owner, ...]
    kinds: tuple[str, ...]
    layers: tuple[LayerView | None, ...]
    layer_numbers: tuple[str, ...]
    marks: tuple[tuple[int, ...], ...]
    leaves: tuple[Leaf, ...]


def grow(contents: Contents, places: Places, limits: Limits) -> Forest:
    """Return the leaves of ``contents``, whose items have ``places``.

    Their sizes add up to the image's.
    """
    owners, owner_of = _fold_owners(contents.items, limits.owners)
    layers, numbers, layer_of = _fold_layers(contents.layers, limits.layers)
    kinds = tuple(sorted({item.kind for item in contents.items}))
    kind_of = {kind: at for at, kind in enumerate(kinds)}
    least = _least(contents.items, limits.leaves)
    leaves: list[Leaf] = []
    buckets: dict[int, dict[Group, list[int]]] = defaultdict(dict)
    for item, (directory, name, mark) in zip(contents.items, places.rows, strict=True):
        state = 0 if item.hidden_by is None else 2 if item.deleted else 1
        group = Group(owner_of[item.owner], kind_of[item.kind], layer_of[item.layer], state, mark)
        is_file = int(item.entry.kind == "file")
        if name and _weight(item) >= least:
            leaves.append(Leaf(directory, name, group, 1, is_file, item.sizes))
        else:
            sizes = item.sizes
            _pour(
                buckets[directory],
                group,
                [1, is_file, sizes.transfer, sizes.unpacked, sizes.effective],
            )
    leaves += _settle(buckets, places.parents, least)
    return _numbered(leaves, places, (owners, kinds, layers, numbers))


def _weight(item: Item) -> int:
    """Return how much there is to see of ``item``, whichever size is looked at."""
    return item.entry.unpacked_bytes + item.entry.transfer_bytes


def _least(items: Sequence[Item], leaves: int) -> int:
    """Return the weight from which on an item is a leaf of its own; 0 when all are."""
    if len(items) <= leaves:
        return 0
    return nlargest(leaves, map(_weight, items))[-1]


def _pour(buckets: dict[Group, list[int]], group: Group, amounts: list[int]) -> None:
    there = buckets.get(group)
    if there is None:
        buckets[group] = amounts
    else:
        for at, amount in enumerate(amounts):
            there[at] += amount


def _settle(
    buckets: dict[int, dict[Group, list[int]]], parents: Sequence[int], least: int
) -> Iterable[Leaf]:
    """Yield the buckets, each in the lowest directory where it is large enough; children first."""
    for directory in range(len(parents) - 1, -1, -1):
        for group, amounts in buckets.pop(directory, {}).items():
            entries, files, transfer, unpacked, effective = amounts
            if directory and transfer + unpacked < least:
                _pour(buckets[parents[directory]], group, amounts)
            else:
                sizes = Sizes(transfer, unpacked, effective)
                yield Leaf(directory, "", group, entries, files, sizes)


def _fold_owners(items: Iterable[Item], limit: int) -> tuple[tuple[Owner, ...], dict[Owner, int]]:
    """Return the owners, the smallest of each type as one, and the place of each."""
    sums: Counter[Owner] = Counter()
    for item in items:
        sums[item.owner] += item.entry.unpacked_bytes
    ranked = sorted(sums, key=lambda one: (-sums[one], one))
    kept, rest = ranked[:limit], ranked[limit:]
    small = Counter(one.type for one in rest)
    folded = {kind: Owner(kind, f"{count} smaller ones") for kind, count in sorted(small.items())}
    owners = (*kept, *folded.values())
    places = {owner: at for at, owner in enumerate(owners)}
    return owners, {**places, **{one: places[folded[one.type]] for one in rest}}


def _fold_layers(
    layers: Sequence[LayerView], limit: int
) -> tuple[tuple[LayerView | None, ...], tuple[str, ...], dict[int, int]]:
    """Return the layers in their order, the smallest as one, their names, and the place of each."""
    largest = nlargest(limit, range(len(layers)), key=lambda at: (layers[at].sizes.unpacked, -at))
    kept = sorted(largest)
    places = {-1: 0, **{layer: at + 1 for at, layer in enumerate(kept)}}
    found: list[LayerView | None] = [None, *(layers[at] for at in kept)]
    numbers = ["documents", *(str(at) for at in kept)]
    rest = [at for at in range(len(layers)) if at not in places]
    if rest:
        places |= dict.fromkeys(rest, len(found))
        found.append(None)
        numbers.append(f"{len(rest)} smaller layers")
    return tuple(found), tuple(numbers), places


def _numbered(
    leaves: Iterable[Leaf],
    places: Places,
    lists: tuple[tuple[Owner, ...], tuple[str, ...], tuple[LayerView | None, ...], tuple[str, ...]],
) -> Forest:
    """Return the forest with the directories that hold something, sorted by their paths."""
    leaves = list(leaves)
    used = {0}
    for leaf in leaves:
        at = leaf.directory
        while at not in used:
            used.add(at)
            at = places.parents[at]
    ways: dict[int, tuple[str, ...]] = {0: ()}
    for at in sorted(used - {0}):  # parents were numbered first
        ways[at] = (*ways[places.parents[at]], places.names[at])
    order = {old: new for new, old in enumerate(sorted(used, key=ways.__getitem__))}
    moved = sorted(
        (leaf._replace(directory=order[leaf.directory]) for leaf in leaves),
        key=lambda one: (one.directory, one.name, one.group),
    )
    owners, kinds, layers, numbers = lists
    return Forest(
        directories=tuple((order[places.parents[at]], places.names[at]) for at in order),
        owners=owners,
        kinds=kinds,
        layers=layers,
        layer_numbers=numbers,
        marks=tuple(places.marks),
        leaves=tuple(moved),
    )
