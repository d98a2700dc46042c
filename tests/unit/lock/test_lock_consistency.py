# SPDX-License-Identifier: Apache-2.0
"""Locked packages belong together; each finding says who brought the culprit, and a fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from wheelship.lock.consistency import (
    CODES,
    InconsistentPackages,
    advice_on,
    check_machine,
    check_selection,
)
from wheelship.lock.errors import AcceleratorLacksPlatform
from wheelship.lock.findings.model import PackageFinding, Subject
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.variant.accelerator import accelerator_row, accelerator_versions
from wheelship.variant.compatibility import load_compatibility

AMD64 = Target(python="3.11", platform=Platform("amd64"))
ARM64 = Target(python="3.11", platform=Platform("arm64"))


def wheel(
    name: str, version: str = "1.0", requires: tuple[str, ...] = (), tag: str = "py3-none-any"
) -> LockedWheel:
    filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return LockedWheel(
        name=name, version=version, filename=filename, sha256="", size_bytes=1, requires=requires
    )


def subject(
    accelerator: str,
    *wheels: LockedWheel,
    version: str | None = None,
    target: Target = AMD64,
    gpu_targets: tuple[str, ...] = (),
    omit: Mapping[str, tuple[str, ...]] | None = None,
) -> Subject:
    row = accelerator_row(accelerator, version)
    known = accelerator_versions(accelerator)
    return Subject(
        wheels=wheels,
        row=row,
        target=target,
        compatibility=load_compatibility(),
        releases=tuple(accelerator_row(accelerator, one) for one in known) or (row,),
        gpu_targets=gpu_targets,
        omit=omit or {},
    )


def check(accelerator: str, *wheels: LockedWheel, **kind: Any) -> None:
    check_selection(subject(accelerator, *wheels, **kind))


def findings(accelerator: str, *wheels: LockedWheel, **kind: Any) -> list[PackageFinding]:
    with pytest.raises(InconsistentPackages) as caught:
        check(accelerator, *wheels, **kind)
    return list(caught.value.findings)


def the_finding(accelerator: str, *wheels: LockedWheel, **kind: Any) -> PackageFinding:
    (finding,) = findings(accelerator, *wheels, **kind)
    return finding


def test_right_selections_pass() -> None:
    check("cpu", wheel("torch", "2.13.0+cpu"), wheel("numpy"), wheel("nvidia-ml-py"))
    check("cuda", wheel("torch", "2.13.0+cu130"), wheel("triton"), wheel("nvidia-cublas", "13.1"))
    check("cuda", wheel("torch", "2.13.0"), wheel("nvidia-cudnn-cu13"))
    check("cuda", wheel("onnxruntime-gpu", "1.31.1"))
    check("rocm", wheel("torch", "2.13.0+rocm6.4"), wheel("pytorch-triton-rocm"))
    check("rocm", wheel("onnxruntime-migraphx", "1.27.1"), wheel("numpy"))
    check("cpu")


def test_cuda_in_cpu_names_package_way_and_fix() -> None:
    wheels = (
        wheel("silero-vad", requires=("torch",)),
        wheel("torch", "2.13.0", ("cuda-toolkit", "triton")),
        wheel("cuda-toolkit", requires=("nvidia-cublas",)),
        wheel("nvidia-cublas"),
        wheel("triton", "3.9"),
    )
    with pytest.raises(InconsistentPackages) as caught:
        check("cpu", *wheels)
    message = caught.value.message
    assert "cpu image for Python 3.11 on linux/amd64" in message
    assert (
        "nvidia-cublas 1.0 has no place in cpu (silero-vad → torch → cuda-toolkit → nvidia-cublas)"
        " [foreign-package]" in message
    )
    assert "triton 3.9 has no place in cpu (silero-vad → torch → triton)" in message
    linked = "torch 2.13.0 of the public index is linked to cuda 13.0 (silero-vad → torch)"
    assert f"{linked} [linked-libraries]" in message
    assert caught.value.hint == 'ask for the right build: "torch==2.13.0+cpu"'


def test_useless_package_can_be_left_out() -> None:
    found = the_finding("cpu", wheel("metrics", requires=("cupy-cuda12x",)), wheel("cupy-cuda12x"))
    assert (found.code, found.way) == ("foreign-package", ("metrics", "cupy-cuda12x"))
    assert found.hint == 'leave out what is not used: exclude = ["cupy-cuda12x"]'


def test_different_fixes_stand_below_what_they_are_for() -> None:
    with pytest.raises(InconsistentPackages) as caught:
        check("cpu", wheel("cupy-cuda12x"), wheel("torch", "2.13.0+cu130"))
    assert caught.value.hint is None
    lines = caught.value.message.splitlines()[1:]
    assert lines == [
        "  cupy-cuda12x 1.0 has no place in cpu [foreign-package]",
        '    fix: leave out what is not used: exclude = ["cupy-cuda12x"]',
        "  torch 2.13.0+cu130 is a build for cu130 [foreign-build]",
        '    fix: ask for the right build: "torch==2.13.0+cpu"',
    ]


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
    found = the_finding(accelerator, wheel("torch", version))
    assert found.code == "foreign-build"
    assert hint in found.hint


def test_label_of_another_accelerator_in_any_package() -> None:
    found = the_finding("cpu", wheel("flash-attn", "2.0+cu12torch2.6"))
    assert str(found) == "flash-attn 2.0+cu12torch2.6 is a build for cu12torch2.6"
    check("cuda", wheel("flash-attn", "2.0+cu12torch2.6"))


def test_circles_of_requirements_end() -> None:
    wheels = (wheel("a", requires=("b",)), wheel("b", requires=("a", "triton")), wheel("triton"))
    assert the_finding("cpu", *wheels).package == "triton"


@pytest.mark.parametrize(
    ("name", "version", "hint"),
    [
        ("nvidia-cudnn-cu12", "9.1", 'leave out what is not used: exclude = ["nvidia-cudnn-cu12"]'),
        ("cupy-cuda12x", "13.6", 'ask for "cupy-cuda13x" in the place of "cupy-cuda12x"'),
        ("jax-cuda12-plugin", "0.7", 'ask for "jax-cuda13-plugin" in the place of'),
        ("cuda-toolkit", "12.9.1", 'ask for "cuda-toolkit==13.*"'),
        ("nvidia-cuda-runtime", "12.9", 'ask for "nvidia-cuda-runtime==13.*"'),
    ],
)
def test_one_major_version_of_cuda(name: str, version: str, hint: str) -> None:
    found = findings("cuda", wheel("torch", "2.13.0+cu130"), wheel(name, version))
    (major,) = [one for one in found if one.code == "mixed-majors"]
    assert major.message == "is for cuda 12, the image for cuda 13.0"
    if not name.startswith("nvidia-cudnn"):
        assert hint in major.hint
    check("cuda", wheel(name, version), version="12.8")


def test_a_package_brought_by_another_major_s_package_goes_with_it() -> None:
    wheels = (
        wheel("cupy-cuda12x", requires=("nvidia-nccl-cu12",)),
        wheel("nvidia-nccl-cu12"),
    )
    found = findings("cuda", *wheels)
    assert {one.hint for one in found} == {'ask for "cupy-cuda13x" in the place of "cupy-cuda12x"'}


@pytest.mark.parametrize(
    ("version", "torch", "told"),
    [
        ("13.2", "2.13.0", "is built for cuda 13.0"),
        ("13.0", "2.15.0", "is built for cuda 13.2"),
        ("13.0", "2.8.0", "is built for cuda 12.8"),
    ],
)
def test_a_build_of_the_public_index_is_for_one_release(
    version: str, torch: str, told: str
) -> None:
    found = the_finding("cuda", wheel("torch", torch), version=version)
    assert (found.code, found.message) == ("other-release", told)


def test_onnxruntime_gpu_is_built_for_one_major_version() -> None:
    found = the_finding("cuda", wheel("onnxruntime-gpu", "1.31.1"), version="12.8")
    assert found.message == "is built for cuda 13.0 and cuda 13.2"
    assert found.hint == 'ask for the right build: "onnxruntime-gpu<1.27"'
    check("cuda", wheel("onnxruntime-gpu", "1.26.0"), version="12.8")


def test_torchaudio_of_another_cuda_minor() -> None:
    """It compares its own CUDA version with torch's at import, unless its libraries are gone."""
    wheels = (wheel("torch", "2.15.0"), wheel("torchaudio", "2.11.0"))
    found = the_finding("cuda", *wheels, version="13.2")
    assert (found.package, found.message) == ("torchaudio", "is built for cuda 13.0")
    assert found.hint.endswith('omit = { torchaudio = ["torchaudio/lib/*.so"] }')
    check("cuda", *wheels, version="13.2", omit={"torchaudio": ("torchaudio/lib/*.so",)})
    check("cuda", wheel("torch", "2.14.1"), wheel("torchaudio", "2.11.0"), version="13.0")


