# SPDX-License-Identifier: Apache-2.0
"""The results as an SVG plot: bars on a logarithmic scale, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from document import Document
from scenario import SCENARIOS, Result
from subject import SUBJECTS
from table import SHAPES, passes

__all__ = ["draw"]

_WIDTH, _LABELS, _PANEL, _GAP, _NUMBERS = 900, 170, 300, 34, 58
_BAR, _SPACE, _HEADER, _TOP, _BOTTOM = 12, 12, 34, 66, 34

_STYLE = """
  svg { font: 13px system-ui, sans-serif; }
  .page { fill: #fff; }
  text { fill: #24292f; }
  .faint { fill: #57606a; font-size: 11px; }
  .title { font-weight: 600; }
  .grid { stroke: #d8dee4; }
  .ours { fill: #0969da; }
  .one { fill: #bc6c25; }
  .split { fill: #dda15e; }
  .direct { fill: #a3b18a; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .grid { stroke: #30363d; }
    .ours { fill: #4493f8; }
    .one { fill: #e39a4f; }
    .split { fill: #c9a27a; }
  }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """A bar in both panels; ``kind`` is its class in the style."""

    kind: str
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A scale from 10^``low`` to 10^``high`` that begins at ``left`` pixels."""

    title: str
    left: int
    low: int
    high: int
    value: Callable[[Result], float]

    def x(self, value: float) -> float:
        """Return where ``value`` lies; what is below the scale lies at its beginning."""
        part = (math.log10(max(value, 10.0**self.low)) - self.low) / (self.high - self.low)
        return self.left + part * (_PANEL - _NUMBERS)


def draw(document: Document) -> str:
    """Return the plot of all subjects."""
    groups = _groups(document)
    results = [bar.result for bars in groups.values() for bar in bars]
    panels = (
        _panel("seconds to build and push", 0, results, lambda one: one.seconds),
        _panel("megabytes pushed", 1, results, lambda one: one.pushed_bytes / 1e6),
    )
    body: list[str] = []
    y, subject = float(_TOP), ""
    for (name, scenario), bars in groups.items():
        if name != subject:
            subject = name
            body.append(_text(0, y + 18, SUBJECTS[name].title, "title"))
            y += _HEADER
        middle = y + len(bars) * _BAR / 2 + 4
        body.append(_text(_LABELS - 12, middle, SCENARIOS[scenario].title, anchor="end"))
        for bar in bars:
            body += [part for panel in panels for part in _draw_bar(panel, bar, y)]
            y += _BAR
        y += _SPACE
    grid = [part for panel in panels for part in _draw_grid(panel, _TOP, y)]
    height = round(y + _BOTTOM)
    kinds = dict.fromkeys(bar.kind for bars in groups.values() for bar in bars)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 {_WIDTH + 24} {height}" role="img"'
        f' width="{_WIDTH + 24}" height="{height}">\n<title>wheelship and BuildKit: seconds and'
        f" megabytes for each change</title>\n<style>{_STYLE}</style>\n"
    )
    page = f'<rect class="page" x="-12" width="{_WIDTH + 24}" height="{height}"/>'
    return head + "\n".join([page, *_legend(tuple(kinds)), *grid, *body]) + "\n</svg>\n"


def _groups(document: Document) -> dict[tuple[str, str], list[_Bar]]:
    """Return the bars by subject and scenario: our best result first, then each shape's."""
    found: dict[tuple[str, str], list[_Bar]] = {}
    for (subject, shape), scenarios in passes(document).items():
        for name, (ours, theirs) in scenarios.items():
            bars = found.setdefault((subject, name), [_Bar(kind="ours", result=ours)])
            if ours.seconds < bars[0].result.seconds:
                bars[0] = _Bar(kind="ours", result=ours)
            bars.append(_Bar(kind=shape, result=theirs))
    return found


def _panel(
    title: str, column: int, results: Sequence[Result], value: Callable[[Result], float]
) -> _Panel:
    values = [value(one) for one in results if value(one) > 0]
    return _Panel(
        title=title,
        left=_LABELS + column * (_PANEL + _GAP + _NUMBERS),
        low=math.floor(math.log10(min(values))),
        high=math.ceil(math.log10(max(values))),
        value=value,
    )


def _draw_bar(panel: _Panel, bar: _Bar, y: float) -> list[str]:
    value = panel.value(bar.result)
    end = panel.x(value)
    width = max(end - panel.left, 1.5)
    size = f'width="{width:.1f}" height="{_BAR - 2}"'
    return [
        f'<rect class="{bar.kind}" x="{panel.left}" y="{y + 1:.0f}" {size} rx="2"/>',
        _text(panel.left + width + 5, y + _BAR - 2, _number(value), "faint"),
    ]


def _draw_grid(panel: _Panel, top: float, bottom: float) -> list[str]:
    lines = [_text(panel.left, top - 8, panel.title, "title")]
    for power in range(panel.low, panel.high + 1):
        x = panel.x(10.0**power)
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom:.0f}"/>')
        label = f"{10 ** (power - 3)}k" if power >= 3 else f"{10.0**power:g}"  # noqa: PLR2004 - k is 10³
        lines.append(_text(x, bottom + 14, label, "faint", anchor="middle"))
    return lines


def _legend(kinds: Sequence[str]) -> list[str]:
    lines: list[str] = []
    x = 0
    for kind in kinds:
        name = "wheelship" if kind == "ours" else f"BuildKit, {SHAPES[kind]}"
        lines.append(f'<rect class="{kind}" x="{x}" y="12" width="12" height="12" rx="2"/>')
        lines.append(_text(x + 18, 22, name))
        x += 42 + 7 * len(name)
    return lines


def _text(x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> str:
    name = f' class="{kind}"' if kind else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text{name} {place}>{escape(text)}</text>"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"  # noqa: PLR2004 - three digits
