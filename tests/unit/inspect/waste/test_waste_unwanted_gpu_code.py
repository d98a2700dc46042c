# SPDX-License-Identifier: Apache-2.0
"""Device code for GPUs that nobody asked for."""

from __future__ import annotations

import pytest

from wheelship.inspect.model import DeviceFacts, Expectation, Owner
from wheelship.inspect.waste.unwanted_gpu_code import is_wanted
from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste

TORCH = Owner("python", "torch", "2.13.0+cu130")
CODE = "unwanted-gpu-code"


def library(*targets: tuple[str, int], hidden: bool = False) -> Made:
    return Made(
        "opt/venv/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so",
        200_000_000,
        owner=TORCH,
        transfer=100_000_000,
        facts=(DeviceFacts(targets, hidden),),
    )


@pytest.mark.parametrize(
    ("target", "wanted", "expected"),
    [
        ("sm_90", ("sm_90",), True),
        ("sm_80", ("sm_86",), True),  # a cubin runs on later GPUs of its major version
        ("sm_86", ("sm_80",), False),
        ("sm_75", ("sm_90",), False),
        ("sm_90a", ("sm_90",), True),
        ("compute_75", ("sm_90",), True),  # the driver translates it
        ("compute_100", ("sm_90",), False),
        ("sm_75", ("sm_90", "sm_75"), True),
        ("something", ("sm_90",), True),
        ("gfx942", ("gfx942",), True),
        ("gfx90a:xnack-", ("gfx90a",), True),
        ("gfx1100", ("gfx942",), False),
        ("gfx942", ("sm_90",), True),
    ],
)
def test_what_a_gpu_can_run_is_wanted(
    target: str, wanted: tuple[str, ...], *, expected: bool
) -> None:
    assert is_wanted(target, wanted) is expected


def test_counts_the_bytes_of_other_targets() -> None:
    layer = [library(("sm_75", 40_000_000), ("sm_90", 60_000_000), ("compute_90", 10_000_000))]
    (found,) = waste(CODE, layer, expectation=Expectation(gpu_targets=("sm_90",)))
    assert found.sizes.unpacked == found.sizes.effective == 40_000_000
    assert found.sizes.transfer == 20_000_000
    assert found.estimate
    assert "sm_75" in found.reason
    assert "TORCH_CUDA_ARCH_LIST='9.0'" in found.fix


def test_the_fix_for_amd_is_a_key() -> None:
    layer = [library(("gfx942", 40_000_000), ("gfx1100", 60_000_000))]
    (found,) = waste(CODE, layer, expectation=Expectation(gpu_targets=("gfx942",)))
    assert found.sizes.unpacked == 60_000_000
    assert 'gpu-targets = ["gfx942"]' in found.fix


def test_remarks_on_it_when_nobody_said_which_gpus_are_meant() -> None:
    (found,) = waste(CODE, [library(("sm_75", 40_000_000), ("sm_90", 60_000_000))])
    assert found.sizes.unpacked == found.sizes.transfer == found.sizes.effective == 0
    assert "sm_90 and sm_75" in found.reason
    assert "or that none is: --accelerator cpu" in found.fix
    meant = Expectation(accelerator="cuda")
    (found,) = waste(
        CODE, [library(("sm_75", 40_000_000), ("sm_90", 60_000_000))], expectation=meant
    )
    assert "--accelerator" not in found.fix, "that was said"
    assert waste(CODE, [library(("sm_75", 40_000), ("sm_90", 60_000))]) == []
    assert waste(CODE, [library(("sm_90", 60_000_000))]) == []


def test_code_without_a_target_is_left_alone() -> None:
    layer = [library(hidden=True)]
    assert waste(CODE, layer, expectation=Expectation(gpu_targets=("sm_90",))) == []
