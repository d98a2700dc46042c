# SPDX-License-Identifier: Apache-2.0
"""A broken limit in words: what broke it, by how much, and what to look at."""

from __future__ import annotations

from dataclasses import dataclass

from wheelship.compare.difference import LayerChange, OwnerChange
from wheelship.compare.gate import Breach
from wheelship.compare.summary import Summary
from wheelship.inspect.measure import Measure, measured
from wheelship.report.delta import format_delta, format_percent
from wheelship.report.excess import above_text
from wheelship.report.printable import printable, shorten
from wheelship.report.size import format_bytes
from wheelship.report.step import step

__all__ = ["Cause", "breach_line", "breach_text", "causes_of", "image_name", "owner_label"]

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Cause:
    """Who is named for a broken limit, and why; ``label`` comes from the image and is printable."""

    label: str
    detail: str


def breach_text(breach: Breach) -> str:
    """Return the limit, and below it the causes, one line each."""
    intro, causes = causes_of(breach)
    below = (f"    {one.label}: {one.detail}" for one in causes)
    return "\n".join([breach_line(breach), *([f"  {intro}:"] if causes else ()), *below])


def breach_line(breach: Breach) -> str:
    """Return what broke which limit."""
    if breach.percent is not None and breach.before is not None:
        allowed = f"{breach.percent:f} % allowed"
        actual = f"{format_bytes(breach.actual)} {breach.what}"
        if breach.before == 0:
            return f"grew from nothing to {actual}, {allowed}"
        grown = format_percent(breach.before, breach.actual, beside=breach.percent)
        more = format_bytes(breach.actual - breach.before)
        return f"grew by {more} ({grown}) to {actual}, {allowed}"
    called = "budget" if breach.rule == "budget" else "limit"
    return above_text(breach.what, breach.actual, breach.limit, called)


def image_name(image: Summary) -> str:
    """Return what the image is called, with its platform."""
    return f"{printable(image.reference)} for {image.platform}"


def owner_label(change: OwnerChange) -> str:
    """Return name and versions: ``numpy 1.0 → 2.0``."""
    old, new = ", ".join(change.old), ", ".join(change.new)
    versions = new if not change.old or old == new else old if not change.new else f"{old} → {new}"
    return printable(f"{change.name} {versions}".strip())


def causes_of(breach: Breach) -> tuple[str, list[Cause]]:
    """Return what the causes are, in words, and the causes."""
    if breach.what == "layers":
        intro = "layers that are new" if breach.grown else "the smallest layers"
        return intro, [_layer(one) for one in breach.layers]
    measure: Measure = breach.what
    before = "" if breach.reference is None else "it was above that before, too; "
    return (
        "what grew most" if breach.grown else f"{before}what is largest",
        [_owner(one, measure, grown=breach.grown) for one in breach.owners],
    )


def _owner(change: OwnerChange, measure: Measure, *, grown: bool) -> Cause:
    before, after = measured(change.before, measure), measured(change.after, measure)
    label = shorten(owner_label(change), _LONGEST_NAME)
    if not grown:
        return Cause(label, format_bytes(after))
    if change.how == "added":
        return Cause(label, f"new, {format_bytes(after)}")
    sizes = f"{format_bytes(before)} → {format_bytes(after)}"
    return Cause(label, f"{sizes} ({format_delta(after - before)})")


def _layer(layer: LayerChange) -> Cause:
    name = shorten(printable(step(layer.name) or str(layer.digest)), _LONGEST_NAME)
    return Cause(name, f"{format_bytes(layer.after.unpacked)} unpacked")
