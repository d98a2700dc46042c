# SPDX-License-Identifier: Apache-2.0
"""A CUDA image through the command line, on wheels made for it: environment, targets, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wheelship.cli.services import native_platform
from wheelship.store.layout import read_layout
from wheelship.testing.fatbin import MadeCode, make_fatbin
from wheelship.testing.wheel import MadeWheel, make_wheel

pytestmark = pytest.mark.integration

_TABLE = """
find-links = ["wheels"]

[tool.wheelship.variants.cuda]
accelerator = "cuda"
version = "13.0"
platforms = ["{platform}"]
gpu-targets = [{targets}]
"""
_PADDING = bytes(range(256)) * 1200


def torch(label: str, *targets: int) -> MadeWheel:
    code = make_fatbin([MadeCode(sm=one, data=_PADDING) for one in targets])
    files = {"torch/__init__.py": b"", "torch/lib/libtorch_cuda.so": b"\x7fELF" + code}
    return make_wheel("torch", f"2.13.0+{label}", files=files)


@pytest.fixture
def demand(site: Any) -> Callable[..., None]:
    """Return what writes the project for these GPUs, two builds of torch beside it."""
    folder = site.root / "wheels"
    folder.mkdir()
    torch("cpu").write(folder)
    torch("cu130", 80, 90).write(folder)

    def write(*targets: str) -> None:
        listed = ", ".join(f'"{one}"' for one in targets)
        site.project(
            "alpha",
            "torch==2.13.0",
            table=_TABLE.format(targets=listed, platform=native_platform()),
        )

    return write


def arguments(site: Any) -> tuple[str, ...]:
    return ("build", str(site.root), "--variant", "cuda")


def test_the_image_carries_cuda_and_tells_the_runtime(
    site: Any, demand: Callable[..., None]
) -> None:
    demand("sm_80", "sm_90")
    layers = site.run(*arguments(site), "--json").image["layers"]
    packages = {one["name"]: one["version"] for layer in layers for one in layer["packages"]}
    assert packages["torch"] == "2.13.0+cu130"
    config = read_layout(site.root / "dist" / "demo", "cuda").config
    environment = dict(config.env)
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert dict(config.labels)["wheelship.accelerator"] == "cuda"


def test_the_other_variant_takes_the_other_build(site: Any, demand: Callable[..., None]) -> None:
    demand("sm_90")
    table = (site.root / "pyproject.toml").read_text()
    cpu = '[tool.wheelship.variants.cpu]\naccelerator = "cpu"\n'
    (site.root / "pyproject.toml").write_text(table + cpu)
    layers = site.build("--variant", "cpu")["layers"]
    packages = {one["name"]: one["version"] for layer in layers for one in layer["packages"]}
    assert packages["torch"] == "2.13.0+cpu"
    config = read_layout(site.root / "dist" / "demo", "cpu").config
    assert not [name for name, _ in config.env if name.startswith("NVIDIA")]


def test_a_gpu_that_no_build_of_the_release_is_for_is_refused_before_a_byte_is_fetched(
    site: Any, demand: Callable[..., None]
) -> None:
    demand("sm_90")
    site.run("lock", str(site.root), "--variant", "cuda", "--quiet")
    asked = len(site.index.paths())
    demand("sm_70", "sm_90")
    error = site.refuse(*arguments(site), code="inconsistent-packages", status=3, says=["sm_70"])
    assert [one["code"] for one in error["findings"]] == ["gpu-target-not-covered"]
    assert error["hint"].endswith('gpu-targets = ["sm_90"]')
    assert len(site.index.paths()) == asked


def test_a_gpu_that_this_wheel_is_not_for_is_refused(
    site: Any, demand: Callable[..., None]
) -> None:
    """Other builds of the release have code for it; this wheel was compiled for less."""
    demand("sm_90", "sm_120")
    site.run("lock", str(site.root), "--variant", "cuda", "--quiet")
    says = ["sm_120", "torch/lib/libtorch_cuda.so has sm_80, sm_90", "torch-2.13.0+cu130"]
    error = site.refuse(*arguments(site), code="gpu-target-not-covered", status=3, says=says)
    assert error["hint"].endswith('gpu-targets = ["sm_90"]')
    demand("sm_90", "sm_86")
    site.run(*arguments(site), "--json")
