# SPDX-License-Identifier: Apache-2.0
"""Every link between our pages leads somewhere, and every page can be found."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for place in (
        "*.md",
        "bench/*.md",
        "docs/**/*.md",
        "examples/*/*.md",
        "examples/*/samples/*.md",
    )
    for path in ROOT.glob(place)
)
_FENCE = re.compile(r"^(```|~~~).*?^\1 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *$", re.MULTILINE)


def prose(text: str) -> str:
    """Return a page without its code blocks, whose brackets link to nothing."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Return where a page links to within the repository."""
    found = _LINK.findall(_CODE.sub("``", prose(text)))
    return [one for one in found if not re.match(r"[a-z][a-z+.-]*:", one)]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page; repeated ones are numbered."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(prose(text)):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def dead(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead nowhere."""
    return [link for link in links(text) if not leads(page, text, link)]


def leads(page: Path, text: str, link: str) -> bool:
    path, _, anchor = link.partition("#")
    if path:
        page = (page.parent / path).resolve()
        if not page.exists():
            return False
        text = page.read_text("utf-8") if anchor else ""
    return not anchor or anchor in anchors(text)


def test_what_a_dead_link_is() -> None:
    text = """# One `two`: three
[a](#one-two-three) [b](#four) [c](missing.md) [d](README.md#documentation) [e](README.md#nothing)
`[f](code.md)` [g](https://example.org/missing)
```sh
[h](block.md)
# no heading
```
## Twice
## Twice
[i](#twice-1) [j](#twice-2) [k](#no-heading)
"""
    assert dead(DOCS / "page.md", text) == [
        "#four",
        "missing.md",
        "README.md#nothing",
        "#twice-2",
        "#no-heading",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead(page, page.read_text("utf-8")) == []


def test_every_page_is_linked_from_the_first_one() -> None:
    text = (DOCS / "README.md").read_text("utf-8")
    linked = {(DOCS / one.partition("#")[0]).resolve() for one in links(text)}
    assert {page for page in DOCS.rglob("*.md") if page.name != "README.md"} <= linked
