# SPDX-License-Identifier: Apache-2.0
"""What differs between two images; what their owners gained and lost is the whole difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar

from wheelship.compare.summary import LayerSummary, Summary
from wheelship.inspect.measure import Measure, measured, total
from wheelship.inspect.model import OwnerType, Sizes
from wheelship.oci.digest import Digest

__all__ = [
    "Change",
    "Difference",
    "How",
    "KindChange",
    "LayerChange",
    "OwnerChange",
    "Pull",
    "difference",
    "ranked",
    "shared_by_diff_id",
    "unique_transfer_bytes",
]

How: TypeAlias = Literal["added", "removed", "version", "size", "same"]
"""``version``: another version; ``size``: the same version, other bytes."""


class Change(Protocol):
    """Something that one image or both have, and what it weighs in each."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def before(self) -> Sizes:
        """In the first image; nothing where that has none of it."""

    @property
    def after(self) -> Sizes:
        """In the second."""


_C = TypeVar("_C", bound=Change)
_K = TypeVar("_K")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerChange:
    """One owner in two images.

    Attributes:
        type, name: of the owner.
        old, new: its versions, sorted; several where an image has it several times, and empty where
            it is not there at all.
        before, after: its sizes.
    """

    type: OwnerType
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    before: Sizes
    after: Sizes

    @property
    def how(self) -> How:
        """In what way they differ."""
        if not self.old:
            return "added"
        if not self.new:
            return "removed"
        if self.old != self.new:
            return "version"
        return "same" if self.before == self.after else "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindChange:
    """One kind of files in two images."""

    name: str
    before: Sizes
    after: Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """A layer that both images have, or one of them.

    A shared layer's effective size may differ all the same: other layers above hide other files.
    """

    digest: Digest
    name: str
    how: Literal["added", "removed", "shared"]
    before: Sizes
    after: Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What a machine that has the first image downloads for the second.

    Attributes:
        transfer_bytes: of layers, configuration and manifest that it lacks, each blob once.
        layers: how many layers of the second these are.
    """

    transfer_bytes: int
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """From one image to another; ``owners`` and ``kinds`` name what is the same, too.

    Attributes:
        pull: None where one of the transfer sizes is not known.
        shared_layers: how many layers of ``after`` are in ``before``.
    """

    before: Summary
    after: Summary
    owners: tuple[OwnerChange, ...]
    kinds: tuple[KindChange, ...]
    layers: tuple[LayerChange, ...]
    pull: Pull | None

    @property
    def sizes(self) -> Sizes:
        """By how much the second is larger."""
        return self.after.sizes - self.before.sizes

    @property
    def shared_layers(self) -> int:
        """How many layers of the second are in the first."""
        return sum(one.how == "shared" for one in self.layers)


def difference(before: Summary, after: Summary) -> Difference:
    """Return what differs, owners by type and name, layers in their order."""
    return Difference(
        before=before,
        after=after,
        owners=_owners(before, after),
        kinds=_kinds(before, after),
        layers=_layers(before, after),
        pull=_pull(before, after),
    )


def ranked(changes: Iterable[_C], measure: Measure) -> list[_C]:
    """Return what gained or lost bytes of this measure, the most first; names break ties."""

    def weight(one: _C) -> tuple[int, str]:
        return -abs(_gain(one, measure)), one.name

    return sorted((one for one in changes if _gain(one, measure)), key=weight)


def shared_by_diff_id(before: Summary, after: Summary) -> bool:
    """Tell whether equal layers of the two are told by their archives.

    An engine exports its layers uncompressed. Their digests are then nobody else's, but the
    archives inside are the same (image-spec, config.md, "Layer DiffID").
    """
    return not (before.transfer_known and after.transfer_known)


def _gain(one: Change, measure: Measure) -> int:
    return measured(one.after, measure) - measured(one.before, measure)


def _grouped(rows: Iterable[_R], key: Callable[[_R], _K]) -> dict[_K, list[_R]]:
    groups: dict[_K, list[_R]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _owners(before: Summary, after: Summary) -> tuple[OwnerChange, ...]:
    old = _grouped(before.owners, lambda one: (one.owner.type, one.owner.name))
    new = _grouped(after.owners, lambda one: (one.owner.type, one.owner.name))
    return tuple(
        OwnerChange(
            type=key[0],
            name=key[1],
            old=tuple(sorted(one.owner.version for one in old.get(key, ()))),
            new=tuple(sorted(one.owner.version for one in new.get(key, ()))),
            before=total(one.sizes for one in old.get(key, ())),
            after=total(one.sizes for one in new.get(key, ())),
        )
        for key in sorted(old.keys() | new.keys())
    )


def _kinds(before: Summary, after: Summary) -> tuple[KindChange, ...]:
    old = {one.kind: one.sizes for one in before.kinds}
    new = {one.kind: one.sizes for one in after.kinds}
    return tuple(
        KindChange(name=kind, before=old.get(kind, Sizes()), after=new.get(kind, Sizes()))
        for kind in sorted(old.keys() | new.keys())
    )


def _layers(before: Summary, after: Summary) -> tuple[LayerChange, ...]:
    """Return the layers: those that only the first has, then all of the second."""
    by_archive = shared_by_diff_id(before, after)

    def key(layer: LayerSummary) -> Digest:
        return layer.diff_id if by_archive else layer.digest

    # A layer may be in an image twice: an empty one often is.
    there = _grouped(before.layers, key)
    in_second = []
    for layer in after.layers:
        same = there.get(key(layer))
        in_second.append(
            LayerChange(
                digest=layer.digest,
                name=layer.created_by,
                how="shared" if same else "added",
                before=same.pop(0).sizes if same else Sizes(),
                after=layer.sizes,
            )
        )
    left = Counter({one: len(rest) for one, rest in there.items()})
    only_first = []
    for layer in reversed(before.layers):
        if left[key(layer)]:
            left[key(layer)] -= 1
            only_first.append(
                LayerChange(
                    digest=layer.digest,
                    name=layer.created_by,
                    how="removed",
                    before=layer.sizes,
                    after=Sizes(),
                )
            )
    return (*reversed(only_first), *in_second)


def _pull(before: Summary, after: Summary) -> Pull | None:
    if not (before.transfer_known and after.transfer_known):
        return None
    there = before.blobs
    missing = {digest: size for digest, size in after.blobs.items() if digest not in there}
    layers = {one.digest for one in after.layers}
    return Pull(transfer_bytes=sum(missing.values()), layers=len(layers & missing.keys()))


def unique_transfer_bytes(images: Sequence[Summary]) -> int | None:
    """Return what a registry stores that has all ``images``: every blob once.

    None where a transfer size is not known.
    """
    if not all(one.transfer_known for one in images):
        return None
    blobs: dict[Digest, int] = {}
    for one in images:
        blobs |= one.blobs
    return sum(blobs.values())
