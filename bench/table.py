# SPDX-License-Identifier: Apache-2.0
"""The results as Markdown tables."""

from __future__ import annotations

import re
from pathlib import Path

from document import Document
from scenario import SCENARIOS, Result
from subject import SUBJECTS

__all__ = ["SHAPES", "passes", "put_into_page", "render"]

_COLUMNS = (
    "",
    "wheelship: build + push, s",
    "BuildKit: build + push, s",
    "times faster",
    "CPU seconds",
    "peak memory, MB",
    "pushed, MB",
)
_MARKS = ("<!-- compare begin -->\n", "<!-- compare end -->\n")

SHAPES = {
    "one": "packages in one layer",
    "split": "heavy packages in a layer of their own",
    "direct": "packages installed into the final image",
}


def passes(document: Document) -> dict[tuple[str, str], dict[str, tuple[Result, Result]]]:
    """Return wheelship's and BuildKit's result by subject and shape, then by scenario."""
    found: dict[tuple[str, str], dict[str, list[Result]]] = {}
    for one in document.results:
        scenarios = found.setdefault((one.subject, one.shape), {})
        scenarios.setdefault(one.scenario, []).append(one)
    return {
        key: {
            name: (
                next(one for one in pair if one.side == "wheelship"),
                next(one for one in pair if one.side != "wheelship"),
            )
            for name, pair in scenarios.items()
        }
        for key, scenarios in found.items()
    }


def render(document: Document) -> str:
    """Return the tables with what they were measured on."""
    lines: list[str] = []
    for (subject, shape), scenarios in passes(document).items():
        lines += [
            f"**{SUBJECTS[subject].title}** against a Dockerfile with {SHAPES[shape]}:",
            "",
            f"| {' | '.join(_COLUMNS)} |",
            "| --- " * len(_COLUMNS) + "|",
            *(
                _row(SCENARIOS[name].title, ours, theirs)
                for name, (ours, theirs) in scenarios.items()
            ),
            "",
        ]
    facts = ", ".join(f"{key} {value}" for key, value in document.machine.items())
    options = ", ".join(f"{key}: {value}" for key, value in document.options.items())
    return "\n".join([*lines, f"Measured on: {facts}; {options}."]) + "\n"


def put_into_page(page: Path, text: str) -> None:
    """Replace what stands between the marks."""
    old = page.read_text()
    pattern = re.escape(_MARKS[0]) + ".*" + re.escape(_MARKS[1])
    assert re.search(pattern, old, re.DOTALL), f"{page} has no {_MARKS[0].strip()}"
    new = _MARKS[0] + text + _MARKS[1]
    page.write_text(re.sub(pattern, lambda _: new, old, flags=re.DOTALL))


def _row(title: str, ours: Result, theirs: Result) -> str:
    both = (ours, theirs)
    cells = [title]
    cells += [f"{one.build.seconds:.2f} + {one.push.seconds:.2f}" for one in both]
    cells.append(
        f"**{theirs.seconds / ours.seconds:.1f}** "
        f"(build {theirs.build.seconds / ours.build.seconds:.1f})"
    )
    cells.append(" : ".join(f"{one.build.cpu_seconds + one.push.cpu_seconds:.1f}" for one in both))
    cells.append(
        " : ".join(f"{max(one.build.peak_bytes, one.push.peak_bytes) / 1e6:.0f}" for one in both)
    )
    cells.append(" : ".join(_megabytes(one.pushed_bytes) for one in both))
    return f"| {' | '.join(cells)} |"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}" if count >= 100_000 else f"{count / 1e6:.3f}"  # noqa: PLR2004 - 0.1 MB
