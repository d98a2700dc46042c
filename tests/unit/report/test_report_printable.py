# SPDX-License-Identifier: Apache-2.0
"""Names out of images cannot steer a terminal, break a line or leave their column."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.report.canvas import Canvas
from wheelship.report.printable import cells, printable, shorten, well_formed

ANY = st.text(st.characters(), max_size=40)  # lone surrogates, too


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("usr/lib", "usr/lib"),
        ("größe", "größe"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("no\udcffutf", "no\\xffutf"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_terminal_of_ascii_gets_ascii() -> None:
    assert printable("größe", ascii_only=True) == "gr\\xf6\\xdfe"
    assert Canvas(width=80, unicode=False).fit("ü" * 30, 20).isascii()


@given(ANY)
def test_nothing_shown_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()
    assert printable(text, ascii_only=True).isascii()


@given(ANY)
def test_every_reader_of_json_takes_it(text: str) -> None:
    written = well_formed(text)
    assert json.loads(json.dumps(written, ensure_ascii=False).encode()) == written
    assert well_formed(written) == written


@given(ANY, st.integers(0, 30))
def test_what_is_fitted_takes_exactly_its_columns(text: str, width: int) -> None:
    for canvas in (Canvas(width=80), Canvas(width=80, unicode=False)):
        assert cells(canvas.fit(text, width)) == width


def test_the_middle_goes_first() -> None:
    assert shorten("opt/venv/lib/python3.11/site-packages/torch", 20) == "opt/venv/…ages/torch"
    assert shorten("short", 5) == "short"
    assert shorten("漢字漢字漢字", 7) == "漢…漢字"[:4]
    assert cells(shorten("漢字漢字漢字", 7)) <= 7
