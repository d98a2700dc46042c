# SPDX-License-Identifier: Apache-2.0
"""The how-tos show the example's own tables, not what they once were."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from wheelship.oci.platform import Platform
from wheelship.request.read import read_request

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "speech-service"
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIANTS = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["tool"]["wheelship"][
    "variants"
]


def shown(page: str) -> list[dict[str, Any]]:
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text("utf-8")
    return [tomllib.loads(block) for block in _TOML.findall(text)]


def table_of(page: str, variant: str) -> dict[str, Any]:
    """The first table of that variant on the page."""
    tables = [
        one["tool"]["wheelship"]["variants"]
        for one in shown(page)
        if "variants" in one.get("tool", {}).get("wheelship", {})
    ]
    table: dict[str, Any] = next(one[variant] for one in tables if variant in one)
    return table


@pytest.mark.parametrize(("page", "variant"), [("diarize", "cpu-diarize"), ("rocm", "rocm")])
def test_the_table_of_a_how_to_is_the_examples(page: str, variant: str) -> None:
    assert table_of(page, variant) == VARIANTS[variant]


@pytest.mark.parametrize(("page", "extra"), [("diarize", "diarize"), ("rocm", "migraphx")])
def test_the_extra_of_a_how_to_is_the_examples(page: str, extra: str) -> None:
    extras = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    (told,) = (one["project"]["optional-dependencies"] for one in shown(page) if "project" in one)
    assert told == {extra: extras[extra]}


def test_the_other_configurations_of_the_rocm_page_are_accepted(tmp_path: Path) -> None:
    """The base is a line more in the example's table, torch for ROCm a variant more."""
    text = (ROOT / "docs" / "how-to" / "rocm.md").read_text("utf-8")
    (base,) = re.findall(r"^base = .*\n", text, re.MULTILINE)
    (torch,) = (block for block in _TOML.findall(text) if "rocm-torch" in block)
    head = "[tool.wheelship.variants.rocm]\n"
    project = (EXAMPLE / "pyproject.toml").read_text("utf-8")
    assert head in project
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "two-sentences.wav").touch()
    (tmp_path / "pyproject.toml").write_text(project.replace(head, head + base) + torch)
    variants = read_request(tmp_path, native=Platform(architecture="amd64")).variants
    assert f'base = "{variants["rocm"].base}"\n' == base
    assert variants["rocm-torch"].accelerator == "rocm"


def test_each_excluded_package_and_variable_has_its_reason() -> None:
    text = (ROOT / "docs" / "how-to" / "diarize.md").read_text("utf-8")
    reasons = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    variant = VARIANTS["cpu-diarize"]
    for name in (*variant["exclude"], *variant["omit"], *variant["env"]):
        assert any(name in reason for reason in reasons), name
