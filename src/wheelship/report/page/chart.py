# SPDX-License-Identifier: Apache-2.0
"""Sizes over builds, as a drawing and as a table; both stand in the page without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10

from wheelship.history.model import PastBuild
from wheelship.report.page.words import html
from wheelship.report.size import format_bytes

__all__ = ["history_section"]

_SERIES = 6  # as many colours as can be told apart
_BUILDS = 200
_ROWS = 30
_WIDTH, _HEIGHT = 860, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 18, 18, 36
_TICKS = 5


def history_section(history: Sequence[PastBuild]) -> str:
    """Return the section about ``history``, nothing when there was no build."""
    if not history:
        return ""
    # RFC 3339 in UTC sorts as text.
    builds = sorted(history, key=lambda one: (one.time, str(one.digest)))[-_BUILDS:]
    # A project that was renamed, or a file joined from several: each image has a line of its own.
    several = len({one.name for one in builds}) > 1
    series: dict[tuple[str, str, str], list[tuple[int, PastBuild]]] = {}
    for at, build in enumerate(builds):
        key = build.name, build.variant, str(build.platform)
        series.setdefault(key, []).append((at, build))
    latest = sorted(series, key=lambda key: -series[key][-1][0])[:_SERIES]
    drawn = {key: series[key] for key in sorted(latest)}
    legend = "".join(
        f'<li><span class="swatch series s{number}"></span>'
        f"{html(f'{name}:{variant}' if several else variant)}, {html(platform)}</li>"
        for number, (name, variant, platform) in enumerate(drawn)
    )
    return (
        '<section class="history" aria-labelledby="history-title">'
        '<h2 id="history-title">Builds over time <small>transfer size</small></h2>'
        f'<ul class="legend">{legend}</ul>'
        '<div class="builds">'
        '<div class="scroll" tabindex="0" role="group" aria-label="Chart of sizes">'
        f"{_drawing(drawn, len(builds))}</div>"
        f"{_table(builds)}</div></section>"
    )


def _drawing(series: dict[tuple[str, str, str], list[tuple[int, PastBuild]]], builds: int) -> str:
    top = max(build.transfer_bytes for rows in series.values() for _, build in rows)
    step = _step(top)
    ceiling = max(1, ceil(top / step)) * step
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(at: int) -> float:
        return _LEFT + (wide / 2 if builds == 1 else 6 + at * (wide - 12) / (builds - 1))

    def y(size: int) -> float:
        return _TOP + high - high * size / ceiling

    label = "Transfer size of each build; the table has the numbers"
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" class="chart" aria-label="{label}">'
    ]
    parts += (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(size):.1f}"'
        f' y2="{y(size):.1f}"/><text class="tick" x="{_LEFT - 8}" y="{y(size) + 4:.1f}"'
        f' text-anchor="end">{format_bytes(size)}</text>'
        for size in range(0, ceiling + 1, step)
    )
    for number, rows in enumerate(series.values()):
        points = " ".join(f"{x(at):.1f},{y(build.transfer_bytes):.1f}" for at, build in rows)
        parts.append(f'<polyline class="line s{number}" points="{points}"/>')
        parts += (_point(number, x(at), y(build.transfer_bytes), build) for at, build in rows)
    parts += _dates([build for rows in series.values() for build in rows])
    return "".join([*parts, "</svg>"])


def _point(number: int, x: float, y: float, build: PastBuild) -> str:
    words = f"{build.time}: {format_bytes(build.transfer_bytes)}, {build.seconds:.1f} s"
    return (
        f'<circle class="point s{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
        f"<title>{html(build.variant)}, {html(words)}</title></circle>"
    )


def _dates(rows: Sequence[tuple[int, PastBuild]]) -> Iterator[str]:
    first, last = min(rows, key=lambda one: one[0]), max(rows, key=lambda one: one[0])
    places = [(_LEFT, "start", first)]
    if last[0] != first[0]:
        places.append((_WIDTH - _RIGHT, "end", last))
    for x, anchor, (_, build) in places:
        yield (
            f'<text class="tick" x="{x}" y="{_HEIGHT - 10}" text-anchor="{anchor}">'
            f"{html(build.time[:10])}</text>"
        )


def _step(top: int) -> int:
    """Return 1, 2 or 5 times a power of ten, such that few lines reach ``top``."""
    least = max(1, top / _TICKS)
    power: int = 10 ** floor(log10(least))
    return next(power * one for one in (1, 2, 5, 10) if power * one >= least)


def _table(builds: Sequence[PastBuild]) -> str:
    heads = ("Time (UTC)", "Variant", "Transfer", "New in it", "Unpacked", "Layers made", "Seconds")
    lines = ['<div class="scroll" tabindex="0" role="group" aria-label="Table of builds"><table>']
    lines += ["<thead><tr>", *(f'<th scope="col">{one}</th>' for one in heads), "</tr></thead>"]
    lines.append("<tbody>")
    lines += (
        f'<tr><th scope="row">{html(one.time[:16].replace("T", " "))}</th>'
        f"<td>{html(one.variant)}, {html(str(one.platform))}</td>"
        f'<td class="num">{format_bytes(one.transfer_bytes)}</td>'
        f'<td class="num">{format_bytes(one.fresh_bytes)}</td>'
        f'<td class="num">{format_bytes(one.unpacked_bytes)}</td>'
        f'<td class="num">{one.layers - one.reused} of {one.layers}</td>'
        f'<td class="num">{one.seconds:.1f}</td></tr>'
        for one in reversed(builds[-_ROWS:])
    )
    lines.append("</tbody></table></div>")
    return "\n".join(lines)
