# SPDX-License-Identifier: Apache-2.0
"""A comparison as text, Markdown and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.compare.baseline import baseline_document
from wheelship.compare.comparison import (
    Comparison,
    against_baseline,
    against_first,
    side_by_side,
)
from wheelship.compare.gate import Gates, Subject, parse_growth, parse_limit
from wheelship.compare.summary import Summary
from wheelship.inspect.model import Owner, Sizes
from wheelship.report.breach import breach_line, breach_text
from wheelship.report.canvas import Canvas
from wheelship.report.comparison_json import comparison_document
from wheelship.report.comparison_markdown import (
    LARGEST_BYTES,
    MARKER,
    comparison_markdown,
)
from wheelship.report.comparison_matrix import matrix_rows
from wheelship.report.comparison_rows import By, changes_of
from wheelship.report.comparison_text import comparison_text
from wheelship.report.delta import format_delta, format_percent
from wheelship.request.model import Budget
from wheelship.testing.inspection import Made, make_contents

SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "schema"
HOSTILE = "@evil|`x`\x1b[31m</code><script>_a_\u202e\udcff\n# http://x.example"
BASE = [Made("lib/libc.so.6", 2_000_000, Owner("debian", "libc6", "2.36-9"), "shared-object")]


def python(name: str, version: str, size: int) -> Made:
    path = f"opt/{name}.so".encode("ascii", "replace").decode()
    return Made(path, size, Owner("python", name, version), "shared-object")


def image(reference: str, *layers: Sequence[Made]) -> Summary:
    return Summary.of(make_contents(*layers, reference=reference))


OLD = image(
    "oci:dist/speech:cpu",
    BASE,
    [python("torch", "2.13.0+cpu", 600_000_000)],
    [
        python("scipy", "1.11.0", 80_000_000),
        python("gone", "2.0", 2_000_000),
        python("numpy", "2.0.1", 40_000_000),
    ],
)
NEW = image(
    "registry:registry.example.org/speech:pr",
    BASE,
    [python("torch", "2.13.0+cpu", 600_000_000)],
    [
        python("scipy", "1.12.0", 90_000_000),
        python("new", "1.0", 2_500_000),
        python("numpy", "2.0.1", 40_100_000),
        Made("app/main.py", 120, Owner("application", "speech", "1.0"), "python"),
    ],
)
TIGHT = Gates(growths=(parse_growth("1"),), limits=(parse_limit("unpacked=700MB"),))


def pair(gates: Gates | None = None, budget: Budget | None = None) -> Comparison:
    subject = Subject(image=NEW, budget=budget or Budget())
    return against_first(OLD, [subject], gates or Gates())


def crowd() -> Comparison:
    third = replace(NEW, reference="docker:speech", transfer_known=False)
    return against_first(OLD, [Subject(image=NEW), Subject(image=third)], Gates())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_of_two(width: int, golden: Callable[[str, str], None]) -> None:
    text = comparison_text(pair(TIGHT, Budget(layers=2)), Canvas(width=width))
    golden(f"comparison-{width}.txt", text + "\n")


def test_text_of_the_other_views(golden: Callable[[str, str], None]) -> None:
    views: tuple[By, ...] = ("kind", "layer")
    canvas = Canvas(width=72, unicode=False)
    blocks = [comparison_text(pair(), canvas, by=by, measure="effective") for by in views]
    blocks += [comparison_text(crowd(), canvas, by=by, top=3) for by in views]
    blocks.append(comparison_text(side_by_side([Subject(image=OLD)], Gates()), canvas))
    saved = [replace(OLD, reference="oci:elsewhere/speech:cpu")]
    blocks.append(
        comparison_text(
            against_baseline([Subject(image=NEW)], saved, "base.json", TIGHT), canvas, top=1
        )
    )
    text = "\n\n----\n".join(blocks)
    assert text.isascii()
    golden("comparison-views.txt", text + "\n")


def test_markdown(golden: Callable[[str, str], None]) -> None:
    text = comparison_markdown(pair(TIGHT, Budget(layers=2)))
    assert text.startswith(MARKER + "\n### ")
    golden("comparison.md", text)


def test_markdown_of_variants() -> None:
    text = comparison_markdown(
        side_by_side(
            [Subject(image=OLD), Subject(image=NEW, budget=Budget(transfer_bytes=1))], Gates()
        )
    )
    assert "### 2 images, 1 limit broken" in text
    assert text.count("**Limit broken:") == 1
    assert "- `torch 2.13.0+cpu`: 300.0 MB" in text


def test_an_image_that_did_not_change_says_so() -> None:
    comparison = against_first(OLD, [Subject(image=OLD)], Gates())
    text = comparison_text(comparison, Canvas(width=80))
    assert "no package gained or lost transfer bytes" in text
    assert "pulls nothing: it is the same image" in text
    assert "kept its size: 362.0 MB transfer" in comparison_markdown(comparison)
    assert "<details>" not in comparison_markdown(comparison)


def test_what_an_engine_does_not_tell_is_unknown() -> None:
    engine = replace(NEW, reference="docker:speech", transfer_known=False)
    comparison = against_first(OLD, [Subject(image=engine)], Gates())
    text = comparison_text(comparison, Canvas(width=80))
    assert re.search(r"transfer +362.0 MB +unknown\n", text)
    assert "what a machine that has A pulls is unknown: " in text
    assert "by package, unpacked" in text
    document = comparison_document(comparison)
    assert document["images"][1]["transfer_bytes"] is None
    assert document["images"][1]["unpacked_bytes"] == NEW.sizes.unpacked
    assert document["unique_transfer_bytes"] is None
    (one,) = document["differences"]
    assert (one["transfer_bytes"], one["pull"]) == (None, None)
    assert one["shared_layers"] == 2
    assert {row["after"]["transfer_bytes"] for row in one["owners"]} == {None}
    assert None not in {row["before"]["transfer_bytes"] for row in one["owners"]}


@pytest.mark.parametrize(
    "comparison",
    [
        pair(TIGHT, Budget(layers=2, transfer_bytes=1)),
        crowd(),
        side_by_side([Subject(image=OLD, budget=Budget(transfer_bytes=1))], Gates()),
        against_baseline(
            [Subject(image=OLD), Subject(image=replace(NEW, variant="new"))],
            [OLD],
            "base.json",
            Gates(),
        ),
    ],
)
def test_json_fits_its_schema(comparison: Comparison) -> None:
    document = json.loads(json.dumps(comparison_document(comparison)))
    jsonschema.validate(document, json.loads((SCHEMAS / "compare.json").read_text("utf-8")))
    assert document["ok"] == (not document["broken"])


def test_the_owners_of_the_json_add_up() -> None:
    document = comparison_document(pair())
    (one,) = document["differences"]
    for size in ("transfer_bytes", "unpacked_bytes", "effective_bytes"):
        for rows in ("owners", "kinds"):
            gains = (row["after"][size] - row["before"][size] for row in one[rows])
            assert sum(gains) == one[size] != 0


def test_hostile_names_steer_nothing() -> None:
    evil = Summary.of(make_contents([python(HOSTILE, HOSTILE, 5000)], reference=f"oci:{HOSTILE}"))
    comparison = against_first(OLD, [Subject(image=evil)], TIGHT)
    text = comparison_text(comparison, Canvas(width=100))
    assert all(line.isprintable() for line in text.splitlines())
    assert "@evil" in text
    markdown = comparison_markdown(comparison)
    assert all(line.isprintable() for line in markdown.splitlines())
    # Outside of code, where everything is only shown, nothing of the names is left.
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown.replace(MARKER, ""))
    for word in ("evil", "script", "`", "://", "_a_"):
        assert word in markdown
        assert word not in outside, word
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(cells) == {6}
    assert json.dumps(comparison_document(comparison)).encode("utf-8")
    for breach in comparison.breaches:
        assert breach_text(breach).replace("\n", "").isprintable()


def test_a_comment_fits_into_a_comment() -> None:
    def crowded(version: str) -> Summary:
        names = (f"{'long-' * 30}{number}" for number in range(200))
        return image("oci:x", [python(name, version, len(version) * 1000) for name in names])

    big = against_first(crowded("1"), [Subject(image=crowded("22"))], Gates())
    many = side_by_side(
        [Subject(image=replace(OLD, reference=f"oci:{'x' * 90}{n}")) for n in range(900)], Gates()
    )
    several = against_first(crowded("1"), [Subject(image=crowded("22"))] * 12, Gates())
    for comparison in (big, many, several):
        text = comparison_markdown(comparison)
        assert 2000 < len(text.encode()) <= LARGEST_BYTES
        assert text.startswith(MARKER)
        assert text.count("<details>") == text.count("</details>")
        assert text.endswith("\n")
    assert " more | | | +" in comparison_markdown(big)


@pytest.mark.parametrize("by", ["package", "kind", "layer"])
def test_every_table_adds_up(by: By) -> None:
    heavier = with_documents(NEW, 5000)
    (one,) = against_first(OLD, [Subject(image=heavier)], Gates()).differences
    for top in (0, 1, 100):
        changes = changes_of(one, by, "transfer", top=top)
        assert len(changes.rows) <= top
        shown = sum(row.delta for row in changes.rows)
        assert shown + changes.others_bytes + changes.documents_bytes == one.sizes.transfer
        assert changes.documents_bytes == (5000 if by == "layer" else 0)
        rows, others = matrix_rows([OLD, NEW], by, "unpacked", top=top)
        for at, each in enumerate((OLD, NEW)):
            sums = sum(row.sizes[at] or 0 for row in rows) + (others.sizes[at] if others else 0)
            assert sums == each.sizes.unpacked


def with_documents(one: Summary, more: int) -> Summary:
    """The same image with ``more`` bytes of configuration."""
    extra = Sizes(transfer=more)
    return replace(
        one,
        sizes=one.sizes + extra,
        owners=tuple(
            replace(row, sizes=row.sizes + extra) if row.owner.type == "image" else row
            for row in one.owners
        ),
        kinds=tuple(
            replace(row, sizes=row.sizes + extra) if row.kind == "structure" else row
            for row in one.kinds
        ),
    )


def test_a_package_that_is_there_twice_has_one_row() -> None:
    twice = image("oci:twice", [python("numpy", "1.0", 1000)], [python("numpy", "2.0", 3000)])
    rows, _ = matrix_rows([twice, OLD], "package", "unpacked", top=9)
    (row,) = (row for row in rows if row.label.startswith("numpy"))
    assert row.label == "numpy 1.0 / 2.0 / 2.0.1"
    assert row.sizes == (1536 + 3584, 40_000_512)


def test_layers_of_an_engine_are_those_with_the_same_archives() -> None:
    blobs = tuple(replace(layer, digest=layer.diff_id) for layer in OLD.layers)
    engine = replace(OLD, reference="docker:x", transfer_known=False, layers=blobs)
    rows, _ = matrix_rows([OLD, engine], "layer", "unpacked", top=9)
    assert len(rows) == 3
    assert all(row.spread == 0 for row in rows)


@pytest.mark.parametrize(
    ("before", "after", "beside", "shown"),
    [
        (1000, 1000, None, ""),
        (0, 5, None, "new"),
        (1000, 1013, None, "+1.3 %"),
        (1000, 750, None, "-25.0 %"),
        (10**9, 10**9 + 12, None, "+<0.1 %"),
        (10**9, 10**9 - 12, None, "-<0.1 %"),
        (10**9, 10**9 + 12, "0", "+0.000001 %"),
        (1000, 1050, "5", "+5.0 %"),
        (10**9, 1_050_000_004, "5", "+5.0000004 %"),
        (100, 0, None, "-100.0 %"),
        (100_000, 10, None, "-99.9 %"),
        (100, 200, None, "+100.0 %"),
        (100, 1300, None, "+1200 %"),
    ],
)
def test_percent(before: int, after: int, beside: str | None, shown: str) -> None:
    assert format_percent(before, after, beside=None if beside is None else Decimal(beside)) == (
        shown
    )


@given(st.integers(1, 10**13), st.integers(1, 10**13), st.decimals(0, 50, places=2))
def test_a_change_is_never_said_to_be_none(before: int, after: int, beside: Decimal) -> None:
    for text in (format_percent(before, after), format_percent(before, after, beside=beside)):
        if before == after:
            assert text == ""
            continue
        assert text.startswith("+" if after > before else "-")
        assert float(text.strip("+-<% ")) > 0
    assert (format_delta(after - before) == "0 B") == (before == after)


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.decimals(0, 20, places=1))
def test_a_growth_that_fails_is_shown_as_more_than_allowed(
    before: int, extra: int, percent: Decimal
) -> None:
    old = replace(OLD, sizes=replace(OLD.sizes, unpacked=before))
    new = replace(NEW, sizes=replace(NEW.sizes, unpacked=before + extra))
    gates = Gates(growths=(parse_growth(f"unpacked={percent}"),))
    for breach in against_first(old, [Subject(image=new)], gates).breaches:
        found = re.search(r"\(\+([\d.]+) %\)", breach_line(breach))
        assert found is not None
        assert Decimal(found[1]) > percent


def test_a_baseline_of_everything_fits_its_schema() -> None:
    evil = Summary.of(make_contents([python(HOSTILE, HOSTILE, 5000)], reference=HOSTILE))
    document = json.loads(json.dumps(baseline_document([OLD, evil])))
    jsonschema.validate(document, json.loads((SCHEMAS / "baseline.json").read_text("utf-8")))
