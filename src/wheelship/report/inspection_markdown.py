# SPDX-License-Identifier: Apache-2.0
"""Why an image is as big as it is, as Markdown for a job summary or a pull request's comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from wheelship.inspect.group import by_path
from wheelship.inspect.measure import measured, total
from wheelship.inspect.model import Finding, Sizes
from wheelship.report.inspection_tables import Question
from wheelship.report.inspection_view import TYPES, InspectionView
from wheelship.report.markdown import code, markup, prose, snippet
from wheelship.report.share import share
from wheelship.report.size import format_bytes
from wheelship.report.step import NOT_SAID, step

__all__ = ["inspection_markdown"]

_TITLES: dict[Question, str] = {
    "package": "Packages and other owners",
    "layer": "Layers",
    "path": "Directories",
    "kind": "Kinds of files",
}
_MOST_BYTES = 60_000  # GitHub refuses comments of more than 65 536 characters
_NAME = 80
_PATHS = 5
_DEPTH = 5


def inspection_markdown(
    view: InspectionView,
    *,
    by: Question | None = None,
    top: int = 12,
    depth: int | None = None,
) -> str:
    """Return the whole report, or with ``by`` the table that answers one question.

    ``top`` bounds rows and findings, ``depth`` the parts of paths. Where the text would be more
    than a comment may hold, tables become shorter; their last rows still make the sums complete.
    """
    while True:
        lines = _report(view, top, depth) if by is None else _single(view, by, top, depth)
        text = "\n".join(lines) + "\n"
        if len(text.encode()) <= _MOST_BYTES or top <= 1:
            return text
        top //= 2


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of a table; ``names`` are Markdown."""

    names: tuple[str, ...]
    sizes: Sizes
    files: int


def _single(view: InspectionView, by: Question, top: int, depth: int | None) -> Iterator[str]:
    yield from _head(view)
    yield from _answer(view, by, top, depth)


def _report(view: InspectionView, top: int, depth: int | None) -> Iterator[str]:
    yield from _head(view)
    yield from _types(view)
    yield ""
    yield from _waste(view, top)
    for by, title in _TITLES.items():
        yield ""
        yield f"<details><summary>{title}, by {view.measure} size</summary>"
        yield ""
        yield from _answer(view, by, top, depth)
        yield ""
        yield "</details>"


def _head(view: InspectionView) -> Iterator[str]:
    contents = view.contents
    sizes = [f"**{format_bytes(measured(contents.sizes, one))}** {one}" for one in view.measures]
    if not contents.transfer_known:
        sizes.insert(0, "transfer unknown")
    layers = len(contents.layers)
    yield f"### {code(contents.reference, _NAME)}"
    yield ""
    yield (
        f"{', '.join(sizes)}, in {layers} layer{'s' * (layers != 1)} "
        f"with {view.files:,} file{'s' * (view.files != 1)}, "
        f"for {contents.config.platform}"
    )
    if contents.digest is not None:
        yield ""
        yield f"`{contents.digest}`"
    yield ""


def _types(view: InspectionView) -> Iterator[str]:
    rows = [
        _Line((f"{TYPES[one.type]} ({len(one.owners)})",), one.sizes, one.files)
        for one in view.groups
    ]
    yield from _table(view, ("owners",), rows)


def _answer(view: InspectionView, by: Question, top: int, depth: int | None) -> Iterator[str]:
    match by:
        case "package":
            rows = [
                _Line((owner.type, code(row.label, _NAME)), row.sizes, row.files)
                for owner, row in view.owners
            ]
            yield from _table(view, ("type", "package"), _largest(view, rows, top))
        case "layer":
            rows = [
                _Line(
                    ("" if index < 0 else str(index), code(step(row.label) or NOT_SAID, _NAME)),
                    row.sizes,
                    row.files,
                )
                for index, row in view.layers
            ]
            yield from _table(view, ("layer", "made by"), _largest(view, rows, top))
        case "kind":
            rows = [_Line((row.label,), row.sizes, row.files) for row in view.kinds]
            yield from _table(view, ("kind",), _largest(view, rows, top))
        case "path":
            found = by_path(view.contents, depth or _DEPTH).values()
            rows = [_Line((code(row.label, _NAME),), row.sizes, row.files) for row in found]
            rows.sort(key=lambda line: (-measured(line.sizes, view.measure), line.names))
            yield from _table(view, ("directory",), _largest(view, rows, top))
        case never:
            assert_never(never)


def _largest(view: InspectionView, rows: Sequence[_Line], top: int) -> list[_Line]:
    """Return the ``top`` largest in their order, and one row for all others."""
    order = sorted(range(len(rows)), key=lambda at: (-measured(rows[at].sizes, view.measure), at))
    kept, others = set(order[:top]), [rows[at] for at in order[top:]]
    shown = [row for at, row in enumerate(rows) if at in kept]
    if others:
        blanks = ("",) * (len(others[0].names) - 1)
        sizes = total(one.sizes for one in others)
        files = sum(one.files for one in others)
        shown.append(_Line((*blanks, f"{len(others):,} more"), sizes, files))
    return shown


def _table(view: InspectionView, heads: Sequence[str], rows: Sequence[_Line]) -> Iterator[str]:
    """Yield a table that ends with the image's sums; the size it is sorted by stands out."""
    numbers = ["share", "files", *view.measures]
    yield f"| {' | '.join([*heads, *numbers])} |"
    yield f"|{' --- |' * len(heads)}{' ---: |' * len(numbers)}"
    whole = _Line((*("",) * (len(heads) - 1), "total"), view.contents.sizes, view.files)
    for row in (*rows, whole):
        sizes = [
            f"**{size}**" if one == view.measure else size
            for one in view.measures
            for size in (format_bytes(measured(row.sizes, one)),)
        ]
        part = share(measured(row.sizes, view.measure), view.whole).replace("<", "&lt;")
        yield f"| {' | '.join([*row.names, part, f'{row.files:,}', *sizes])} |"


def _waste(view: InspectionView, top: int) -> Iterator[str]:
    found = view.findings
    if not found:
        yield "No waste was found."
        return
    yield f"**Waste**: {view.wasted}"
    for one in found[:top]:
        yield ""
        yield from _finding(view, one)
    if len(found) > top:
        yield ""
        yield f"and {len(found) - top} smaller one{'s' * (len(found) - top > 1)}"


def _finding(view: InspectionView, one: Finding) -> Iterator[str]:
    counted = one.sizes != Sizes()
    about = "about " * one.estimate
    size = f"{about}{format_bytes(measured(one.sizes, view.measure))}" if counted else "not counted"
    yield f"<details><summary>{size}: {markup(one.title)} ({one.code})</summary>"
    yield ""
    sizes = [f"{format_bytes(measured(one.sizes, measure))} {measure}" for measure in view.measures]
    saves = f". Saves {about}{', '.join(sizes)}." if counted else "."
    yield prose(one.reason.removesuffix(".")) + saves
    yield ""
    if one.paths:
        yield from (f"- {code(view.place(path), _NAME)}" for path in one.paths[:_PATHS])
        if one.place_count > _PATHS:
            yield f"- and {one.place_count - _PATHS:,} more"
        yield ""
    yield from snippet(one.fix)
    yield ""
    yield "</details>"
