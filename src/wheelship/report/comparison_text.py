# SPDX-License-Identifier: Apache-2.0
"""A comparison for a terminal: the sizes first, what an update costs, then what changed most."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from string import ascii_uppercase

from wheelship.compare.comparison import Comparison
from wheelship.compare.difference import Difference
from wheelship.compare.summary import Summary
from wheelship.inspect.measure import MEASURES, Measure
from wheelship.report.breach import breach_line, image_name
from wheelship.report.canvas import Canvas, Ink
from wheelship.report.comparison_matrix import matrix_rows
from wheelship.report.comparison_rows import (
    By,
    ChangeRow,
    Changes,
    changes_of,
    default_measure,
    pull_text,
    size_text,
    total_rows,
)
from wheelship.report.delta import format_delta
from wheelship.report.share import share
from wheelship.report.size import format_bytes

__all__ = ["comparison_text"]

_LABEL_MIN, _LABEL_MAX = 20, 44
_BAR_MIN, _BAR_MAX = 4, 16
_NUMBER = 9  # 999.9 MB and a space
_PAIR = 2
_SIGNS: dict[str, Ink] = {"+": "red", "-": "green", "~": "yellow"}


def comparison_text(
    comparison: Comparison,
    canvas: Canvas,
    *,
    by: By = "package",
    measure: Measure | None = None,
    top: int = 15,
) -> str:
    """Return the lines; ``top`` rows of what changed, in ``measure`` or what all images have."""
    blocks = list(_blocks(comparison, canvas, by, measure, top))
    if comparison.limits:
        blocks.append("\n".join(_limits(comparison, canvas)))
    return "\n\n".join(blocks)


def _blocks(
    comparison: Comparison, canvas: Canvas, by: By, measure: Measure | None, top: int
) -> Iterator[str]:
    images = comparison.images
    if comparison.baseline is None and len(images) > _PAIR:
        chosen = measure or default_measure(images)
        yield "\n".join(_many(comparison, canvas, by, chosen, top))
        return
    if comparison.baseline is None and not comparison.differences:
        yield "\n".join(_many(comparison, canvas, by, measure or default_measure(images), top))
        return
    names = ("A", "B") if comparison.baseline is None else ("before", "now")
    for one in comparison.differences:
        chosen = measure or default_measure((one.before, one.after))
        yield "\n".join(_pair(one, canvas, names, by, chosen, top))
    for image in comparison.unmatched:
        sizes = ", ".join(f"{size_text(image, size)} {size}" for size in MEASURES)
        text = f"{image_name(image)}: not in the baseline; {sizes}"
        yield "\n".join(textwrap.wrap(text, canvas.width, break_on_hyphens=False))


def _pair(
    one: Difference, canvas: Canvas, names: tuple[str, str], by: By, measure: Measure, top: int
) -> Iterator[str]:
    for name, image in zip(names, (one.before, one.after), strict=True):
        yield _headline(name, image, canvas, max(map(len, names)))
    yield ""
    rows = total_rows(one)
    widths = [
        max(len(text) for text in column)
        for column in zip(
            ("", *names, "", ""),
            *((row.what, row.before, row.after, row.change, row.percent) for row in rows),
            strict=True,
        )
    ]
    first, second = (name.rjust(width) for name, width in zip(names, widths[1:], strict=False))
    yield canvas.paint(f"  {'':<{widths[0]}}  {first}  {second}".rstrip(), "dim")
    for row in rows:
        change = f"{row.change:>{widths[3]}}  {row.percent:>{widths[4]}}"
        line = (
            f"  {row.what:<{widths[0]}}  {row.before:>{widths[1]}}  {row.after:>{widths[2]}}"
            f"  {change}"
        )
        yield line.rstrip()
    yield ""
    yield from _wrapped(pull_text(one, _of(names[0])), canvas)
    changes = changes_of(one, by, measure, top=top)
    yield ""
    yield from _changes(changes, canvas, names, by, measure)


def _wrapped(text: str, canvas: Canvas) -> Iterator[str]:
    """Yield a sentence in lines that begin two columns in."""
    for line in textwrap.wrap(text, canvas.width - 2, break_on_hyphens=False):
        yield f"  {line}"


def _of(name: str) -> str:
    return name if len(name) == 1 else "the earlier image"


def _headline(name: str, image: Summary, canvas: Canvas, width: int) -> str:
    digest = "" if image.digest is None else f"  {str(image.digest)[:19]}"
    return (
        f"{canvas.paint(f'{name:<{width}}', 'bold')}  {canvas.show(image.reference)}"
        f"  {image.platform}{digest}"
    )


def _changes(
    changes: Changes, canvas: Canvas, names: tuple[str, str], by: By, measure: Measure
) -> Iterator[str]:
    if not changes.rows and not changes.total:
        yield f"  no {by} gained or lost {measure} bytes"
        return
    # Sign, label, two numbers, the change and a bar, two columns apart.
    numbers = 3 * (_NUMBER + 2)
    room = canvas.width - numbers - 4
    longest = max((len(row.label) for row in changes.rows), default=0)
    label = max(_LABEL_MIN, min(_LABEL_MAX, longest, room))
    bar = min(_BAR_MAX, room - label - 2)
    bar = bar if bar >= _BAR_MIN else 0
    first, second = (f"{name:>{_NUMBER}}" for name in names)
    title = canvas.fit(f"by {by}, {measure}", label)
    yield canvas.paint(f"    {title}  {first}  {second}  {'change':>{_NUMBER}}", "dim")
    most = max((abs(row.delta) for row in changes.rows), default=0)
    for row in changes.rows:
        yield _change(row, canvas, label, bar, most)
    rest = (
        (f"{changes.others} more", changes.others_bytes, changes.others),
        ("manifest, configuration", changes.documents_bytes, changes.documents_bytes),
        ("in all", changes.total, 1),
    )
    for text, delta, shown in rest:
        if shown:
            gap = " " * (2 * (_NUMBER + 2))
            yield f"    {canvas.fit(text, label)}{gap}  {format_delta(delta):>{_NUMBER}}"


def _change(row: ChangeRow, canvas: Canvas, label: int, bar: int, most: int) -> str:
    before, after = (
        "-" if size is None else format_bytes(size) for size in (row.before, row.after)
    )
    sign = canvas.paint(row.sign, _SIGNS[row.sign])
    drawn = canvas.bar(abs(row.delta), most, bar).rstrip()
    name = canvas.fit(row.label if canvas.unicode else row.label.replace(" → ", " -> "), label)
    numbers = (before, after, format_delta(row.delta))
    line = f"  {sign} {name}" + "".join(f"  {number:>{_NUMBER}}" for number in numbers)
    return f"{line}  {canvas.paint(drawn, 'red' if row.delta > 0 else 'green')}" if drawn else line


def _many(
    comparison: Comparison, canvas: Canvas, by: By, measure: Measure, top: int
) -> Iterator[str]:
    images = comparison.images
    letters = _letters(len(images))
    for letter, image in zip(letters, images, strict=True):
        yield _headline(letter, image, canvas, len(letters[-1]))
    yield ""
    body = [
        ("", *letters),
        *((size, *(size_text(image, size) for image in images)) for size in MEASURES),
        ("layers", *(str(len(image.layers)) for image in images)),
        ("packages", *(str(image.packages) for image in images)),
    ]
    if comparison.reference is not None:
        pulls = [
            "?" if one.pull is None else format_bytes(one.pull.transfer_bytes)
            for one in comparison.differences
        ]
        body.append(("pull after A", "", *pulls))
    yield from _table(body, canvas, _LABEL_MIN)
    together = _together(comparison)
    if together:
        yield ""
        yield from _wrapped(together, canvas)
    rows, others = matrix_rows(images, by, measure, top=top)
    yield ""
    table = [
        (f"by {by}, {measure}", *letters),
        *(
            (row.label, *("-" if size is None else format_bytes(size) for size in row.sizes))
            for row in rows
        ),
    ]
    if others:
        table.append((f"{others.rows} more", *map(format_bytes, others.sizes)))
    yield from _table(table, canvas, _LABEL_MAX)


def _table(rows: Sequence[tuple[str, ...]], canvas: Canvas, label_max: int) -> Iterator[str]:
    columns = len(rows[0])
    widths = [max(len(row[at]) for row in rows) for at in range(columns)]
    room = canvas.width - 2 - sum(width + 2 for width in widths[1:])
    widths[0] = max(_LABEL_MIN, min(label_max, widths[0], room))
    for at, row in enumerate(rows):
        cells = "".join(
            f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)
        )
        line = f"  {canvas.fit(row[0], widths[0])}{cells}".rstrip()
        yield canvas.paint(line, "dim") if at == 0 else line


def _together(comparison: Comparison) -> str:
    """Return what the images share; nothing where that cannot be told."""
    unique = comparison.unique_transfer_bytes
    if unique is None or len(comparison.images) < _PAIR:
        return ""
    whole = sum(image.sizes.transfer for image in comparison.images)
    saved = whole - unique
    return (
        f"together {format_bytes(whole)} transfer, {format_bytes(unique)} of it different: "
        f"shared layers save {format_bytes(saved)} ({share(saved, whole)})"
    )


def _letters(count: int) -> list[str]:
    """Return A, B and so on; after Z, A1."""
    rounds = (divmod(at, len(ascii_uppercase)) for at in range(count))
    return [ascii_uppercase[letter] + (str(turn) if turn else "") for turn, letter in rounds]


def _limits(comparison: Comparison, canvas: Canvas) -> Iterator[str]:
    if not comparison.breaches:
        yield f"  limits: {comparison.limits} kept"
    for breach in comparison.breaches:
        broken = canvas.paint("BROKEN", "red", "bold")
        name = canvas.show(breach.image.reference)
        by = f" by {name} for {breach.image.platform}" if len(comparison.subjects) > 1 else ""
        yield f"  limits: {broken}{by}: {breach_line(breach)}"
