# SPDX-License-Identifier: Apache-2.0
"""What an image is made of, as text, JSON and Markdown: sums, hostile names, unknown sizes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from wheelship.inspect.measure import MEASURES, Measure
from wheelship.inspect.model import Expectation, Finding, Inspection, Owner, Sizes
from wheelship.report.canvas import Canvas
from wheelship.report.inspection_json import inspection_document
from wheelship.report.inspection_markdown import inspection_markdown
from wheelship.report.inspection_tables import Question
from wheelship.report.inspection_text import inspection_text
from wheelship.report.inspection_view import InspectionView
from wheelship.report.page.make import inspection_page
from wheelship.report.printable import cells
from wheelship.report.step import step
from wheelship.testing.inspection import Made, make_contents, make_inspection
from wheelship.testing.service_image import HOSTILE, make_service

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/reference/schema/inspect.json").read_text("utf-8")
)
QUESTIONS: tuple[Question, ...] = ("package", "layer", "path", "kind")
KEYS = ("transfer_bytes", "unpacked_bytes", "effective_bytes")


def unknown(inspection: Inspection) -> Inspection:
    """Return the same image, from a place without compressed layers."""
    contents = replace(inspection.contents, transfer_known=False, digest=None)
    return replace(inspection, contents=contents)


def crowd() -> Inspection:
    """Return an image with more of everything than a comment can hold."""
    layers = [
        [
            Made(
                f"srv/{'x' * 120}-{layer}-{at}/data",
                1000 + at,
                Owner("python", f"{'long-name-' * 9}{layer}-{at}", "1.0"),
            )
            for at in range(40)
        ]
        for layer in range(40)
    ]
    return make_inspection(*layers)


# --- JSON ---


def sums(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    rows = list(rows)
    return {key: sum(row[key] for row in rows) for key in KEYS}


@pytest.mark.parametrize("depth", [1, 3, 9])
def test_everything_adds_up_in_the_document(depth: int) -> None:
    document = json.loads(json.dumps(inspection_document(make_service(), depth=depth, files=4)))
    jsonschema.validate(document, SCHEMA)
    assert sums([*document["layers"], document["documents"]]) == document["sizes"]
    for rows in ("owners", "kinds", "directories"):
        assert sums(document[rows]) == document["sizes"], rows
    assert sum(row["files"] for row in document["owners"]) == document["files"]
    assert len(document["largest_files"]) == 4
    assert document["largest_files"][0]["owner"]["name"] == "torch"
    (deleted,) = [one for one in document["waste"] if one["code"] == "deleted-later"]
    assert document["hidden"]["unpacked_bytes"] == deleted["unpacked_bytes"] > 0
    (headers,) = [one for one in document["waste"] if one["code"] == "headers"]
    assert (len(headers["paths"]), headers["path_count"]) == (4, 40)


def test_a_hidden_file_says_by_which_layer() -> None:
    document = inspection_document(make_service())
    (file,) = [one for one in document["largest_files"] if one["path"].endswith("gcc.deb")]
    assert (file["layer"], file["hidden_by"], file["deleted"]) == (0, 3, True)
    assert file["effective_bytes"] == 0


def test_without_compressed_layers_no_transfer_size_is_written() -> None:
    document = inspection_document(unknown(make_service()))
    jsonschema.validate(document, SCHEMA)
    assert document["transfer_known"] is False
    assert document["counted_by_others"]["skopeo_layers_bytes"] is None

    def transfers(value: object) -> list[object]:
        if isinstance(value, dict):
            own = [value["transfer_bytes"]] if "transfer_bytes" in value else []
            return own + [one for inner in value.values() for one in transfers(inner)]
        return (
            [one for inner in value for one in transfers(inner)] if isinstance(value, list) else []
        )

    found = transfers(document)
    assert len(found) > 100
    assert set(found) == {None}


def test_the_document_is_unicode_whatever_names_there_are() -> None:
    text = json.dumps(inspection_document(make_service()), ensure_ascii=False)
    assert "\\\\xff.py" in text
    text.encode("utf-8")


# --- text ---


@pytest.mark.parametrize("by", [None, *QUESTIONS])
@pytest.mark.parametrize("measure", MEASURES)
def test_no_name_steers_the_terminal(by: Question | None, measure: Measure) -> None:
    for width, unicode in ((66, True), (97, False), (240, True)):
        view, canvas = InspectionView(make_service(), measure), Canvas(width=width, unicode=unicode)
        text = inspection_text(view, canvas, by=by, top=50)
        assert all(line.isprintable() for line in text.split("\n"))
        assert unicode or text.isascii()
        assert f"by {measure} size" in text
        for line in text.split("\n"):
            pasted = line.lstrip().startswith(("fix: ", "Dockerfile: "))
            assert cells(line) <= width or "sha256:" in line or pasted
    assert "\\x1b" in inspection_text(InspectionView(make_service()), Canvas(width=200), top=99)


def test_owners_are_named_widest_first() -> None:
    text = inspection_text(InspectionView(make_service()), Canvas(width=100))
    owners = text[text.index("whose bytes") : text.index("layers, by")]
    names = ("Python packages (20)", "├ torch 2.13.0+cpu", "├ numpy 2.4.1", "├ package-00 1.0")
    places = [owners.index(name) for name in (*names, "generated", "Debian packages (2)", "total")]
    assert places == sorted(places)


def test_of_each_type_that_is_not_little_some_are_named() -> None:
    """However many packages of another type are larger."""
    wheels = [Made(f"w{at}", 9000, Owner("python", f"wheel-{at:02}")) for at in range(20)]
    debs = [Made(f"d{at}", 2000 + 1000 * at, Owner("debian", f"deb-{at}")) for at in range(5)]
    text = inspection_text(
        InspectionView(make_inspection([*wheels, *debs])), Canvas(width=100), top=4
    )
    owners = text[text.index("whose bytes") : text.index("layers, by")]
    assert re.findall(r"deb-\d", owners) == ["deb-4", "deb-3", "deb-2"]
    assert "wheel-03" in owners
    assert "wheel-04" not in owners
    assert "└ 16 more" in owners
    assert "└ 2 more" in owners


def test_places_of_waste_are_paths_or_packages() -> None:
    view = InspectionView(make_service())
    assert [view.place(path) for path in ("usr/bin", "usr", "gcc-12")] == [
        "/usr/bin",
        "/usr",
        "gcc-12",
    ]


def test_the_header_names_all_three_sizes_and_what_is_hidden() -> None:
    contents = make_service().contents
    text = inspection_text(InspectionView(make_service()), Canvas(width=100))
    assert "linux/amd64" in text
    assert str(contents.digest) in text
    assert "4 layers, 84 files in them" in text
    assert "meant for cpu" in text
    assert "later layers hide 12.3 MB" in text
    assert f"{contents.content_bytes:,} B" in text
    assert f"{contents.sizes.effective:,} B" in text


def test_a_size_that_is_unknown_is_said_to_be() -> None:
    text = inspection_text(InspectionView(unknown(make_service())), Canvas(width=100))
    assert "transfer    unknown  this place has the layers uncompressed" in text
    assert "sha256:" not in text
    assert "transfer  " not in text.replace("transfer    unknown  ", "")
    assert re.search(r"skopeo inspect +unknown", text)
    assert "transfer unknown, " in inspection_markdown(InspectionView(unknown(make_service())))


def test_a_fix_can_be_pasted_at_any_width() -> None:
    (fix,) = [one.fix for one in make_service().findings if one.code == "deleted-later"]
    assert fix in inspection_text(InspectionView(make_service()), Canvas(width=60))


def one_finding(**changes: Any) -> Inspection:
    """Return an image with one finding, as the rules write them."""
    finding = Finding(
        code="test-suites",
        title="Test suites",
        reason=" ".join(f"word-{at}" for at in range(60)),
        fix="Dockerfile: RUN rm -r tests\nwheelship: omit = { numpy = ['numpy/tests/*'] }",
        sizes=Sizes(1000, 2000, 1500),
        paths=("srv/tests", "srv/more", "srv/others", "srv/last"),
    )
    return make_inspection([Made("srv/tests", 1500)], findings=(replace(finding, **changes),))


def built_by_wheelship(inspection: Inspection) -> Inspection:
    config = replace(inspection.contents.config, labels=(("wheelship.variant", "cpu"),))
    return replace(inspection, contents=replace(inspection.contents, config=config))


def test_waste_is_short_until_more_is_asked_for() -> None:
    view = InspectionView(one_finding())
    canvas = Canvas(width=80)
    short = inspection_text(view, canvas).partition("waste:")[2].partition("\n\n")[0]
    lines = [line.strip() for line in short.splitlines()[1:]]
    assert lines[0] == "2.0 kB  Test suites (test-suites)"
    assert lines[2].endswith(" …")
    assert lines[3:] == [
        "/srv/tests and 3 more",
        "Dockerfile: RUN rm -r tests",
        "all sizes, places and advice: --verbose",
    ]
    long = inspection_text(view, canvas, verbose=True).partition("waste:")[2].partition("\n\n")[0]
    assert "1.0 kB transfer, 2.0 kB unpacked, 1.5 kB effective" in long
    assert "word-59" in long
    assert "/srv/others\n" in long
    assert "and 1 more" in long
    assert "fix: Dockerfile: RUN rm -r tests\n" in long
    assert "wheelship: omit" in long
    assert "--verbose" not in long


def test_advice_suits_who_built_the_image() -> None:
    canvas = Canvas(width=80)
    ours = inspection_text(InspectionView(built_by_wheelship(one_finding())), canvas)
    assert "wheelship: omit = { numpy = ['numpy/tests/*'] }\n" in ours
    assert "Dockerfile:" not in ours
    only = one_finding(fix="Dockerfile: RUN rm -r tests")
    text = inspection_text(InspectionView(built_by_wheelship(only)), canvas)
    assert "Dockerfile: RUN rm -r tests" in text, "better than none"


def test_places_that_are_not_named_count() -> None:
    finding = one_finding(unnamed_places=1000)
    view = InspectionView(finding)
    assert "/srv/tests and 1,003 more\n" in inspection_text(view, Canvas(width=80))
    assert "and 1,001 more\n" in inspection_text(view, Canvas(width=80), verbose=True)
    (document,) = inspection_document(finding)["waste"]
    assert (len(document["paths"]), document["path_count"]) == (4, 1004)
    assert "<summary>1004 places, largest first</summary>" in inspection_page(finding)
    assert "and 1000 more" in inspection_page(finding)


def test_a_long_path_in_a_reason_gives_way_in_its_middle() -> None:
    long = f"/usr/{'x' * 90}/end.so"
    view = InspectionView(one_finding(reason=f"such as {long}; kept"))
    for verbose in (False, True):
        text = inspection_text(view, Canvas(width=80), verbose=verbose)
        (line,) = [line for line in text.splitlines() if "/usr/x" in line]
        assert "…" in line
        assert "/end.so;" in line


def test_what_is_left_of_the_findings_is_counted() -> None:
    one = one_finding().findings[0]
    for count, said in ((2, "and 1 smaller one"), (3, "and 2 smaller ones")):
        view = InspectionView(make_inspection([], findings=(one,) * count))
        assert f"  {said}\n" in inspection_text(view, Canvas(width=80), top=1)
        assert f"\n{said}\n" in inspection_markdown(view, top=1)


def test_what_was_not_counted_is_no_saving_of_nothing() -> None:
    view = InspectionView(one_finding(sizes=Sizes(), estimate=True))
    for verbose in (False, True):
        text = inspection_text(view, Canvas(width=80), verbose=verbose)
        assert "waste: 0 findings; 1 more not counted" in text
        assert "not counted  Test suites (test-suites)" in text
        assert "~" not in text
        assert "0 B unpacked" not in text
    markdown = inspection_markdown(view)
    assert "<summary>not counted: Test suites (test-suites)" in markdown
    assert "Saves" not in markdown


def test_a_reason_ends_before_the_saving_begins() -> None:
    for reason in ("nobody runs them", "nobody runs them."):
        text = inspection_markdown(InspectionView(one_finding(reason=reason)))
        assert "nobody runs them. Saves 1.0 kB transfer, " in text
    assert "in 1 layer with 1 file, for linux/amd64" in text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-11-25T11:46:12.123456789Z", "2026-11-25T11:46:12Z"),
        ("2026-11-25T11:46:12.5+01:00", "2026-11-25T11:46:12+01:00"),
        ("1980-01-01T00:00:00Z", "1980-01-01T00:00:00Z"),
    ],
)
def test_times_have_no_fractions(written: str, shown: str) -> None:
    made = make_service()
    config = replace(made.contents.config, created=written)
    view = InspectionView(replace(made, contents=replace(made.contents, config=config)))
    assert f"linux/amd64, created {shown}\n" in inspection_text(view, Canvas(width=80))


def test_no_waste_is_said_as_such() -> None:
    empty = make_inspection([])
    assert "waste: none found" in inspection_text(InspectionView(empty), Canvas(width=80))
    assert "No waste was found." in inspection_markdown(InspectionView(empty))


def test_an_image_of_nothing_has_no_share() -> None:
    contents = make_contents([])
    bare = replace(contents, layers=(), items=(), sizes=Sizes())
    text = inspection_text(InspectionView(Inspection(contents=bare, findings=())), Canvas(width=80))
    assert "0 layers, 0 files" in text
    assert " - " in text


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ('/bin/sh -c #(nop)  CMD ["python3"]', 'CMD ["python3"]'),
        ("RUN /bin/sh -c pip install  -r x # buildkit", "pip install -r x"),
        ("RUN |1 VERSION=1 /bin/sh -c make\n  install # buildkit", "make install"),
        ("COPY . /app # buildkit", "COPY . /app"),
        ("wheelship: torch 2.13.0", "torch 2.13.0"),
        ("ENTRYPOINT [/bin/sh -c x]", "ENTRYPOINT [/bin/sh -c x]"),
    ],
)
def test_a_step_is_what_its_author_wrote(row: str, shown: str) -> None:
    assert step(row) == shown


def test_a_layer_without_history_is_said_to_be_one() -> None:
    made = make_service()
    bare = [replace(layer, created_by="") for layer in made.contents.layers]
    view = InspectionView(replace(made, contents=replace(made.contents, layers=tuple(bare))))
    text = inspection_text(view, Canvas(width=100), by="layer")
    assert len(re.findall(r"\d \(not said\)", text)) == len(bare)
    assert "| `(not said)` |" in inspection_markdown(view, by="layer")


# --- Markdown ---


@pytest.mark.parametrize("by", [None, *QUESTIONS])
def test_names_stay_text_in_markdown(by: Question | None) -> None:
    text = inspection_markdown(InspectionView(make_service()), by=by, top=99)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<script" not in html
    assert "<a " not in html
    assert html.count("<details>") == html.count("</details>")
    # A mention is told to nobody where it is code, or has a comment inside.
    assert "@team" not in re.sub(r"<code>.*?</code>", "", html)
    if by is None:
        assert "Debug symbols, in app/\\x1b[2J&lt;script&gt;alert(1)&lt;/script&gt;" in html
    else:
        (table,) = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
        rows = table.replace("\\|", "").splitlines()
        assert len(rows) > 3
        assert len({row.count("|") for row in rows}) == 1


def test_markdown_fits_a_comment_and_still_adds_up() -> None:
    view = InspectionView(crowd())
    questions: tuple[Question | None, ...] = (None, "package", "path")
    for by in questions:
        text = inspection_markdown(view, by=by, top=100_000)
        assert 20_000 < len(text.encode()) <= 60_000
        assert re.search(r"\| [\d,]+ more \| ", text)
        assert "| total | 100 % | 1,600 |" in text


def test_reports_are_equal_for_equal_images() -> None:
    def all_of(inspection: Inspection) -> tuple[str, ...]:
        view = InspectionView(inspection)
        return (
            inspection_text(view, Canvas(width=80)),
            inspection_markdown(view),
            json.dumps(inspection_document(inspection)),
        )

    assert all_of(make_service()) == all_of(make_service())
    other = replace(make_service(), expectation=Expectation())
    assert all_of(other) != all_of(make_service())
    assert HOSTILE not in all_of(other)[0]
