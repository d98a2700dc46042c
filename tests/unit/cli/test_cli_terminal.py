# SPDX-License-Identifier: Apache-2.0
"""What is written to stdout depends on what stdout is, and on what the user said."""

from __future__ import annotations

import io
import os
import sys

import pytest

from wheelship.cli.settings import Settings
from wheelship.cli.terminal import encodable, stdout_canvas


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal; it has no width of its own."""

    def isatty(self) -> bool:
        return True


def show_on(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Make stdout a terminal; only for the test itself, whose output pytest takes otherwise."""
    monkeypatch.setattr(sys, "stdout", Terminal(io.BytesIO(), encoding=encoding))


@pytest.mark.parametrize(
    ("columns", "width"),
    [("120", 120), ("20", 60), ("", 100), ("wide", 100), ("0", 100), ("²", 100)],
)
def test_columns_says_how_wide(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    show_on(monkeypatch, "utf-8")
    assert stdout_canvas(Settings(environ={"COLUMNS": columns})).width == width


def test_a_terminal_is_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((133, 40)))
    with open(os.devnull, "w", encoding="utf-8") as stream:  # noqa: PTH123 - it needs a descriptor
        monkeypatch.setattr(sys, "stdout", stream)
        assert stdout_canvas(Settings(environ={})).width == 133
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("encoding", "unicode"),
    [("utf-8", True), ("UTF8", True), ("ascii", False), ("latin-1", False)],
)
def test_blocks_are_drawn_where_they_can_be_encoded(
    encoding: str, monkeypatch: pytest.MonkeyPatch, *, unicode: bool
) -> None:
    show_on(monkeypatch, encoding)
    assert stdout_canvas(Settings(environ={})).unicode is unicode


@pytest.mark.parametrize(
    ("color", "environ", "colored"),
    [
        ("auto", {}, True),
        ("auto", {"NO_COLOR": "1"}, False),
        ("never", {}, False),
        ("always", {"NO_COLOR": "1"}, True),
    ],
)
def test_a_terminal_gets_colour_unless_told(
    color: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, colored: bool
) -> None:
    show_on(monkeypatch, "utf-8")
    assert stdout_canvas(Settings(environ=environ, color=color)).colored is colored


def test_a_pipe_gets_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert not stdout_canvas(Settings(environ={})).colored
    assert stdout_canvas(Settings(environ={}, color="always")).colored


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "größe …"),
        ("latin-1", "größe \\u2026"),
        ("ascii", "gr\\xf6\\xdfe \\u2026"),
        (None, None),
    ],
)
def test_what_cannot_be_encoded_is_escaped(encoding: str | None, shown: str | None) -> None:
    assert encodable("größe …", encoding) == (shown or encodable("größe …", "ascii"))
