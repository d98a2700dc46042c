# SPDX-License-Identifier: Apache-2.0
"""A CUDA image is held to the GPUs it is for: by what its wheels really contain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wheelship.build.execute import build_image
from wheelship.events import Warned
from wheelship.lock.model import LockedWheel
from wheelship.plan.model import ImagePlan, LayerPlan
from wheelship.testing.fatbin import MadeCode, make_fatbin
from wheelship.testing.offload import make_bundle
from wheelship.testing.wheel import make_wheel
from wheelship.variant.errors import GpuTargetNotCovered

MakeLayer = Callable[..., LayerPlan]
NOISE = bytes(range(256)) * 1200  # smaller libraries are not looked into


def library(*codes: MadeCode) -> bytes:
    return b"\x7fELF" + NOISE + make_fatbin(codes) + NOISE


def torch(yard: Any, main: list[MadeCode], other: list[MadeCode]) -> LockedWheel:
    heavy = [replace(code, data=b"\xcc" * 900_000) for code in main]
    files = {
        "torch/__init__.py": b"",
        "torch/lib/libtorch_cuda.so": library(*heavy),
        "torch/lib/libtorch_cuda_linalg.so.2": library(*other),
        "torch/lib/notes.txt": library(MadeCode(sm=50)),
    }
    locked: LockedWheel = yard.lock(make_wheel("torch", "2.13.0", files=files))
    return locked


def plan(yard: Any, layer: LayerPlan, *targets: str) -> ImagePlan:
    made: ImagePlan = yard.plan(layer)
    return replace(made, gpu_targets=targets, gpu_packages=("torch",))


def test_covered_targets_pass_and_the_wheel_is_read_once(yard: Any, layer: MakeLayer) -> None:
    wheel = torch(yard, [MadeCode(sm=80), MadeCode(sm=90)], [MadeCode(sm=80), MadeCode(sm=90)])
    build_image(plan(yard, layer(wheel), "sm_90", "sm_86"), yard.context)
    assert yard.artifacts.asked == ["torch"], "the layer and the look share one open wheel"
    build_image(plan(yard, layer(wheel), "sm_80"), yard.context)
    assert yard.artifacts.asked == ["torch"]
    assert not [event for event in yard.events if isinstance(event, Warned)]


def test_a_target_without_code_is_refused_with_what_there_is(yard: Any, layer: MakeLayer) -> None:
    wheel = torch(yard, [MadeCode(sm=80), MadeCode(sm=90, specific=True)], [MadeCode(sm=75)])
    with pytest.raises(GpuTargetNotCovered) as caught:
        build_image(plan(yard, layer(wheel), "sm_90", "sm_75", "sm_100"), yard.context)
    error = caught.value
    assert error.message == (
        "torch 2.13.0 has no code for sm_75, sm_100; torch/lib/libtorch_cuda.so has sm_80, sm_90a"
    )
    assert error.where == wheel.filename
    assert (error.hint or "").endswith('gpu-targets = ["sm_90"]')


def test_it_is_refused_again_when_the_layers_are_there(yard: Any, layer: MakeLayer) -> None:
    wheel = torch(yard, [MadeCode(sm=80)], [MadeCode(sm=80)])
    build_image(plan(yard, layer(wheel), "sm_80"), yard.context)
    asked = list(yard.artifacts.asked)
    with pytest.raises(GpuTargetNotCovered, match="no code for sm_90"):
        build_image(plan(yard, layer(wheel), "sm_90"), yard.context)
    assert yard.artifacts.asked == asked


def test_a_layer_that_is_there_is_no_reason_not_to_look(yard: Any, layer: MakeLayer) -> None:
    """Targets that were added later."""
    wheel = torch(yard, [MadeCode(sm=80)], [MadeCode(sm=80)])
    build_image(plan(yard, layer(wheel)), yard.context)
    with pytest.raises(GpuTargetNotCovered):
        build_image(plan(yard, layer(wheel), "sm_90"), yard.context)


def test_a_minor_library_without_code_is_a_warning(yard: Any, layer: MakeLayer) -> None:
    """As torch 2.13's linear algebra has none for a T4."""
    wheel = torch(yard, [MadeCode(sm=75), MadeCode(sm=80)], [MadeCode(sm=80)])
    build_image(plan(yard, layer(wheel), "sm_75"), yard.context)
    (warning,) = [event for event in yard.events if isinstance(event, Warned)]
    assert warning.code == "gpu-target-partly-covered"
    assert "libtorch_cuda_linalg.so.2 has no code for sm_75, only for sm_80" in warning.message


def test_other_packages_and_other_accelerators_are_not_looked_into(
    yard: Any, layer: MakeLayer
) -> None:
    files = {"other/lib.so": library(MadeCode(sm=50))}
    wheel = yard.lock(make_wheel("other", files=files))
    build_image(plan(yard, layer(wheel), "sm_90"), yard.context)
    wheel = torch(yard, [MadeCode(sm=80)], [])
    build_image(plan(yard, layer(wheel), "gfx942"), yard.context)  # no code of AMD's in it
    build_image(plan(yard, layer(wheel)), yard.context)


def hip(yard: Any, *targets: str, hidden: bytes = b"") -> LockedWheel:
    main = b"\x7fELF" + NOISE + make_bundle(*targets, code=b"\xcc" * 90_000) + hidden
    small = b"\x7fELF" + NOISE + make_bundle(targets[0])
    files = {"torch/lib/libtorch_hip.so": main, "torch/lib/librccl.so.1": small}
    locked: LockedWheel = yard.lock(make_wheel("torch", "2.13.0", files=files))
    return locked


def test_amd_s_code_runs_on_the_target_it_names(yard: Any, layer: MakeLayer) -> None:
    wheel = hip(yard, "gfx90a:xnack-", "gfx942", "gfx1100")
    build_image(plan(yard, layer(wheel), "gfx942", "gfx90a"), yard.context)
    warnings = [event.message for event in yard.events if isinstance(event, Warned)]
    assert warnings == [
        "torch 2.13.0: torch/lib/librccl.so.1 has no code for gfx942, only for gfx90a"
    ]
    with pytest.raises(GpuTargetNotCovered) as caught:
        build_image(plan(yard, layer(wheel), "gfx1101", "gfx942"), yard.context)
    told = "no code for gfx1101; torch/lib/libtorch_hip.so has gfx90a, gfx942, gfx1100"
    assert told in caught.value.message
    assert yard.artifacts.asked == ["torch"]


def test_of_compressed_code_nothing_is_said(yard: Any, layer: MakeLayer) -> None:
    """And a smaller library beside it does not become the one that decides."""
    wheel = hip(yard, "gfx942", hidden=b"CCOB\x02\0\x01\0" + NOISE)
    build_image(plan(yard, layer(wheel), "gfx1100"), yard.context)
    (warning,) = [event for event in yard.events if isinstance(event, Warned)]
    assert "librccl.so.1 has no code for gfx1100" in warning.message
