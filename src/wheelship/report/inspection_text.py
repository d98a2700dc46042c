# SPDX-License-Identifier: Apache-2.0
"""Why an image is as big as it is, as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import assert_never

from wheelship.inspect.measure import MEASURES, Measure, measured
from wheelship.report.canvas import Canvas
from wheelship.report.inspection_tables import (
    Question,
    kinds_table,
    layers_table,
    owners_tree,
    packages_table,
    paths_table,
)
from wheelship.report.inspection_view import COUNTED_BY_OTHERS, InspectionView
from wheelship.report.inspection_waste import waste_lines
from wheelship.report.size import format_bytes

__all__ = ["inspection_text"]

_MEANINGS: dict[Measure, str] = {
    "transfer": "what a registry sends: compressed layers, manifest, configuration",
    "unpacked": "the layers' archives, with what later layers hide",
    "effective": "the files that a container sees",
}
_MARGIN = "  "


def inspection_text(
    view: InspectionView,
    canvas: Canvas,
    *,
    by: Question | None = None,
    top: int = 12,
    depth: int | None = None,
    verbose: bool = False,
) -> str:
    """Return the whole view, or with ``by`` the table that answers one question.

    ``top`` bounds the rows of each table and the findings; ``depth`` the parts of paths;
    ``verbose`` has all that is known of each finding.
    """
    blocks = [list(_header(view, canvas))]
    if by is not None:
        blocks.append(_answer(view, canvas, by, top, depth))
    else:
        owners = [_title(view, canvas, "whose bytes"), *owners_tree(view, canvas, top=top)]
        blocks += [
            owners,
            _layers(view, canvas, top, digests=False),
            _answer(view, canvas, "path", top, depth),
            list(waste_lines(view, canvas, top=top, verbose=verbose)),
            list(_others(view, canvas)),
        ]
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _answer(
    view: InspectionView, canvas: Canvas, by: Question, top: int, depth: int | None
) -> list[str]:
    match by:
        case "package":
            table = packages_table(view, canvas, top=top)
            return [_title(view, canvas, "packages and other owners"), *table]
        case "kind":
            return [_title(view, canvas, "kinds of files"), *kinds_table(view, canvas, top=top)]
        case "path":
            table = paths_table(view, canvas, top=top, depth=depth)
            return [_title(view, canvas, "largest paths"), *table]
        case "layer":
            return _layers(view, canvas, top, digests=True)
        case never:
            assert_never(never)


def _title(view: InspectionView, canvas: Canvas, text: str) -> str:
    return canvas.paint(f"{text}, by {view.measure} size", "bold")


def _header(view: InspectionView, canvas: Canvas) -> Iterator[str]:
    contents = view.contents
    yield canvas.paint(canvas.show(contents.reference), "bold")
    created = f", created {canvas.show(view.created)}" if view.created else ""
    yield f"{_MARGIN}{contents.config.platform}{created}"
    if contents.digest is not None:
        yield f"{_MARGIN}{contents.digest}"
    count = len(contents.layers)
    files = f"{view.files:,} file{'s' * (view.files != 1)}"
    yield f"{_MARGIN}{count} layer{'s' * (count != 1)}, {files} in them"
    if text := _expected(view):
        yield f"{_MARGIN}{text}"
    yield ""
    for measure in MEASURES:
        yield from _size(view, canvas, measure)


def _size(view: InspectionView, canvas: Canvas, measure: Measure) -> Iterator[str]:
    meaning = _MEANINGS[measure]
    number = format_bytes(measured(view.contents.sizes, measure))
    if measure not in view.measures:
        number, meaning = "unknown", "this place has the layers uncompressed"
    elif measure == "unpacked" and view.hidden.unpacked:
        meaning = f"the layers' archives; later layers hide {format_bytes(view.hidden.unpacked)}"
    inks = ("bold",) if measure == view.measure else ()
    start = f"{_MARGIN}{measure:<9} {canvas.paint(f'{number:>9}', *inks)}  "
    indent = " " * (len(_MARGIN) + 9 + 1 + max(9, len(number)) + 2)
    lines = textwrap.wrap(meaning, max(canvas.width - len(indent), 20))
    yield start + lines[0]
    yield from (indent + line for line in lines[1:])


def _expected(view: InspectionView) -> str:
    expectation = view.inspection.expectation
    if expectation.accelerator is None:
        return ""
    targets = ", ".join(expectation.gpu_targets)
    return f"meant for {expectation.accelerator}" + (f": {targets}" if targets else "")


def _layers(view: InspectionView, canvas: Canvas, top: int, *, digests: bool) -> list[str]:
    table = layers_table(view, canvas, top=top, digests=digests)
    return [_title(view, canvas, "layers"), *_strip(view, canvas), *table]


def _strip(view: InspectionView, canvas: Canvas) -> Iterator[str]:
    sizes = [measured(layer.sizes, view.measure) for layer in view.contents.layers]
    if len(sizes) > 1:
        bar, numbers = canvas.strip(sizes, canvas.width - 2 * len(_MARGIN))
        yield _MARGIN + canvas.paint(bar, "blue")
        yield _MARGIN + numbers


def _others(view: InspectionView, canvas: Canvas) -> Iterator[str]:
    yield canvas.paint("as others count", "bold")
    counts = [
        (name, "unknown" if count is None else f"{count:,} B")
        for name, count in view.counted_by_others
    ]
    width = max(len(number) for _, number in counts)
    names = max(len(name) for name, _ in counts)
    for name, number in counts:
        start = f"{_MARGIN}{name:<{names}}  {number:>{width}}  "
        lines = textwrap.wrap(COUNTED_BY_OTHERS[name], max(canvas.width - len(start), 16))
        yield start + lines[0]
        yield from (" " * len(start) + line for line in lines[1:])
