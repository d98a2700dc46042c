# SPDX-License-Identifier: Apache-2.0
"""No library in an image is linked to another accelerator's, whatever its wheel says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wheelship.build.errors import LinkedToForeignLibraries
from wheelship.build.execute import build_image
from wheelship.build.linkage import linkage_known
from wheelship.lock.model import LockedWheel
from wheelship.plan.model import ImagePlan, LayerPlan, WheelsRecipe
from wheelship.testing.elf import make_library
from wheelship.testing.wheel import make_wheel

MakeLayer = Callable[..., LayerPlan]
TAG = "cp311-cp311-manylinux_2_28_x86_64"
FOREIGN = {"cuda": ("libcudart.so*", "libtorch_cuda.so*"), "rocm": ("libamdhip64.so*",)}


def audio(yard: Any, *needed: str, name: str = "audio", tag: str = TAG) -> LockedWheel:
    files = {
        f"{name}/__init__.py": b"",
        f"{name}/lib/libaudio.so": make_library("libc.so.6", *needed),
        f"{name}/lib/libother.so.2": make_library("libm.so.6", mentioned=["libcudart.so.13"]),
    }
    locked: LockedWheel = yard.lock(make_wheel(name, "2.11.0", files=files, tag=tag))
    return locked


def plan(yard: Any, *layers: LayerPlan, trusted: tuple[str, ...] = ()) -> ImagePlan:
    made: ImagePlan = yard.plan(*layers)
    return replace(made, foreign_libraries=FOREIGN, trusted=frozenset(trusted))


def omitting(layer: LayerPlan, package: str, *globs: str) -> LayerPlan:
    assert isinstance(layer.recipe, WheelsRecipe)
    recipe = replace(layer.recipe, omit=((package, globs),))
    return replace(layer, recipe=recipe, key=replace(layer.key, hex=layer.key.hex[::-1]))


def test_a_library_that_needs_cuda_is_refused_with_the_file(yard: Any, layer: MakeLayer) -> None:
    wheel = audio(yard, "libcudart.so.13", "libtorch_cuda.so")
    with pytest.raises(LinkedToForeignLibraries) as caught:
        build_image(plan(yard, layer(wheel)), yard.context)
    line = "audio 2.11.0: audio/lib/libaudio.so needs libcudart.so.13, libtorch_cuda.so"
    assert line in caught.value.message
    assert "libother" not in caught.value.message, "what is loaded on demand is no matter"
    assert str(caught.value.hint).endswith('omit = { audio = ["audio/lib/libaudio.so"] }')


def test_leaving_the_file_out_cures_it(yard: Any, layer: MakeLayer) -> None:
    wheel = audio(yard, "libamdhip64.so.7")
    cured = omitting(layer(wheel), "audio", "audio/lib/*.so")
    with pytest.raises(LinkedToForeignLibraries):
        build_image(plan(yard, layer(wheel)), yard.context)
    asked = list(yard.artifacts.asked)
    assert build_image(plan(yard, cured), yard.context).image
    again = build_image(plan(yard, cured), yard.context)
    assert all(one.reused for one in again.layers)
    assert yard.artifacts.asked == [*asked, "audio"], "only the layer opened the wheel once more"
    with pytest.raises(LinkedToForeignLibraries):
        build_image(plan(yard, omitting(layer(wheel), "other", "audio/*")), yard.context)


def test_right_wheels_pass_and_are_read_once(yard: Any, layer: MakeLayer) -> None:
    wheel = audio(yard, "libstdc++.so.6")
    assert not linkage_known(plan(yard, layer(wheel)), yard.store)
    build_image(plan(yard, layer(wheel)), yard.context)
    assert linkage_known(plan(yard, layer(wheel)), yard.store), "nothing is looked at again"
    build_image(plan(yard, layer(wheel)), yard.context)
    assert yard.artifacts.asked == ["audio"]


def test_a_layer_that_is_there_is_no_reason_not_to_look(yard: Any, layer: MakeLayer) -> None:
    """The same layer may stand in a cuda image, where the library is right."""
    wheel = audio(yard, "libcudart.so.13")
    build_image(replace(plan(yard, layer(wheel)), foreign_libraries={}), yard.context)
    with pytest.raises(LinkedToForeignLibraries):
        build_image(plan(yard, layer(wheel)), yard.context)


def test_labelled_and_pure_wheels_are_not_looked_into(yard: Any, layer: MakeLayer) -> None:
    torch = audio(yard, "libcudart.so.13", name="torch")
    pure = audio(yard, "libcudart.so.13", name="pure", tag="py3-none-any")
    build_image(plan(yard, layer(torch, pure), trusted=("torch",)), yard.context)
    with pytest.raises(LinkedToForeignLibraries, match="torch 2"):
        build_image(plan(yard, layer(torch, pure)), yard.context)
