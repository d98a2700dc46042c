# SPDX-License-Identifier: Apache-2.0
"""The variant guide says what the data says, and its YAML is what Kubernetes and compose read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from wheelship.oci.platform import Platform
from wheelship.plan.health import HEALTH_PATH
from wheelship.request.read import read_request
from wheelship.variant.accelerator import accelerator_row, accelerator_versions

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "variants.md").read_text("utf-8")
ACCELERATORS = ("cpu", "cuda", "rocm")
_ROW = re.compile(
    r"^\| (?P<names>`[^|]+`) \| `(?P<value>[^|]+)` \| (?P<where>[\w, ]+) \|", re.MULTILINE
)
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def documents() -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in _YAML.findall(GUIDE)]


def deployment() -> dict[str, Any]:
    return next(one for one in documents() if one.get("kind") == "Deployment")


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_the_table_of_variables_is_the_data(accelerator: str) -> None:
    told = {
        name: row["value"]
        for row in _ROW.finditer(GUIDE)
        if row["where"] in ("all", accelerator)
        for name in re.findall(r"`(\w+)`", row["names"])
    }
    assert told == dict(accelerator_row(accelerator).environment)


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_the_table_of_platforms_is_the_data(accelerator: str) -> None:
    line = re.search(rf"^\| `{accelerator}` \| (.*?) \|", GUIDE, re.MULTILINE)
    assert line is not None
    machines = {"amd64": "x86_64", "arm64": "aarch64"}
    told = [machines[one.removeprefix("linux/")] for one in line[1].split(", ")]
    assert told == list(accelerator_row(accelerator).machines)


@pytest.mark.parametrize("accelerator", ["cuda", "rocm"])
def test_the_table_of_drivers_is_the_data(accelerator: str) -> None:
    page = (ROOT / "docs" / "how-to" / f"{accelerator}.md").read_text("utf-8")
    _, _, below = page.partition("| driver, or newer |\n")
    table = below.partition("\n\n")[0]
    known = {}
    for version in accelerator_versions(accelerator):
        driver = accelerator_row(accelerator, version).driver
        assert driver is not None
        known[version] = driver.minimum
    assert dict(re.findall(r"^\| `([\d.]+)` \| ([\d.]+) \|$", table, re.MULTILINE)) == known


def test_the_deployment_runs_the_image_as_it_is() -> None:
    """User, port, probe and writable directories are those of the example's image."""
    variant = read_request(
        ROOT / "examples" / "speech-service", native=Platform(architecture="amd64")
    ).variants["cuda"]
    pod = deployment()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = pod["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == variant.user
    assert [one["containerPort"] for one in container["ports"]] == [variant.port]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert variant.health is not None
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] == variant.health.path
    mounted = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert set(mounted) == {"/tmp", *variant.writable}  # noqa: S108
    assert {one["name"] for one in pod["volumes"]} == set(mounted.values())


def test_the_selector_of_the_deployment_finds_its_pods() -> None:
    spec = deployment()["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()


def test_the_probe_in_the_guide_is_the_images() -> None:
    probe = re.search(r"exec: \{command: (\[.*?\])\}", GUIDE)
    assert probe is not None
    command = yaml.safe_load(probe[1])
    assert command[:3] == ["/usr/bin/python3.11", "-IS", f"/{HEALTH_PATH}"]
    assert all(isinstance(word, str) for word in command)


def test_compose_mounts_only_volumes_it_declares() -> None:
    composed = [one for one in documents() if "services" in one]
    assert len(composed) == 2
    for one in composed:
        used = {
            volume.partition(":")[0]
            for service in one["services"].values()
            for volume in service.get("volumes", ())
        }
        assert used == set(one.get("volumes", ()))
