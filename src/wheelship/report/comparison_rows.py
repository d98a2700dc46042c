# SPDX-License-Identifier: Apache-2.0
"""The rows that every form of a comparison shows: sizes, and what changed by one question.

Rows always come with what is left of the difference, so that a table adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wheelship.compare.difference import Difference, OwnerChange, ranked
from wheelship.compare.summary import Summary
from wheelship.inspect.measure import MEASURES, Measure, measured
from wheelship.report.breach import owner_label
from wheelship.report.delta import format_delta, format_percent
from wheelship.report.printable import printable
from wheelship.report.size import format_bytes
from wheelship.report.step import step

__all__ = [
    "UNKNOWN",
    "By",
    "ChangeRow",
    "Changes",
    "TotalRow",
    "changes_of",
    "default_measure",
    "pull_text",
    "size_text",
    "total_rows",
]

By: TypeAlias = Literal["package", "kind", "layer"]
Sign: TypeAlias = Literal["+", "-", "~"]
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TotalRow:
    """One number of both images; ``change`` and ``percent`` are empty where there is none."""

    what: str
    before: str
    after: str
    change: str = ""
    percent: str = ""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """Something that gained or lost bytes; a side that has none of it is None."""

    sign: Sign
    label: str
    before: int | None
    after: int | None

    @property
    def delta(self) -> int:
        """Bytes gained."""
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed, the most first; ``rows`` and the ``others`` add up to ``total``.

    Attributes:
        others: how many rows were left out.
        others_bytes: what these gained together.
        documents_bytes: of layers, what manifest and configuration gained beside them.
        same: how many weigh what they did.
    """

    rows: tuple[ChangeRow, ...]
    others: int
    others_bytes: int
    documents_bytes: int
    same: int
    total: int


def default_measure(images: Sequence[Summary]) -> Measure:
    """Return the transfer size where all images have one: it is what people wait for."""
    return "transfer" if all(one.transfer_known for one in images) else "unpacked"


def size_text(image: Summary, measure: Measure) -> str:
    """Return a size for people."""
    if measure == "transfer" and not image.transfer_known:
        return UNKNOWN
    return format_bytes(measured(image.sizes, measure))


def total_rows(one: Difference) -> tuple[TotalRow, ...]:
    """Return the three sizes, and how many layers and packages there are."""
    rows = [_size_row(one, measure) for measure in MEASURES]
    counts = (
        ("layers", len(one.before.layers), len(one.after.layers), f"{one.shared_layers} shared"),
        ("packages", one.before.packages, one.after.packages, ""),
    )
    for what, before, after, note in counts:
        change = f"{after - before:+d}" if after != before else ""
        rows.append(TotalRow(what, str(before), str(after), change, note))
    return tuple(rows)


def _size_row(one: Difference, measure: Measure) -> TotalRow:
    before, after = size_text(one.before, measure), size_text(one.after, measure)
    if UNKNOWN in (before, after):
        return TotalRow(measure, before, after)
    sizes = measured(one.before.sizes, measure), measured(one.after.sizes, measure)
    change = "same" if sizes[0] == sizes[1] else format_delta(sizes[1] - sizes[0])
    return TotalRow(measure, before, after, change, format_percent(*sizes))


def pull_text(one: Difference, before: str) -> str:
    """Return what a machine that has the first image, called ``before``, pulls for the second."""
    if one.pull is None:
        return (
            f"what a machine that has {before} pulls is {UNKNOWN}: uncompressed layers do not tell "
            "how they are compressed in a registry"
        )
    pulls = f"a machine that has {before} pulls"
    if one.pull.transfer_bytes == 0:
        return f"{pulls} nothing: it is the same image"
    layers = len({layer.digest for layer in one.after.layers})
    rest = "manifest and configuration" if one.pull.layers else "the documents alone"
    size = format_bytes(one.pull.transfer_bytes)
    return f"{pulls} {size}: {one.pull.layers} of {layers} layers, {rest}"


def changes_of(one: Difference, by: By, measure: Measure, *, top: int) -> Changes:
    """Return the ``top`` rows of what gained or lost bytes of ``measure``."""
    rows, same = _rows(one, by, measure)
    shown, left = rows[:top], rows[top:]
    total = measured(one.sizes, measure)
    named = sum(row.delta for row in rows)
    return Changes(
        rows=tuple(shown),
        others=len(left),
        others_bytes=sum(row.delta for row in left),
        documents_bytes=total - named,
        same=same,
        total=total,
    )


def _rows(one: Difference, by: By, measure: Measure) -> tuple[list[ChangeRow], int]:
    if by == "package":
        owners = ranked(one.owners, measure)
        rows = [_owner(change, measure) for change in owners]
        return rows, len(one.owners) - len(rows)
    if by == "kind":
        rows = [
            _kind(change.name, measured(change.before, measure), measured(change.after, measure))
            for change in ranked(one.kinds, measure)
        ]
        return rows, len(one.kinds) - len(rows)
    layers = ranked(one.layers, measure)
    rows = []
    for layer in layers:
        label = printable(step(layer.name)) or str(layer.digest)[:19]
        before = None if layer.how == "added" else measured(layer.before, measure)
        after = None if layer.how == "removed" else measured(layer.after, measure)
        rows.append(ChangeRow(_sign(before, after), label, before, after))
    return rows, len(one.layers) - len(rows)


def _owner(change: OwnerChange, measure: Measure) -> ChangeRow:
    before = measured(change.before, measure) if change.old else None
    after = measured(change.after, measure) if change.new else None
    return ChangeRow(_sign(before, after), owner_label(change), before, after)


def _kind(label: str, before: int, after: int) -> ChangeRow:
    sides = before or None, after or None
    return ChangeRow(_sign(*sides), label, *sides)


def _sign(before: int | None, after: int | None) -> Sign:
    return "+" if before is None else "-" if after is None else "~"
