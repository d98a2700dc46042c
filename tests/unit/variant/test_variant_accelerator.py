# SPDX-License-Identifier: Apache-2.0
"""The data files have the right shape, and say what the design says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from wheelship.request.model import Accelerator
from wheelship.variant.accelerator import accelerator_row, accelerator_versions
from wheelship.variant.compatibility import load_compatibility
from wheelship.variant.errors import UnknownAcceleratorVersion
from wheelship.variant.model import AcceleratorRow, Family

ROWS = [
    (accelerator.value, version)
    for accelerator in Accelerator
    for version in (accelerator_versions(accelerator) or (None,))
]


FAMILY_KEYS = {
    "devices",
    "gpu-targets",
    "index",
    "instead",
    "labels",
    "libraries",
    "packages",
    "plain",
    "unlabelled",
}


def family(row: AcceleratorRow, package: str = "torch") -> Family:
    found = row.family_of(package)
    assert found is not None
    return found


def document(name: str) -> dict[str, Any]:
    path = resources.files("wheelship.variant").joinpath("data", f"{name}.toml")
    return tomllib.loads(path.read_text("utf-8"))


@pytest.mark.parametrize(("accelerator", "version"), ROWS)
def test_every_row_is_well_formed(accelerator: str, version: str | None) -> None:
    row = accelerator_row(accelerator, version)
    assert (row.accelerator, row.version) == (accelerator, version)
    assert set(row.machines) <= {"x86_64", "aarch64"}
    assert "x86_64" in row.machines
    assert all(isinstance(value, str) for value in row.environment.values())
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in row.environment)
    for pattern in row.foreign_labels:
        re.compile(pattern)
    for pattern in row.majors_in_names:
        assert re.compile(pattern).groups == 1
    if row.driver is not None:
        assert row.driver.source.startswith("https://")
        assert re.fullmatch(r"\d+(\.\d+)?", row.driver.minimum)
    assert (row.driver is None) is (accelerator == "cpu")
    for family in row.families:
        assert all(re.fullmatch(r"[a-z0-9*]+(-[a-z0-9*]+)*", name) for name in family.packages)
        assert not any(
            re.fullmatch(pattern, label)
            for pattern in row.foreign_labels
            for label in family.labels
        )
        for packages in family.unlabelled.values():
            assert all(family.holds(name) for name in packages)
            for specifier in packages.values():
                SpecifierSet(specifier)
        for specifier in family.plain.values():
            SpecifierSet(specifier)
        if family.devices is not None:
            assert set(family.devices.packages) <= set(family.packages)
            device = family.devices.distribution_of("torch", family.devices.targets[0])
            assert family.holds(device), "device packages come from the same index"
            assert len(set(family.devices.targets)) == len(family.devices.targets)


@pytest.mark.parametrize(("accelerator", "version"), ROWS)
def test_torch_index_serves_the_row_s_label(accelerator: str, version: str | None) -> None:
    torch = family(accelerator_row(accelerator, version))
    if torch.devices is not None:
        # AMD's own index serves several releases of ROCm; labels tell them apart.
        assert all(label.startswith(f"rocm{version}.") for label in torch.labels)
        return
    assert torch.index == f"https://download.pytorch.org/whl/{torch.labels[0]}"
    digits = (version or "").replace(".", "") if accelerator == "cuda" else version or ""
    prefix = {"cpu": "cpu", "cuda": "cu", "rocm": "rocm"}[accelerator]
    assert torch.labels[0] == prefix + digits


@pytest.mark.parametrize("name", ["cpu", "cuda", "rocm"])
def test_files_hold_no_key_that_nobody_reads(name: str) -> None:
    data = document(name)
    known = {"machines", "forbidden", "allowed", "foreign-labels", "environment", "families"}
    assert known <= data.keys() <= known | {"versions", "majors", "idle"}
    assert data.get("majors", {}).keys() <= {"in-names", "in-versions"}
    for one in data["families"].values():
        assert one.keys() <= {"packages", "instead", "libraries", "plain"}
    for row in data["versions"]:
        assert row.keys() <= {"version", "driver", "environment", "families"}
        for one in row["families"].values():
            assert one.keys() <= FAMILY_KEYS
            devices = one.get("devices", {})
            assert devices.keys() <= {"extra", "packages", "distribution", "targets"}
    versions = [row.get("version") for row in data["versions"]]
    assert len(set(versions)) == len(versions)
    assert document("common").keys() == {"environment"}
    assert document("libraries").keys() == {"cuda", "rocm"}
    assert name not in accelerator_row(name).foreign_libraries


def test_known_compatibility_is_well_formed() -> None:
    known = load_compatibility()
    for companion in known.companions:
        for version, specifier in companion.versions.items():
            assert re.fullmatch(r"\d+\.\d+", version)
            SpecifierSet(specifier)
    for linked in known.linked:
        SpecifierSet(linked.versions)
        assert set(linked.machines) <= {"x86_64", "aarch64"}
        assert linked.accelerator in tuple(Accelerator)
        if linked.release:
            accelerator_row(linked.accelerator, linked.release)
    for group in known.same_files:
        assert len(set(group)) == len(group) > 1
        assert all(canonicalize_name(name) == name for name in group)
    assert document("compatibility").keys() == {"companions", "linked", "same-files"}


def test_what_is_linked_and_what_fits_do_not_contradict() -> None:
    """A build that a release takes is never one that is known to be linked to something else."""
    for linked in load_compatibility().linked:
        for accelerator, version in ROWS:
            row = accelerator_row(accelerator, version)
            fits = row.family_of(linked.package)
            for machine in linked.machines:
                spec = fits.unlabelled_versions(linked.package, machine) if fits else None
                if spec is None or linked.accelerator == accelerator:
                    continue
                tried = [f"{major}.{minor}" for major in (0, 2) for minor in range(30)]
                both = [
                    one
                    for one in tried
                    if one in SpecifierSet(spec) and one in SpecifierSet(linked.versions)
                ]
                assert both == [], f"{linked.package} on {machine} for {row}"


def test_first_release_is_the_default() -> None:
    assert accelerator_row("cuda").version == accelerator_versions("cuda")[0] == "13.0"
    assert accelerator_row("rocm").version == "6.4"
    assert accelerator_versions("cpu") == ()
    assert str(accelerator_row("cpu")) == "cpu"
    assert str(accelerator_row("cuda", "12.8")) == "cuda 12.8"


def test_unknown_release_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownAcceleratorVersion, match=r"cuda 99\.9 .*13\.0, 13\.2") as caught:
        accelerator_row("cuda", "99.9")
    assert caught.value.hint == 'version = "13.0"'
    with pytest.raises(UnknownAcceleratorVersion, match="cpu has no versions"):
        accelerator_row("cpu", "1.0")


def test_environment_of_an_image(golden: Callable[[str, str], None]) -> None:
    """Variables of every accelerator; the names are sorted, as they are in the image."""
    lines = [
        f"{accelerator}: {name}={value}"
        for accelerator in ("cpu", "cuda", "rocm")
        for name, value in accelerator_row(accelerator).environment.items()
    ]
    assert lines == sorted(lines)
    assert "PYTHONHASHSEED" not in "".join(lines)
    golden("variant-environment.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("accelerator", "package", "forbidden"),
    [
        ("cpu", "nvidia-cublas-cu12", True),
        ("cpu", "cuda-toolkit", True),
        ("cpu", "triton", True),
        ("cpu", "onnxruntime-gpu", True),
        ("cpu", "nvidia-ml-py", False),
        ("cpu", "torch", False),
        ("cpu", "tritonclient", False),
        ("cuda", "nvidia-cublas-cu12", False),
        ("cuda", "triton", False),
        ("cuda", "pytorch-triton-rocm", True),
        ("rocm", "nvidia-cudnn-cu13", True),
        ("rocm", "triton", True),
        ("rocm", "pytorch-triton-rocm", False),
    ],
)
def test_packages_of_another_accelerator(
    accelerator: str, package: str, *, forbidden: bool
) -> None:
    assert accelerator_row(accelerator).forbids(package) is forbidden


@pytest.mark.parametrize(
    ("row", "package", "label", "accepted"),
    [
        (accelerator_row("cpu"), "torch", "cpu", True),
        (accelerator_row("cpu"), "torch", "cpu.cxx11.abi", True),
        (accelerator_row("cpu"), "torch", "cu130", False),
        (accelerator_row("cpu"), "torch", "rocm6.4", False),
        (accelerator_row("cpu"), "torch", None, True),
        (accelerator_row("cpu"), "flash-attn", "cu12torch2.6", False),
        (accelerator_row("cpu"), "anything", "ubuntu1", True),
        (accelerator_row("cpu"), "anything", "cute", True),
        (accelerator_row("cuda", "13.0"), "torch", "cu130", True),
        (accelerator_row("cuda", "13.0"), "torch", "cu126", False),
        (accelerator_row("cuda", "13.0"), "torch", "cpu", False),
        (accelerator_row("cuda", "13.0"), "flash-attn", "cu12torch2.6", True),
        (accelerator_row("rocm", "6.4"), "torch", "rocm6.4", True),
        (accelerator_row("rocm", "6.4"), "torch", "rocm7.0", False),
        (accelerator_row("rocm", "6.4"), "torch", "cpu", False),
    ],
)
def test_labels(row: AcceleratorRow, package: str, label: str | None, *, accepted: bool) -> None:
    assert row.accepts_label(package, label) is accepted


def test_builds_of_the_public_index() -> None:
    torch = family(accelerator_row("cuda", "13.0"))
    assert torch.unlabelled_versions("torch", "x86_64") == ">=2.13,<2.15"
    assert torch.unlabelled_versions("torchvision", "x86_64") is None
    torch = family(accelerator_row("cpu"))
    assert torch.unlabelled_versions("torch", "x86_64") is None
    assert torch.unlabelled_versions("torch", "aarch64") == "<2.11"
