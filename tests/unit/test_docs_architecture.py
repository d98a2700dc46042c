# SPDX-License-Identifier: Apache-2.0
"""The page about the architecture names the rooms there are, in the order that is enforced."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "wheelship"
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")
APART = {"testing"}
"""Support for tests, which the product does not import; a contract of its own says so."""


def packages() -> set[str]:
    return {path.parent.name for path in SOURCES.glob("*/__init__.py")} - APART


def rooms_of_imports() -> set[str]:
    """The packages, and the modules that stand beside them."""
    return packages() | {path.stem for path in SOURCES.glob("*.py")} - {"__init__"}


def contracts() -> list[dict[str, Any]]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found: list[dict[str, Any]] = document["tool"]["importlinter"]["contracts"]
    return found


def layers() -> list[str]:
    """The layers that import-linter enforces, the top one first."""
    (contract,) = (one for one in contracts() if one["type"] == "layers")
    return [layer.replace("wheelship.", "") for layer in contract["layers"]]


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below ``heading``, without its header."""
    below = PAGE.partition(heading)[2].partition("\n\n| ")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in below.splitlines()[2:]]


def test_every_package_has_its_layer() -> None:
    named = [name for layer in layers() for name in layer.split(" | ")]
    assert len(named) == len(set(named))
    assert set(named) == rooms_of_imports()


def test_the_product_is_held_apart_from_its_test_support_as_a_whole() -> None:
    (contract,) = (
        one for one in contracts() if one.get("forbidden_modules") == ["wheelship.testing"]
    )
    named = {one.removeprefix("wheelship.") for one in contract["source_modules"]}
    assert named == rooms_of_imports()


def test_the_line_of_imports_is_the_one_that_is_enforced() -> None:
    block = re.search(r"```text\n(cli → .*?)```", PAGE, re.DOTALL)
    assert block is not None
    assert " ".join(block[1].split()).split(" → ") == layers()


def test_the_steps_are_those_of_packages() -> None:
    steps = rows("# Architecture")
    assert len(steps) > 5
    for _, package, *_ in steps:
        assert set(re.findall(r"`(\w+)`", package)) - {"wheelship"} <= packages(), package


def test_every_room_for_the_next_feature_is_there() -> None:
    """Beside modules, the table names Protocols and classes, which begin with a capital."""
    rooms = rows("## Where the next feature goes")
    assert len(rooms) > 10
    for feature, room in rooms:
        for name in re.findall(r"`([a-z][^`]*)`", room):
            if name.startswith(("docs/", "tests/", "scripts/")):
                assert (ROOT / name).exists(), feature
                continue
            pattern = name.replace("<name>", "*")
            beside = [*SOURCES.glob(pattern), *SOURCES.glob(f"*/{pattern}.py")]
            assert beside, f"{feature}: {name}"