@pytest.mark.parametrize(
    ("package", "version", "target", "hint"),
    [
        ("torchaudio", "2.11.0", AMD64, 'omit = { torchaudio = ["torchaudio/lib/*.so"] }'),
        ("torchaudio", "2.11.0", ARM64, 'omit = { torchaudio = ["torchaudio/lib/*.so"] }'),
        ("torchcodec", "0.17.0", AMD64, 'ask for another version: "torchcodec==0.13.0"'),
        ("torchcodec", "0.13.0", ARM64, 'ask for the right build: "torchcodec==0.13.0+cpu"'),
        ("torch", "2.11.0", ARM64, 'ask for the right build: "torch==2.11.0+cpu"'),
    ],
)
def test_builds_that_link_cuda_without_saying_so(
    package: str, version: str, target: Target, hint: str
) -> None:
    found = the_finding("cpu", wheel(package, version), target=target)
    assert found.code == "linked-libraries"
    assert found.message.startswith("of the public index is linked to cuda")
    assert hint in found.hint
    assert the_finding("rocm", wheel(package, version), target=target).code == found.code


def test_builds_that_do_not_link_it() -> None:
    cured = {"torchaudio": ("torchaudio/lib/*",)}
    check("cpu", wheel("torchaudio", "2.11.0"), wheel("torchcodec", "0.13.0"), omit=cured)
    check("cpu", wheel("torch", "2.10.0"), wheel("torchaudio", "2.10.0"), target=ARM64)
    other = {"torchaudio": ("torchaudio/lib/one.so",), "torch": ("torchaudio/lib/*",)}
    assert findings("cpu", wheel("torchaudio", "2.11.0"), omit=other)


