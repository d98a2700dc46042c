# SPDX-License-Identifier: Apache-2.0
"""The tables of ``wheelship inspect``: by owner, layer, path, kind; each adds up to the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wheelship.inspect.group import Row
from wheelship.inspect.measure import Measure, measured, total
from wheelship.inspect.model import Owner, OwnerType
from wheelship.report.canvas import Canvas, Ink
from wheelship.report.inspection_tree import Branch
from wheelship.report.inspection_view import TYPES, InspectionView
from wheelship.report.sized_table import Heads, SizedRow, sized_table
from wheelship.report.step import NOT_SAID, step

__all__ = [
    "INKS",
    "Question",
    "kinds_table",
    "layers_table",
    "owners_tree",
    "packages_table",
    "paths_table",
]

Question: TypeAlias = Literal["layer", "package", "path", "kind"]

INKS: dict[OwnerType, tuple[Ink, ...]] = {
    "python": ("blue",),
    "debian": ("magenta",),
    "application": ("green",),
    "generated": ("yellow",),
    "image": ("dim",),
    "unknown": ("red",),
}
_LITTLE = 100  # what is below this part of the whole gets no line as the rest of a directory
_ANY_CASE = 3
_SEEN = 1000  # nor, below this one, as an owner beside others
_DIGEST_CHARACTERS = 12  # as Docker shortens them


def owners_tree(view: InspectionView, canvas: Canvas, *, top: int) -> list[str]:
    """Return the types of owners, each with those of its owners that are among the ``top``.

    Of a type that is not little, the largest are named in any case.
    """
    chosen = _chosen(view, top)
    rows: list[SizedRow] = []
    for group in view.groups:
        inks = INKS[group.type]
        several = len(group.owners) > 1 or group.type in ("python", "debian")
        label = TYPES[group.type]
        if several:
            label += f" ({len(group.owners)})"
        rows.append(
            SizedRow(
                name=label, sizes=group.sizes, right=(f"{group.files:,}",), inks=(*inks, "bold")
            )
        )
        shown = [one for one in group.owners if one[0] in chosen]
        if not several or not shown:
            continue
        rest = group.owners[len(shown) :]
        for at, (_, row) in enumerate(shown):
            stem = canvas.stem(last=at == len(shown) - 1 and not rest)
            rows.append(_row(row, row.label, inks, stem))
        if rest:
            rows.append(_rest([row for _, row in rest], canvas.stem(last=True)))
    return _table(view, canvas, Heads(name="owner", right=("files",)), rows)


def _chosen(view: InspectionView, top: int) -> frozenset[Owner]:
    seen = [
        owner
        for owner, row in view.owners
        if measured(row.sizes, view.measure) * _SEEN >= view.whole
    ]
    named = set(seen[:top])
    for group in view.groups:
        if measured(group.sizes, view.measure) * _LITTLE >= view.whole:
            named |= {owner for owner, _ in group.owners[:_ANY_CASE]} & set(seen)
    return frozenset(named)


def packages_table(view: InspectionView, canvas: Canvas, *, top: int) -> list[str]:
    """Return the owners one by one, with their type."""

    def one(owner: Owner, row: Row) -> SizedRow:
        return SizedRow(
            name=row.label,
            sizes=row.sizes,
            left=(owner.type,),
            right=(f"{row.files:,}",),
            inks=INKS[owner.type],
        )

    heads = Heads(name="package", left=("type",), right=("files",))
    rows = [one(owner, row) for owner, row in view.owners[:top]]
    rest = [row for _, row in view.owners[top:]]
    return _table(view, canvas, heads, rows, rest, left=1)


def layers_table(
    view: InspectionView, canvas: Canvas, *, top: int, digests: bool = True
) -> list[str]:
    """Return the ``top`` largest layers in their order, lowest first."""
    by_size = sorted(view.layers, key=lambda one: (-measured(one[1].sizes, view.measure), one[0]))
    chosen = {index for index, _ in by_size[:top]}
    width = len(str(len(view.contents.layers) - 1))

    def one(index: int, row: Row) -> SizedRow:
        digest = "" if index < 0 else view.contents.layers[index].digest.hex[:_DIGEST_CHARACTERS]
        number = "" if index < 0 else str(index)
        return SizedRow(
            name=step(row.label) or NOT_SAID,
            stem=f"{number:>{width}} ",
            sizes=row.sizes,
            left=(digest,) if digests else (),
            right=(f"{row.files:,}",),
        )

    heads = Heads(name="made by", left=("digest",) if digests else (), right=("files",))
    rows = [one(index, row) for index, row in view.layers if index in chosen]
    rest = [row for index, row in view.layers if index not in chosen]
    return _table(view, canvas, heads, rows, rest, left=len(heads.left))


def kinds_table(view: InspectionView, canvas: Canvas, *, top: int) -> list[str]:
    """Return the kinds of files."""
    rows = [_row(row, row.label, ("cyan",), "") for row in view.kinds[:top]]
    heads = Heads(name="kind", right=("files",))
    return _table(view, canvas, heads, rows, view.kinds[top:])


def paths_table(
    view: InspectionView, canvas: Canvas, *, top: int, depth: int | None = None
) -> list[str]:
    """Return the ``top`` largest directories and files as a tree; ``depth`` bounds their parts."""
    root = view.tree.largest(view.measure, count=top, depth=depth)
    rows = list(_grown(root, canvas, view.measure, view.whole // _LITTLE))
    return _table(view, canvas, Heads(name="path", right=("files",)), rows)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a tree to come: ``branch``, or what of it is not shown."""

    branch: Branch
    above: str
    stem: str
    trunk: str
    is_rest: bool = False


