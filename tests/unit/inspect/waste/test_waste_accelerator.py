# SPDX-License-Identifier: Apache-2.0
"""CUDA and ROCm where no GPU is meant, and CUDA twice."""

from __future__ import annotations

import pytest

from wheelship.inspect.model import DeviceFacts, Expectation, Owner
from wheelship.oci.config import ImageConfig
from wheelship.oci.platform import Platform
from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste

SITE = "opt/venv/lib/python3.11/site-packages"
BIG = 5_000_000
CPU_TORCH = Made(
    f"{SITE}/torch/lib/libtorch_cpu.so", BIG, owner=Owner("python", "torch", "2.13.0+cpu")
)
CUBLAS = Made(
    f"{SITE}/nvidia/cublas/lib/libcublas.so.12",
    BIG,
    owner=Owner("python", "nvidia-cublas-cu12", "12.8.4.1"),
)
SYSTEM = Made("usr/local/cuda-12.8/lib64/libcublas.so.12.8.4", BIG)
CODE = "accelerator-in-cpu-image"


def test_leftovers_of_cuda_beside_torch_for_cpus() -> None:
    """What ``pip uninstall torch`` leaves; torch's own label tells that it is of no use."""
    (found,) = waste(CODE, [CPU_TORCH, CUBLAS, SYSTEM])
    assert found.title == "CUDA in an image for CPUs"
    assert found.paths == (CUBLAS.path, "usr/local/cuda-12.8")
    assert found.sizes.effective == 2 * BIG
    assert "torch 2.13.0+cpu" in found.reason
    assert not found.estimate


def test_device_libraries_inside_of_a_build_for_gpus() -> None:
    """Of torch for CUDA in an image for CPUs, device libraries count and host code does not."""
    torch = Owner("python", "torch", "2.13.0+cu130")
    layer = [
        Made(f"{SITE}/torch/lib/libtorch_cuda.so", BIG, owner=torch),
        Made(f"{SITE}/torch/lib/libtorch_cpu.so", BIG, owner=torch),
    ]
    assert waste(CODE, layer) == []
    (found,) = waste(CODE, layer, expectation=Expectation(accelerator="cpu"))
    assert found.paths == (f"{SITE}/torch/lib/libtorch_cuda.so",)
    assert found.estimate


@pytest.mark.parametrize(
    "user",
    [
        Made(f"{SITE}/ctranslate2/__init__.py", 10, owner=Owner("python", "ctranslate2", "4.6")),
        Made(f"{SITE}/onnxruntime/x.py", 10, owner=Owner("python", "onnxruntime-gpu", "1.27")),
        Made(
            f"{SITE}/mine/kernel.so",
            10,
            owner=Owner("python", "mine", "1"),
            facts=(DeviceFacts((("sm_90", 5),)),),
        ),
        Made("app/server", BIG, owner=Owner("application", "app"), kind="executable"),
    ],
    ids=["loads it", "is built for it", "has device code", "nobody knows"],
)
def test_is_silent_while_something_may_use_it(user: Made) -> None:
    assert waste(CODE, [CPU_TORCH, CUBLAS, user]) == []
    assert waste(CODE, [CPU_TORCH, CUBLAS, user], expectation=Expectation(accelerator="cpu"))


def test_is_silent_in_an_image_for_gpus() -> None:
    assert waste(CODE, [CPU_TORCH, CUBLAS], expectation=Expectation(accelerator="cuda")) == []


def test_without_torch_only_wheels_are_judged() -> None:
    """A base image with CUDA is made for programs that are yet to come."""
    assert waste(CODE, [SYSTEM]) == []
    (found,) = waste(CODE, [SYSTEM, CUBLAS])
    assert found.paths == (CUBLAS.path,)
    config = ImageConfig(
        platform=Platform("amd64"), diff_ids=(), env=(("NVIDIA_VISIBLE_DEVICES", "all"),)
    )
    assert waste(CODE, [SYSTEM, CUBLAS], config=config) == []


def test_rocm_counts_apart() -> None:
    layer = [CPU_TORCH, CUBLAS, Made("opt/rocm-6.4/lib/librocblas.so.4", BIG)]
    titles = {one.title for one in waste(CODE, layer)}
    assert titles == {"CUDA in an image for CPUs", "ROCm in an image for CPUs"}


def test_a_binding_to_the_driver_is_harmless() -> None:
    ml = Made(f"{SITE}/pynvml.py", BIG, owner=Owner("python", "nvidia-ml-py", "13"))
    assert waste(CODE, [CPU_TORCH, ml]) == []


GPU_TORCH = Made(
    f"{SITE}/torch/lib/libtorch_cuda.so",
    BIG,
    owner=Owner("python", "torch", "2.13.0+cu128"),
    facts=(DeviceFacts((("sm_90", 5),)),),
)


def test_libraries_that_base_and_wheels_both_have() -> None:
    """Of the base only what the wheels have too; what they lack (npp) may be needed."""
    npp = Made("usr/local/cuda-12.8/lib64/libnppc.so.12", BIG)
    (found,) = waste("cuda-twice", [SYSTEM, npp], [GPU_TORCH, CUBLAS])
    assert found.paths == (SYSTEM.path,)
    assert found.title == "CUDA from the base image and from wheels"


def test_libraries_of_debian_packages_count_as_the_system() -> None:
    debian = Made(
        "usr/lib/x86_64-linux-gnu/libcublas.so.11", BIG, owner=Owner("debian", "libcublas11", "11")
    )
    (found,) = waste("cuda-twice", [debian], [GPU_TORCH, CUBLAS])
    assert found.paths == (debian.path,)


@pytest.mark.parametrize(("label", "kept"), [("+cu128", "12"), ("+cu130", "13"), ("", "13")])
def test_of_two_major_versions_the_one_of_torch_is_kept(label: str, kept: str) -> None:
    torch = Made(f"{SITE}/torch/x.py", 10, owner=Owner("python", "torch", f"2.13.0{label}"))
    newer = Made(
        f"{SITE}/nvidia/cu13/lib/libcublas.so.13",
        2 * BIG,
        owner=Owner("python", "nvidia-cublas", "13.1"),
    )
    (found,) = waste("cuda-twice", [torch, CUBLAS, newer])
    other = {"12": "13", "13": "12"}[kept]
    assert found.title == f"CUDA {other} beside CUDA {kept}"
    assert found.paths == ((newer if kept == "12" else CUBLAS).path,)


def test_one_cuda_is_not_twice() -> None:
    assert waste("cuda-twice", [GPU_TORCH, CUBLAS]) == []
    assert waste("cuda-twice", [SYSTEM]) == []
