# SPDX-License-Identifier: Apache-2.0
"""A comparison as a comment on a pull request: one sentence, a small table, the rest folded away.

Its first line is the same in every version, so that who posts comments finds the last one and
replaces it. GitHub takes 65,536 characters; what would not fit is left out row by row.
"""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.compare.comparison import Comparison
from wheelship.compare.difference import Difference
from wheelship.compare.summary import Summary
from wheelship.inspect.measure import MEASURES, Measure, measured
from wheelship.report.breach import breach_line, causes_of
from wheelship.report.comparison_rows import (
    By,
    Changes,
    changes_of,
    default_measure,
    pull_text,
    size_text,
    total_rows,
)
from wheelship.report.delta import format_delta, format_percent
from wheelship.report.markdown import code
from wheelship.report.size import format_bytes

__all__ = ["LARGEST_BYTES", "MARKER", "comparison_markdown"]

MARKER = "<!-- wheelship compare -->"
LARGEST_BYTES = 60_000
_LONGEST_NAME = 90
_TOPS = (50, 20, 8, 3, 0)
_PLURALS = {"package": "packages", "kind": "kinds of files", "layer": "layers"}


def comparison_markdown(comparison: Comparison, *, measure: Measure | None = None) -> str:
    """Return the comment, of :data:`LARGEST_BYTES` bytes at most; it ends with a newline."""
    texts = ("\n".join([MARKER, *_lines(comparison, measure, top), ""]) for top in _TOPS)
    for text in texts:
        if len(text.encode()) <= LARGEST_BYTES:
            return text
    # So many images that even their headlines are too much.
    note = "\n…\n"
    text = "\n".join([MARKER, *_lines(comparison, measure, 0)])
    kept = text.encode()[: LARGEST_BYTES - len(note.encode())].decode(errors="ignore")
    return kept[: kept.rindex("\n")] + note


def _lines(comparison: Comparison, measure: Measure | None, top: int) -> Iterator[str]:
    if not comparison.differences:
        yield from _overview(comparison)
    for one in comparison.differences:
        chosen = measure or default_measure((one.before, one.after))
        yield from _difference(one, comparison, chosen, top)
    for image in comparison.unmatched:
        sizes = ", ".join(f"{size_text(image, size)} {size}" for size in MEASURES)
        yield f"{_code(image.reference)} for {image.platform} is not in the baseline: {sizes}."
        yield ""
        yield from _broken(comparison, image)


def _overview(comparison: Comparison) -> Iterator[str]:
    images, broken = len(comparison.images), len(comparison.breaches)
    yield f"### {_count(images, 'image')}, {_count(broken, 'limit')} broken"
    yield ""
    yield "| image | platform | transfer | unpacked | effective | layers | packages |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for image in comparison.images:
        sizes = " | ".join(size_text(image, size) for size in MEASURES)
        yield (
            f"| {_code(image.reference)} | {image.platform} | {sizes} | {len(image.layers)}"
            f" | {image.packages} |"
        )
    yield ""
    for image in comparison.images:
        yield from _broken(comparison, image)


def _difference(
    one: Difference, comparison: Comparison, measure: Measure, top: int
) -> Iterator[str]:
    yield f"### {_headline(one, measure)}"
    yield ""
    yield from _broken(comparison, one.after)
    yield f"| {one.after.platform} | before | now | change | |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for row in total_rows(one):
        yield f"| {row.what} | {row.before} | {row.after} | {row.change} | {row.percent} |"
    yield ""
    text = pull_text(one, "the earlier image")
    yield f"{text[0].upper()}{text[1:]}."
    yield ""
    views: tuple[By, ...] = ("package", "kind", "layer")
    for by in views:
        yield from _details(changes_of(one, by, measure, top=top), by, measure)
    yield from _names(one)


def _headline(one: Difference, measure: Measure) -> str:
    """Return the comment in one sentence."""
    before, after = measured(one.before.sizes, measure), measured(one.after.sizes, measure)
    name, size = _code(one.after.reference), f"{format_bytes(after)} {measure}"
    if before == after:
        return f"{name} kept its size: {size}"
    verb = "grew" if after > before else "shrank"
    delta = format_bytes(abs(after - before))
    percent = format_percent(before, after)
    return f"{name} {verb} by {delta} ({percent}) to {size}"


def _broken(comparison: Comparison, image: Summary) -> Iterator[str]:
    for breach in comparison.breaches:
        if breach.image is image:
            yield f"**Limit broken: {breach_line(breach)}**"
            yield ""
            intro, causes = causes_of(breach)
            if causes:
                yield f"{intro.capitalize()}:"
                yield ""
                yield from (f"- {_code(one.label)}: {one.detail}" for one in causes)
                yield ""


def _details(changes: Changes, by: By, measure: Measure) -> Iterator[str]:
    if not changes.rows:
        return
    count = len(changes.rows) + changes.others
    yield f"<details><summary>{count} {_PLURALS[by]} changed ({measure})</summary>"
    yield ""
    yield f"| | {by} | before | now | change |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for row in changes.rows:
        before, after = (
            "" if size is None else format_bytes(size) for size in (row.before, row.after)
        )
        yield (
            f"| {_SIGNS[row.sign]} | {_code(row.label)} | {before} | {after}"
            f" | {format_delta(row.delta)} |"
        )
    if changes.others:
        yield f"| | {changes.others} more | | | {format_delta(changes.others_bytes)} |"
    if changes.documents_bytes:
        yield f"| | manifest, configuration | | | {format_delta(changes.documents_bytes)} |"
    yield f"| | **in all** | | | **{format_delta(changes.total)}** |"
    yield ""
    yield "</details>"
    yield ""


_SIGNS = {"+": "new", "-": "gone", "~": ""}


def _names(one: Difference) -> Iterator[str]:
    for what, image in (("before", one.before), ("now", one.after)):
        digest = "" if image.digest is None else f", {image.digest}"
        yield f"<sub>{what}: {_code(image.reference)}{digest}</sub>"
    yield ""


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _code(text: str) -> str:
    return code(text, _LONGEST_NAME)
