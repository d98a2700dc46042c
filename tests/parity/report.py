# SPDX-License-Identifier: Apache-2.0
"""The result as Markdown, for ``docs/explanation/parity.md``."""

from __future__ import annotations

from collections.abc import Sequence

from parity.rules import Rules
from parity.run import Compared

__all__ = ["MARKS", "table"]

MARKS = ("<!-- parity begin -->\n", "<!-- parity end -->\n")
_INSTALLERS = ("pip", "uv")


def table(real: Sequence[Compared], made: Sequence[Compared], rules: Rules) -> str:
    """Return the figures and the written list with how often each entry was needed."""
    found = [*real, *made]
    lines = [
        f"| | real wheels ({_megabytes(real)} MB) | made wheels |",
        "| --- | --- | --- |",
        *(f"| {title} | {one} | {two} |" for title, one, two in _figures(real, made)),
        "",
        "| what differs from | pip | uv | why |",
        "| --- | --- | --- | --- |",
    ]
    for rule in rules.differences:
        counts = [_count(found, installer, rule.name) for installer in _INSTALLERS]
        lines.append(f"| {rule.title} | {' | '.join(counts)} | {rule.reason} |")
    lines += ["", "| wheel | refused by | why |", "| --- | --- | --- |"]
    for refusal in rules.refusals:
        waiver = " `waive-record` gives parity." if refusal.waivable else ""
        name = refusal.wheel.removesuffix("-*")
        lines.append(f"| {name} | {', '.join(refusal.by)} | {refusal.reason}{waiver} |")
    return "\n".join(lines) + "\n"


def _figures(real: Sequence[Compared], made: Sequence[Compared]) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, list[int]]] = [("wheels", [len(real), len(made)])]
    groups = (real, made)
    for installer in _INSTALLERS:
        rows += [
            (
                f"files compared with {installer}",
                [sum(one.files.get(installer, 0) for one in group) for group in groups],
            ),
            (
                f"differences from {installer}, all by the list below",
                [_differences(group, installer) for group in groups],
            ),
        ]
    rows.append(
        (
            "refused by wheelship",
            [sum("wheelship" in one.refused for one in group) for group in groups],
        )
    )
    return [(title, f"{one:,}", f"{two:,}") for title, (one, two) in rows]


def _differences(group: Sequence[Compared], installer: str) -> int:
    return sum(times for one in group for (name, _), times in one.uses.items() if name == installer)


def _count(found: Sequence[Compared], installer: str, rule: str) -> str:
    uses = [one.uses[installer, rule] for one in found if one.uses[installer, rule]]
    return f"{sum(uses):,} in {len(uses)}" if uses else "0"


def _megabytes(found: Sequence[Compared]) -> int:
    return round(sum(one.size_bytes for one in found) / 1e6)
