# SPDX-License-Identifier: Apache-2.0
"""The list of what an image could do without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from wheelship.inspect.model import Finding, Sizes
from wheelship.report.advice import Advice, advice_of
from wheelship.report.page.words import html
from wheelship.report.size import format_bytes

__all__ = ["FINDINGS_LIMIT", "tokens", "waste_section"]

FINDINGS_LIMIT = 200
_PATHS = 40
_TEXT = 4000


def tokens(findings: Sequence[Finding]) -> list[str]:
    """Return what each finding is searched by: its code, numbered where a code comes again."""
    seen: Counter[str] = Counter()
    found = []
    for one in findings[:FINDINGS_LIMIT]:
        seen[one.code] += 1
        found.append(one.code if seen[one.code] == 1 else f"{one.code}-{seen[one.code]}")
    return found


def waste_section(findings: Sequence[Finding], *, transfer_known: bool) -> str:
    """Return the list, largest first as it comes."""
    if not findings:
        return '<p class="none">No rule found anything to leave out.</p>'
    items = "".join(
        _item(token, one, transfer_known=transfer_known)
        for token, one in zip(tokens(findings), findings[:FINDINGS_LIMIT], strict=True)
    )
    return f'<ol class="findings">{items}</ol>'


def _item(token: str, one: Finding, *, transfer_known: bool) -> str:
    about = '<span class="estimate">estimate</span>' if one.estimate else ""
    if one.sizes == Sizes():  # the rule lacks something that would let it count
        amount = "not counted"
    else:
        amount = f"{_sizes(one.sizes, transfer_known=transfer_known)}{about}"
    return (
        f'<li class="finding" data-token="{html(token)}">'
        f"<h3>{html(one.title)}</h3>"
        f'<p class="amount">{amount}</p>'
        f'<p class="reason">{_text(one.reason)}</p>'
        f"{''.join(map(_fix, advice_of(one.fix[:_TEXT])))}{_paths(one.paths, one.place_count)}"
        f'<p class="last"><button type="button" class="show scripted" aria-pressed="false">'
        f"Show on the map</button><code>{html(token)}</code></p></li>"
    )


def _sizes(sizes: Sizes, *, transfer_known: bool) -> str:
    transfer = format_bytes(sizes.transfer) if transfer_known else "unknown"
    return (
        f'<span class="transfer"><b>{transfer}</b> transfer</span>'
        f'<span class="unpacked"><b>{format_bytes(sizes.unpacked)}</b> unpacked</span>'
        f'<span class="effective"><b>{format_bytes(sizes.effective)}</b> effective</span>'
    )


def _fix(advice: Advice) -> str:
    where, what = advice
    label = f'<span class="where">{where}</span>' if where else ""
    return (
        f'<div class="fix{" code" if where else ""}">{label}<p>{_text(what)}</p>'
        f'<button type="button" class="copy scripted" aria-label="Copy what to do {where}">'
        "Copy</button></div>"
    )


def _text(text: str) -> str:
    """Return ``text`` with its lines kept and what stands in backticks as code."""
    lines = []
    for line in text[:_TEXT].splitlines():
        pieces = html(line, _TEXT).split("`")
        closed = len(pieces) % 2 == 1
        lines.append(
            "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))
            if closed
            else "`".join(pieces)
        )
    return "\n".join(lines)


def _paths(paths: Sequence[str], count: int) -> str:
    if not paths:
        return ""
    rest = count - min(len(paths), _PATHS)
    more = f"<li>and {rest} more</li>" if rest > 0 else ""
    listed = "".join(f"<li>{html(one)}</li>" for one in paths[:_PATHS])
    word = "place" if count == 1 else "places, largest first"
    return f"<details><summary>{count} {word}</summary><ul>{listed}{more}</ul></details>"
