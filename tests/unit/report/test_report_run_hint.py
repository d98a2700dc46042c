# SPDX-License-Identifier: Apache-2.0
"""How images are run: the data is what the guide says, and can be pasted."""

from __future__ import annotations

import shlex
import tomllib
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from wheelship.plan.model import ImagePlan
from wheelship.report.run_hint import run_hint
from wheelship.request.model import Accelerator
from wheelship.variant.accelerator import accelerator_row, accelerator_versions

GUIDE = (Path(__file__).parents[3] / "docs" / "how-to" / "variants.md").read_text("utf-8")
DATA: dict[str, dict[str, Any]] = tomllib.loads(
    resources.files("wheelship.report").joinpath("data/run.toml").read_text("utf-8")
)


def plan(*ports: int) -> ImagePlan:
    return cast("ImagePlan", SimpleNamespace(run=SimpleNamespace(ports=ports)))


def test_there_is_a_row_for_each_accelerator() -> None:
    assert set(DATA) == {one.value for one in Accelerator}


@pytest.mark.parametrize("accelerator", Accelerator)
def test_the_guide_runs_images_with_the_same_options(accelerator: Accelerator) -> None:
    told = " ".join(GUIDE.replace("\\\n", " ").split())
    options = " ".join(DATA[accelerator.value]["docker"])
    assert f"-p 8000:8000 {options} service:{accelerator}".replace("  ", " ") in told


@pytest.mark.parametrize("accelerator", Accelerator)
def test_every_line_for_compose_and_kubernetes_is_yaml(accelerator: Accelerator) -> None:
    for line in (*DATA[accelerator.value]["compose"], *DATA[accelerator.value]["kubernetes"]):
        assert isinstance(yaml.safe_load(line), dict)


def test_kubernetes_gives_the_resource_that_the_plugin_offers() -> None:
    limits = {
        name: [key for line in row["kubernetes"] for key in _limits(yaml.safe_load(line))]
        for name, row in DATA.items()
    }
    assert limits == {"cpu": [], "cuda": ["nvidia.com/gpu"], "rocm": ["amd.com/gpu"]}


def _limits(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document.get("resources", {}).get("limits", {})
    return found


def test_the_command_publishes_the_ports_and_names_the_image() -> None:
    hint = run_hint(
        plan(8000, 9000), accelerator_row("rocm"), "registry.example.org/team/demo:rocm"
    )
    words = shlex.split(hint.docker)
    assert words[:3] == ["docker", "run", "--rm"]
    assert [words[at + 1] for at, one in enumerate(words) if one == "-p"] == [
        "8000:8000",
        "9000:9000",
    ]
    assert words[words.index("--group-add") + 1] == "$(stat -c %g /dev/kfd)"
    assert words[-1] == "registry.example.org/team/demo:rocm"


@pytest.mark.parametrize("accelerator", ["cuda", "rocm"])
def test_what_the_machine_needs_names_the_oldest_driver_of_the_release(accelerator: str) -> None:
    for version in accelerator_versions(accelerator):
        row = accelerator_row(accelerator, version)
        hint = run_hint(plan(), row, "demo")
        assert hint.driver == row.driver is not None
        assert f"{hint.driver.name} {hint.driver.minimum} or newer" in hint.needs


def test_without_an_accelerator_nothing_is_needed() -> None:
    hint = run_hint(plan(), accelerator_row("cpu"), "demo")
    assert (hint.needs, hint.driver) == ("", None)
