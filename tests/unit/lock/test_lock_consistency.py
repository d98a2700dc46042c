# SPDX-License-Identifier: Apache-2.0
"""No package of another accelerator gets into an image, and the message says where it came from."""

from __future__ import annotations

import pytest

from wheelship.lock.consistency import check_gpu_targets, check_machine, check_selection
from wheelship.lock.errors import AcceleratorLacksPlatform, WrongAccelerator
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.variant.accelerator import accelerator_row
from wheelship.variant.errors import GpuTargetNotCovered

AMD64 = Target(python="3.11", platform=Platform("amd64"))
ARM64 = Target(python="3.11", platform=Platform("arm64"))


def wheel(name: str, version: str = "1.0", requires: tuple[str, ...] = ()) -> LockedWheel:
    filename = f"{name.replace('-', '_')}-{version}-cp311-cp311-manylinux_2_28_x86_64.whl"
    return LockedWheel(
        name=name, version=version, filename=filename, sha256="", size_bytes=1, requires=requires
    )


def check(accelerator: str, *wheels: LockedWheel) -> None:
    check_selection(wheels, accelerator_row(accelerator), AMD64)


def test_right_selections_pass() -> None:
    check("cpu", wheel("torch", "2.13.0+cpu"), wheel("numpy"), wheel("nvidia-ml-py"))
    check("cuda", wheel("torch", "2.13.0+cu130"), wheel("triton"), wheel("nvidia-cublas"))
    check("rocm", wheel("torch", "2.13.0+rocm6.4"), wheel("pytorch-triton-rocm"))
    check("cpu")


def test_cuda_in_cpu_names_package_way_and_fix() -> None:
    wheels = (
        wheel("silero-vad", requires=("torch",)),
        wheel("torch", "2.13.0", ("cuda-toolkit", "triton")),
        wheel("cuda-toolkit", requires=("nvidia-cublas",)),
        wheel("nvidia-cublas"),
        wheel("triton", "3.9"),
    )
    with pytest.raises(WrongAccelerator) as caught:
        check("cpu", *wheels)
    message = caught.value.message
    assert "cpu image for Python 3.11 on linux/amd64" in message
    assert (
        "nvidia-cublas 1.0 has no place in cpu (silero-vad → torch → cuda-toolkit → nvidia"
        in message
    )
    assert "triton 3.9 has no place in cpu (silero-vad → torch → triton)" in message
    assert caught.value.hint == 'ask for the right build: "torch==2.13.0+cpu"'


def test_useless_package_can_be_left_out() -> None:
    with pytest.raises(WrongAccelerator) as caught:
        check("cpu", wheel("service-metrics", requires=("cupy-cuda12x",)), wheel("cupy-cuda12x"))
    assert "(service-metrics → cupy-cuda12x)" in caught.value.message
    assert caught.value.hint == 'leave out what is not used: exclude = ["cupy-cuda12x"]'


@pytest.mark.parametrize(
    ("accelerator", "version", "hint"),
    [
        ("cpu", "2.13.0+cu130", '"torch==2.13.0+cpu"'),
        ("cuda", "2.13.0+cpu", '"torch==2.13.0+cu130"'),
        ("cuda", "2.13.0+cu126", '"torch==2.13.0+cu130"'),
        ("rocm", "2.13.0+cpu", '"torch==2.13.0+rocm6.4"'),
    ],
)
def test_build_for_something_else(accelerator: str, version: str, hint: str) -> None:
    with pytest.raises(WrongAccelerator, match="is a build for") as caught:
        check(accelerator, wheel("torch", version))
    assert hint in str(caught.value.hint)


def test_label_of_another_accelerator_in_any_package() -> None:
    with pytest.raises(WrongAccelerator, match=r"flash-attn 2\.0\+cu12torch2\.6 is a build for"):
        check("cpu", wheel("flash-attn", "2.0+cu12torch2.6"))
    check("cuda", wheel("flash-attn", "2.0+cu12torch2.6"))


def test_circles_of_requirements_end() -> None:
    wheels = (wheel("a", requires=("b",)), wheel("b", requires=("a", "triton")), wheel("triton"))
    with pytest.raises(WrongAccelerator, match="triton"):
        check("cpu", *wheels)


def test_rocm_is_for_amd64_only() -> None:
    with pytest.raises(AcceleratorLacksPlatform, match=r"no rocm 6\.4 for linux/arm64") as caught:
        check_machine(accelerator_row("rocm"), [AMD64, ARM64])
    assert caught.value.hint == 'platforms = ["linux/amd64"]'
    check_machine(accelerator_row("rocm"), [AMD64])
    check_machine(accelerator_row("cuda"), [AMD64, ARM64])


def test_gpu_targets_are_checked_before_a_byte_is_fetched() -> None:
    wheels = (wheel("torch", "2.13.0"), wheel("numpy"))
    row = accelerator_row("cuda", "13.0")
    check_gpu_targets(wheels, row, ["sm_75", "sm_89", "sm_90a", "sm_121"])
    check_gpu_targets(wheels, row, [])
    check_gpu_targets([wheel("numpy")], row, ["sm_70"])
    with pytest.raises(GpuTargetNotCovered) as caught:
        check_gpu_targets(wheels, row, ["sm_70", "sm_90"])
    assert "torch 2.13.0 for cuda 13.0 has no code for sm_70; it has sm_75" in caught.value.message
    assert str(caught.value.hint).endswith('gpu-targets = ["sm_90"]')


def test_gpu_targets_of_builds_nobody_looked_into_are_left_to_the_wheels() -> None:
    row = accelerator_row("cuda", "12.6")
    check_gpu_targets([wheel("torch", "2.13.0")], row, ["sm_50"])
    check_gpu_targets([wheel("torch", "2.13.0")], accelerator_row("rocm"), ["gfx942"])
