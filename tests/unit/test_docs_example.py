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
from wheelship.request.value import parse_size

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


def measured() -> dict[tuple[str, str], tuple[str, str, str]]:
    """Transfer, unpacked and layers of the example's images, as its README has them."""
    text = (EXAMPLE / "README.md").read_text("utf-8")
    row = r"^\| `([\w-]+)` \| (linux/\w+) \| ([\d.]+ \wB) \| ([\d.]+ \wB) \| (\d+) \|"
    return {
        (name, platform): (transfer, unpacked, layers)
        for name, platform, transfer, unpacked, layers in re.findall(row, text, re.MULTILINE)
    }


def test_there_are_figures_for_each_image_and_they_are_within_its_budget() -> None:
    request = read_request(EXAMPLE, native=Platform(architecture="amd64"))
    images = [
        (variant, platform)
        for variant in request.variants.values()
        for platform in variant.platforms
    ]
    assert set(measured()) == {(variant.name, str(platform)) for variant, platform in images}
    for variant, platform in images:
        limit = variant.budget.of(platform).transfer_bytes
        assert limit is not None
        assert parse_size(measured()[variant.name, str(platform)][0]) <= limit


def test_the_sums_of_the_example_are_those_of_its_images() -> None:
    text = " ".join((EXAMPLE / "README.md").read_text("utf-8").split())
    sums = re.search(
        r"They are (\S+ GB) to transfer, (\S+ GB) of it different: .*? save .*? (\S+ MB) ", text
    )
    assert sums is not None
    total, different, saved = map(parse_size, sums.groups())
    transfer = sum(parse_size(one) for one, _, _ in measured().values())
    assert abs(total - transfer) < 15_000_000  # each figure is rounded
    assert abs(total - different - saved) < 10_000_000


@pytest.mark.parametrize(
    ("page", "variant", "platform", "form"),
    [
        ("cuda", "cuda", "linux/amd64", "{} to pull, {} unpacked, {} layers"),
        ("cuda", "cuda", "linux/arm64", "for linux/arm64 {} to pull, {} unpacked, {} layers"),
        ("rocm", "rocm", "linux/amd64", "{} to pull, {} unpacked, {} layers"),
        ("diarize", "cpu-diarize", "linux/amd64", "| this image | {} | {} | {} |"),
    ],
)
def test_the_figures_of_a_how_to_are_the_examples(
    page: str, variant: str, platform: str, form: str
) -> None:
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text("utf-8")
    assert form.format(*measured()[variant, platform]) in " ".join(text.split())


def test_each_excluded_package_and_variable_has_its_reason() -> None:
    text = (ROOT / "docs" / "how-to" / "diarize.md").read_text("utf-8")
    reasons = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    variant = VARIANTS["cpu-diarize"]
    for name in (*variant["exclude"], *variant["omit"], *variant["env"]):
        assert any(name in reason for reason in reasons), name
