# SPDX-License-Identifier: Apache-2.0
"""How size and time of builds went: as a plot for a terminal, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from wheelship.history.model import PastBuild
from wheelship.history.series import Course, Series, series_of
from wheelship.report.delta import format_percent
from wheelship.report.plot import axis_of, line_chart, sparkline
from wheelship.report.size import format_bytes

__all__ = ["SCHEMA", "history_document", "history_markdown", "history_text"]

SCHEMA = "wheelship.history/1"

_ROWS = 4
_ASCII_ROWS = 5  # odd, so that what hardly changes stays on the middle one
_MARGIN = 12  # for "  1234.50 GB"
_SPARKS = 20
_WIDEST_STEP = 6  # a few builds do not become a line across the screen
_LEAST_COLUMNS = 10
_SIZE_SHARE = 50  # a chart of sizes spans 2 % at least
_LEAST_SECONDS = 0.2
_EMPTY = "no builds are remembered yet"


def history_text(builds: Iterable[PastBuild], width: int, *, ascii_only: bool = False) -> str:
    """Return a block for each variant and platform: figures, and charts over its builds.

    Charts are at most ``width`` characters wide, if that is at least 60; no figure needs more.
    ``ascii_only`` is for terminals without braille.
    """
    blocks = [
        "\n".join(_block(series, width, ascii_only=ascii_only)) for series in series_of(builds)
    ]
    return "\n\n".join(blocks) or _EMPTY


def _block(series: Series, width: int, *, ascii_only: bool) -> list[str]:
    last, count = series.builds[-1], len(series.builds)
    sizes, seconds = series.transfer_bytes, series.seconds
    new = f", {format_bytes(last.fresh_bytes)} transfer are new" if last.fresh_bytes else ""
    return [
        f"{series.name}:{series.variant}  {series.platform}",
        f"  1 build, {last.time[:10]}"
        if count == 1
        else f"  {count} builds, {series.builds[0].time[:10]} to {last.time[:10]}",
        f"  transfer  {format_bytes(sizes.last)}{_size_change(sizes)}",
        *_chart(sizes, sizes.most / _SIZE_SHARE, _size, width, ascii_only=ascii_only),
        f"  time      {_time(seconds.last)}{_time_change(seconds)}",
        *_chart(seconds, _LEAST_SECONDS, _time, width, ascii_only=ascii_only),
        f"  layers    {last.layers}, {last.reused} of them reused{new}",
    ]


def _chart(
    course: Course[int] | Course[float],
    least_span: float,
    shown: Callable[[float], str],
    width: int,
    *,
    ascii_only: bool,
) -> list[str]:
    """Return the lines on several builds, none on a single one."""
    values = course.values
    if len(values) == 1:
        return []
    axis = axis_of(values, least_span=max(1e-3, least_span))
    room = max(_LEAST_COLUMNS, width - _MARGIN - len(" | "))
    columns = min(room, max(_LEAST_COLUMNS, _WIDEST_STEP * len(values)))
    rows = _ASCII_ROWS if ascii_only else _ROWS
    drawn = line_chart(values, axis, columns=columns, rows=rows, ascii_only=ascii_only)
    beside = [shown(axis[1]), *[""] * (rows - 2), shown(axis[0])]
    bar = "|" if ascii_only else "│"
    return [
        f"            least {shown(course.least)}, most {shown(course.most)}",
        *(
            f"{label:>{_MARGIN}} {bar} {line}".rstrip()
            for label, line in zip(beside, drawn, strict=True)
        ),
    ]


def _size_change(course: Course[int]) -> str:
    if len(course.values) == 1:
        return ""
    change = course.last - course.before
    if change == 0:
        return ", as the build before"
    sign = "+" if change > 0 else "-"
    percent = format_percent(course.before, course.last)
    share = f" ({percent})" if course.before and percent else ""
    return f", {sign}{format_bytes(abs(change))}{share} since the build before"


def _time_change(course: Course[float]) -> str:
    if len(course.values) == 1:
        return ""
    change = round(course.last - course.before, 2)
    if change == 0:
        return ", as the build before"
    sign = "+" if change > 0 else "-"
    return f", {sign}{_time(abs(change))} since the build before"


def _size(count: float) -> str:
    return format_bytes(round(count))


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s"


def history_document(builds: Iterable[PastBuild]) -> dict[str, Any]:
    """Return the JSON document (docs/reference/schema/compare-history.json).

    Sizes are bytes, times seconds; series are sorted, the builds of each oldest first.
    """
    return {
        "schema": SCHEMA,
        "series": [
            {
                "name": series.name,
                "variant": series.variant,
                "platform": str(series.platform),
                "transfer_bytes": _course(series.transfer_bytes),
                "seconds": _course(series.seconds),
                "builds": [_build(one) for one in series.builds],
            }
            for series in series_of(builds)
        ],
    }


def _course(course: Course[int] | Course[float]) -> dict[str, float]:
    return {
        "last": course.last,
        "before": course.before,
        "least": course.least,
        "most": course.most,
    }


def _build(build: PastBuild) -> dict[str, Any]:
    return {
        "time": build.time,
        "digest": str(build.digest),
        "transfer_bytes": build.transfer_bytes,
        "unpacked_bytes": build.unpacked_bytes,
        "seconds": build.seconds,
        "layers": build.layers,
        "reused": build.reused,
        "fresh_bytes": build.fresh_bytes,
    }


def history_markdown(builds: Iterable[PastBuild]) -> str:
    """Return a table, a row for each variant and platform, with the course of its sizes."""
    rows = [_row(series) for series in series_of(builds)]
    if not rows:
        return f"{_EMPTY[0].upper()}{_EMPTY[1:]}."
    heads = ("image", "platform", "builds", "transfer", "change", "least", "most", "course", "time")
    lines = [heads, ("---", "---", "---:", "---:", "---:", "---:", "---:", "---", "---:"), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(series: Series) -> tuple[str, ...]:
    sizes = series.transfer_bytes
    change = sizes.last - sizes.before
    sign = "+" if change > 0 else "-" if change else "±"
    axis = axis_of(sizes.values, least_span=max(1.0, sizes.most / _SIZE_SHARE))
    return (
        f"{series.name}:{series.variant}",
        str(series.platform),
        str(len(series.builds)),
        format_bytes(sizes.last),
        f"{sign}{format_bytes(abs(change))}",
        format_bytes(sizes.least),
        format_bytes(sizes.most),
        sparkline(sizes.values, axis, columns=_SPARKS),
        _time(series.seconds.last),
    )