def _grown(root: Branch, canvas: Canvas, measure: Measure, least: int) -> Iterator[SizedRow]:
    """Yield the lines below ``root``; what of a branch is not shown has one where it is not little.

    Not recursive: an image may have directories as deep as it likes.
    """
    waiting = _below(_Line(root, "", "", ""), canvas, measure, least)
    while waiting:
        line = waiting.pop()
        branch, above = line.branch, line.above
        if line.is_rest:
            yield _remainder(branch, line.stem)
            continue
        name = branch.path.removeprefix(f"{above}/") if above else f"/{branch.path}"
        yield SizedRow(
            name=name + "/" * branch.is_directory,
            sizes=branch.sizes,
            stem=line.stem,
            right=(f"{branch.files:,}",),
            inks=("cyan",) if branch.is_directory else (),
        )
        waiting += _below(line, canvas, measure, least)


def _below(line: _Line, canvas: Canvas, measure: Measure, least: int) -> list[_Line]:
    """Return the lines below one, the last first."""
    branch, path = line.branch, line.branch.path
    count = len(branch.branches)
    has_rest = count > 0 and measured(branch.rest, measure) > least
    lines = []
    for at in range(count + has_rest):
        last = at == count + has_rest - 1
        # What lies in the root stands at the margin.
        stem = line.trunk + canvas.stem(last=last) if path else ""
        trunk = line.trunk + canvas.trunk(last=last) if path else ""
        if at < count:
            lines.append(_Line(branch.branches[at], path, stem, trunk))
        else:
            lines.append(_Line(branch, path, stem, trunk, is_rest=True))
    return lines[::-1]


def _remainder(branch: Branch, stem: str) -> SizedRow:
    return SizedRow(
        name="smaller ones",
        sizes=branch.rest,
        stem=stem,
        right=(f"{branch.rest_files:,}",),
        inks=("dim",),
        plain=True,
    )


def _row(row: Row, name: str, inks: tuple[Ink, ...], stem: str) -> SizedRow:
    return SizedRow(name=name, sizes=row.sizes, stem=stem, right=(f"{row.files:,}",), inks=inks)


def _rest(rows: Sequence[Row], stem: str = "", left: int = 0) -> SizedRow:
    return SizedRow(
        name=f"{len(rows):,} more",
        sizes=total(row.sizes for row in rows),
        stem=stem,
        left=("",) * left,
        right=(f"{sum(row.files for row in rows):,}",),
        inks=("dim",),
        plain=True,
    )


def _table(
    view: InspectionView,
    canvas: Canvas,
    heads: Heads,
    rows: Sequence[SizedRow],
    rest: Sequence[Row] = (),
    left: int = 0,
) -> list[str]:
    """Return the lines of ``rows``, of what was left out, and of the sum of both: the image."""
    whole = SizedRow(
        name="total",
        sizes=view.contents.sizes,
        left=("",) * left,
        right=(f"{view.files:,}",),
        inks=("bold",),
        plain=True,
    )
    return sized_table(
        canvas,
        heads,
        [*rows, *([_rest(rest, left=left)] if rest else []), whole],
        measure=view.measure,
        whole=view.whole,
        measures=view.measures,
    )