def test_companions_of_torch() -> None:
    wheels = (wheel("torch", "2.13.0+cu130"), wheel("torchvision", "0.27.0+cu130"))
    found = the_finding("cuda", *wheels)
    assert found.code == "companion-version"
    assert found.message == "does not go with torch 2.13.0+cu130"
    assert found.hint.endswith('"torchvision==0.28.*"')
    found = the_finding("cuda", wheel("torch", "2.13.0+cu130"), wheel("torchaudio", "2.8.0"))
    assert found.hint.endswith('"torchaudio==2.11.*"')
    check("cuda", wheel("torch", "2.13.0+cu130"), wheel("torchvision", "0.28.1+cu130"))
    check("cuda", wheel("torch", "3.0.0+cu130"), wheel("torchvision", "0.50+cu130"))


def test_companions_are_builds_for_the_same() -> None:
    row = accelerator_row("rocm", "7.14")
    assert len(row.families[-1].labels) > 1, "one release with two labels is what this needs"
    wheels = (wheel("torch", "2.12.0+rocm7.14.0"), wheel("torchvision", "0.27.0+rocm7.14.1"))
    found = the_finding("rocm", *wheels, version="7.14")
    assert found.code == "companion-build"
    assert found.hint == 'ask for the same: "torchvision==0.27.0+rocm7.14.0"'


def test_gpu_targets_are_checked_before_a_byte_is_fetched() -> None:
    wheels = (wheel("torch", "2.13.0"), wheel("numpy"))
    check("cuda", *wheels, gpu_targets=("sm_75", "sm_89", "sm_90a", "sm_121"))
    check("cuda", wheel("numpy"), gpu_targets=("sm_70",))
    found = the_finding("cuda", *wheels, gpu_targets=("sm_70", "sm_90"))
    assert found.code == "gpu-target-not-covered"
    assert found.message.startswith("for cuda 13.0 has no code for sm_70; it has sm_75")
    assert found.hint.endswith('gpu-targets = ["sm_90"]')


def test_gpu_targets_of_builds_nobody_looked_into_are_left_to_the_wheels() -> None:
    check("cuda", wheel("torch", "2.13.0+cu126"), version="12.6", gpu_targets=("sm_50",))
    check("rocm", wheel("torch", "2.13.0+rocm6.4"), gpu_targets=("gfx942",))


def test_gpu_targets_of_amd_are_exactly_those_that_were_compiled_for() -> None:
    torch = wheel("torch", "2.13.0+rocm7.2")
    check("rocm", torch, version="7.2", gpu_targets=("gfx942", "gfx1151"))
    found = the_finding("rocm", torch, version="7.2", gpu_targets=("gfx803", "gfx942"))
    assert found.code == "gpu-target-not-covered"
    assert found.hint.endswith('gpu-targets = ["gfx942"]')
    triton = wheel("triton-rocm", "3.8.0+git3f6e4113")
    check("rocm", torch, triton, version="7.2")
    assert the_finding("cuda", triton).code == "foreign-package"


