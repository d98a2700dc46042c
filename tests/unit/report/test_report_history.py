# SPDX-License-Identifier: Apache-2.0
"""The history as text, JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.history.model import PastBuild
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.report.history import history_document, history_markdown, history_text

SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "schema"


def made(
    number: int, size: int, seconds: float, variant: str = "cpu", reused: int = 35
) -> PastBuild:
    return PastBuild(
        time=f"2026-11-{1 + number:02d}T12:00:00Z",
        name="speech-service",
        variant=variant,
        platform=Platform("amd64"),
        digest=Digest.of(b"image"),
        transfer_bytes=size,
        unpacked_bytes=3 * size,
        seconds=seconds,
        layers=36,
        reused=reused,
        fresh_bytes=0 if reused == 36 else 40_200,
    )


BUILDS = (
    made(0, 300_000_000, 17.3),
    made(1, 2_850_000_000, 25.3, "cuda"),
    made(2, 312_000_000, 3.25),
    made(3, 306_000_000, 0.21, reused=36),
)


EXPECTED = """\
speech-service:cpu  linux/amd64
  3 builds, 2026-11-01 to 2026-11-04
  transfer  306.0 MB, -6.0 MB (-1.9 %) since the build before
            least 300.0 MB, most 312.0 MB
    312.0 MB |       ******
             |       *     *
             |       *     ******
             |       *
    300.0 MB | ******
  time      0.21 s, -3.04 s since the build before
            least 0.21 s, most 17.30 s
     17.30 s | ******
             |       *
             |       *
             |       ******
      0.21 s |             ******
  layers    36, 36 of them reused

speech-service:cuda  linux/amd64
  1 build, 2026-11-02
  transfer  2.85 GB
  time      25.30 s
  layers    36, 35 of them reused, 40.2 kB transfer are new"""


def test_a_series_is_told_in_figures_and_drawn() -> None:
    assert history_text(BUILDS, 60, ascii_only=True) == EXPECTED


@pytest.mark.parametrize(
    ("size", "change"),
    [
        (300_000_001, "+1 B (+<0.1 %)"),
        (299_999_999, "-1 B (-<0.1 %)"),
        (300_000_000, None),
        (303_000_000, "+3.0 MB (+1.0 %)"),
    ],
)
def test_a_change_is_never_rounded_to_none(size: int, change: str | None) -> None:
    text = history_text([made(0, 300_000_000, 1), made(1, size, 1)], 80)
    said = f", {change} since the build before" if change else ", as the build before"
    assert said in text.splitlines()[2]


def test_braille_is_used_unless_the_terminal_has_none() -> None:
    assert any("⠁" <= one <= "⣿" for one in history_text(BUILDS, 80))
    assert history_text(BUILDS, 80, ascii_only=True).isascii()


def test_a_few_bytes_more_are_no_mountain() -> None:
    text = history_text([made(0, 300_000_000, 1.0), made(1, 300_040_000, 1.0)], 80, ascii_only=True)
    rows = [line for line in text.splitlines() if "*" in line]
    assert len(rows) == 2  # a straight line for the size, one for the time
    assert "+40.0 kB (+<0.1 %) since the build before" in text
    assert "  time      1.00 s, as the build before" in text


def test_nothing_remembered_is_said() -> None:
    assert history_text([], 80) == "no builds are remembered yet"
    assert history_markdown([]) == "No builds are remembered yet."
    assert history_document([])["series"] == []


_BUILDS = st.lists(
    st.builds(
        made,
        st.integers(0, 28),
        st.integers(1_000_000, 900_000_000_000),
        st.floats(0, 90_000),
        st.sampled_from(["cpu", "cuda"]),
    ),
    min_size=1,
    max_size=40,
)


@given(builds=_BUILDS, width=st.integers(60, 200), ascii_only=st.booleans())
def test_no_chart_is_wider_than_the_terminal(
    builds: Sequence[PastBuild], width: int, *, ascii_only: bool
) -> None:
    lines = history_text(builds, width, ascii_only=ascii_only).splitlines()
    charts = [line for line in lines if "│" in line or " |" in line]
    assert all(len(line) <= width for line in charts)
    assert all(line == line.rstrip() for line in lines)


def test_the_document_is_what_its_schema_says() -> None:
    document = json.loads(json.dumps(history_document(BUILDS)))
    schema = json.loads((SCHEMAS / "compare-history.json").read_text("utf-8"))
    jsonschema.validate(document, schema)
    cpu, cuda = document["series"]
    assert cpu["transfer_bytes"] == {
        "last": 306_000_000,
        "before": 312_000_000,
        "least": 300_000_000,
        "most": 312_000_000,
    }
    assert [one["seconds"] for one in cpu["builds"]] == [17.3, 3.25, 0.21]
    assert cuda["builds"][0]["digest"] == str(Digest.of(b"image"))
    del document["series"][0]["builds"][0]["reused"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_markdown_has_a_row_for_each_image() -> None:
    lines = history_markdown(BUILDS).splitlines()
    rest = [line.partition(" linux/amd64 ")[2] for line in lines[2:]]
    assert rest == [
        "| 3 | 306.0 MB | -6.0 MB | 300.0 MB | 312.0 MB | ▁█▅ | 0.21 s |",
        "| 1 | 2.85 GB | ±0 B | 2.85 GB | 2.85 GB | ▅ | 25.30 s |",
    ]
    assert [line.split()[1] for line in lines[2:]] == ["speech-service:cpu", "speech-service:cuda"]
    assert {line.count("|") for line in lines} == {10}
