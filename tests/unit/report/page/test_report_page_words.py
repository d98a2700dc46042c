# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.report.page.words import counted, html, shown


@given(st.text(alphabet=st.characters(exclude_categories=())), st.integers(10, 300))
def test_what_is_shown_can_be_seen_and_encoded(text: str, limit: int) -> None:
    """Whatever an image calls its files: nothing hides, nothing is longer than was asked for."""
    found = shown(text, limit)
    assert found.isprintable()
    found.encode()
    assert len(shown(text, limit)) <= limit * len("\\U00000000")
    if text.isprintable() and len(text) <= limit:
        assert found == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("libc.so.6", "libc.so.6"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\udc80", "\\x80"),
        ("\ud800", "\\ud800"),
        ("exe.\u202egpj", "exe.\\u202egpj"),
        ("\U000e0001", "\\U000e0001"),
        ("Straße 日本", "Straße 日本"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, found: str) -> None:
    assert shown(text) == found


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    found = shown("a" * 500 + "b" * 500, 90)
    assert len(found) == 90
    assert found.startswith("a" * 59 + "…")
    assert found.endswith("b" * 30)


def test_markup_stays_text() -> None:
    assert html('<b a="\'&">') == "&lt;b a=&quot;&#x27;&amp;&quot;&gt;"


def test_counts_have_their_digits_in_threes() -> None:
    assert [counted(one) for one in (7, 1234, 1234567)] == [
        "7",
        "1\u202f234",
        "1\u202f234\u202f567",
    ]