def test_a_lock_without_the_device_packages_of_a_gpu() -> None:
    wheels = (
        wheel("torch", "2.12.0+rocm7.14.0"),
        wheel("amd-torch-device-gfx942", "2.12.0+rocm7.14.0"),
    )
    check("rocm", *wheels, version="7.14", gpu_targets=("gfx942",))
    found = the_finding("rocm", *wheels, version="7.14", gpu_targets=("gfx942", "gfx1100"))
    assert found.code == "device-package-missing"
    assert "amd-torch-device-gfx1100 is not locked" in found.message
    assert '"torch[device-gfx1100]"' in found.hint


@pytest.mark.parametrize(
    ("tag", "code", "told"),
    [
        ("cp311-cp311-manylinux_2_39_x86_64", "glibc-floor", "needs glibc 2.39, the base has 2.36"),
        ("cp313-cp313-manylinux_2_17_x86_64", "python-floor", "is for cp313"),
        ("cp311-cp311-manylinux_2_17_aarch64", "other-machine", "the image for linux/amd64"),
        ("cp311-cp311-win_amd64", "other-machine", "is for win_amd64"),
    ],
)
def test_a_lock_edited_by_hand_may_name_what_the_base_cannot_load(
    tag: str, code: str, told: str
) -> None:
    found = the_finding("cpu", wheel("native", "2.0", tag=tag))
    assert (found.code, told in found.message) == (code, True)
    check("cpu", wheel("native", "2.0", tag="cp311-cp311-manylinux_2_36_x86_64"))
    check("cpu", wheel("native", "2.0", tag="cp311-abi3-manylinux_2_17_x86_64"))


def test_the_base_s_own_c_library_counts() -> None:
    older = Target(python="3.11", platform=Platform("amd64"), release="3.11.9", glibc_minor=28)
    native = wheel("native", tag="cp311-cp311-manylinux_2_34_x86_64")
    found = the_finding("cpu", native, target=older)
    assert found.message == "needs glibc 2.34, the base has 2.28"
    check("cpu", native)


@pytest.mark.parametrize(
    ("accelerator", "names", "surplus"),
    [
        ("cuda", ("onnxruntime", "onnxruntime-gpu"), "onnxruntime"),
        ("rocm", ("onnxruntime", "onnxruntime-migraphx"), "onnxruntime"),
        ("cpu", ("opencv-python", "opencv-python-headless"), "opencv-python"),
    ],
)
def test_two_distributions_with_the_same_files(
    accelerator: str, names: tuple[str, ...], surplus: str
) -> None:
    found = the_finding(accelerator, *(wheel(name, "1.31.1") for name in names))
    assert (found.code, found.package) == ("same-files", surplus)
    assert found.hint.endswith(f'exclude = ["{surplus}"]')


def test_advice_is_no_refusal() -> None:
    given = subject("cuda", wheel("onnxruntime"), wheel("numpy"), wheel("amdsmi"))
    check_selection(given)
    assert [(one.code, one.package) for one in advice_on(given)] == [
        ("idle-accelerator", "onnxruntime"),
        ("unusable-package", "amdsmi"),
    ]
    assert next(advice_on(given)).hint == 'ask for "onnxruntime-gpu" in its place'
    (found,) = advice_on(subject("rocm", wheel("onnxruntime-migraphx", "1.27.1")))
    assert found.code == "system-libraries"
    assert "libmigraphx_c.so.3 and libamdhip64.so.7" in found.message
    assert list(advice_on(subject("cpu", wheel("onnxruntime"), wheel("numpy")))) == []


def test_all_findings_are_told_at_once() -> None:
    found = findings(
        "cuda",
        wheel("torch", "2.13.0+cpu"),
        wheel("cupy-cuda12x"),
        wheel("onnxruntime"),
        wheel("onnxruntime-gpu", "1.31.1"),
        wheel("native", tag="cp311-cp311-manylinux_2_39_x86_64"),
    )
    assert {one.code for one in found} == {
        "foreign-build",
        "mixed-majors",
        "same-files",
        "glibc-floor",
    }
    assert all(one.hint for one in found)
    assert {one.code for one in found} <= CODES.keys()


def test_rocm_is_for_amd64_only() -> None:
    with pytest.raises(AcceleratorLacksPlatform, match=r"no rocm 6\.4 for linux/arm64") as caught:
        check_machine(accelerator_row("rocm"), [AMD64, ARM64])
    assert caught.value.hint == 'platforms = ["linux/amd64"]'
    check_machine(accelerator_row("rocm"), [AMD64])
    check_machine(accelerator_row("cuda"), [AMD64, ARM64])
