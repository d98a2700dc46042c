# SPDX-License-Identifier: Apache-2.0
"""The page on hostile input names tests that exist, and codes that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs/explanation/hostile-input.md"
ERRORS = TESTS.parent / "docs/reference/errors.md"
ROW = re.compile(
    r"\| (?P<attack>.+?) \| (?P<gets>.+?) "
    r"\| `(?P<file>[\w/.]+)::(?P<test>\w+)(?:\[(?P<case>.+)\])?` \|"
)


def rows() -> list[re.Match[str]]:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if "::" in line]
    found = [ROW.fullmatch(line) for line in lines]
    assert None not in found, lines[found.index(None)]
    return [row for row in found if row is not None]


@cache
def names(file: str) -> frozenset[str]:
    """Return the functions of a test file, and every text in it, which case names are among."""
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return frozenset(
        node.name if isinstance(node, ast.FunctionDef) else node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    )


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['attack']}")
def test_every_row_has_its_test(row: re.Match[str]) -> None:
    assert row["test"] in names(row["file"])
    assert row["test"].startswith("test_")
    assert row["case"] is None or row["case"] in names(row["file"])


def test_every_code_is_one_of_ours() -> None:
    known = set(re.findall(r"`([a-z-]+)`", ERRORS.read_text("utf-8")))
    known |= {"unused-waiver", "document-too-large", "wheelship.waived"}
    told = {code for row in rows() for code in re.findall(r"`([^`]+)`", row["gets"])}
    assert told <= known
    assert len(told) > 10
    assert len(rows()) > 200
