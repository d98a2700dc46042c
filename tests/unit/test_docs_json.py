# SPDX-License-Identifier: Apache-2.0
"""The page about JSON names every field that the schemas have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "json.md").read_text("utf-8")
SCHEMAS = sorted((REFERENCE / "schema").glob("*.json"))


def fields(schema: object) -> Iterator[str]:
    """Yield the names of all fields, at whatever depth."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                yield from value
            yield from fields(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from fields(one)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_every_field_is_described(path: Path) -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(fields(json.loads(path.read_text("utf-8")))) <= named


def test_every_schema_is_linked() -> None:
    assert set(re.findall(r"\(schema/([\w-]+\.json)\)", PAGE)) == {path.name for path in SCHEMAS}
