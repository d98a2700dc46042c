# SPDX-License-Identifier: Apache-2.0
"""Which local wheels count, and where each package of a family is looked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from wheelship.lock.errors import GpuTargetsMissing, NoFittingBuild
from wheelship.lock.local import find_local_wheels, misfit, write_index, write_page
from wheelship.lock.route import PUBLIC, Route, find_routes, parse_requirements
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.variant.accelerator import accelerator_row
from wheelship.variant.errors import GpuTargetNotCovered

AMD64 = Target(python="3.11", platform=Platform("amd64"))
ARM64 = Target(python="3.11", platform=Platform("arm64"))
X86 = "cp311-cp311-manylinux_2_28_x86_64"


def wheels(directory: Path, *names: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).write_bytes(name.encode())
    return directory


def routes(
    requirements: Iterable[str],
    directory: Path,
    *,
    accelerator: str = "cpu",
    version: str | None = None,
    target: Target = AMD64,
    replacement: str | None = None,
    packages: Iterable[str] = ("torch",),
    gpu_targets: tuple[str, ...] = (),
) -> dict[str, Route]:
    found = find_routes(
        packages,
        parse_requirements(requirements, target),
        find_local_wheels([directory]),
        row=accelerator_row(accelerator, version),
        target=target,
        replacement=replacement,
        gpu_targets=gpu_targets,
    )
    return {route.package: route for route in found}


@pytest.mark.parametrize(
    ("filename", "accelerator", "version", "target", "reason"),
    [
        (f"torch-2.13.0+cpu-{X86}.whl", "cpu", None, AMD64, None),
        (f"torch-2.13.0+cpu-{X86}.whl", "cuda", "13.0", AMD64, "is a build for cpu, not for cuda"),
        (f"torch-2.13.0+cpu-{X86}.whl", "rocm", "6.4", AMD64, "is a build for cpu, not for rocm"),
        (
            f"torch-2.13.0+cpu-{X86}.whl",
            "cpu",
            None,
            ARM64,
            "is not for Python 3.11 on linux/arm64",
        ),
        (
            "torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl",
            "cpu",
            None,
            AMD64,
            "is not for",
        ),
        (f"torch-2.13.0+cu130-{X86}.whl", "cuda", "13.0", AMD64, None),
        (f"torch-2.13.0+cu130-{X86}.whl", "cuda", "12.8", AMD64, "is a build for cu130"),
        (f"torch-2.13.0+cu130-{X86}.whl", "cpu", None, AMD64, "is a build for cu130"),
        (f"torch-2.13.0-{X86}.whl", "cpu", None, AMD64, "has no label"),
        (f"torch-2.13.0-{X86}.whl", "cuda", "13.0", AMD64, None),
        (f"torch-2.15.0-{X86}.whl", "cuda", "13.0", AMD64, "has no label"),
        (f"torchcodec-0.13.0-{X86}.whl", "cpu", None, AMD64, None),
        (f"torchcodec-0.14.0-{X86}.whl", "cpu", None, AMD64, "has no label"),
        ("anything-1.0-py3-none-any.whl", "rocm", "6.4", ARM64, None),
        ("anything-1.0-cp311-cp311-manylinux_2_39_x86_64.whl", "cpu", None, AMD64, "is not for"),
    ],
)
def test_local_wheel_counts_where_it_fits(
    filename: str,
    accelerator: str,
    version: str | None,
    target: Target,
    reason: str | None,
    tmp_path: Path,
) -> None:
    (wheel,) = find_local_wheels([wheels(tmp_path, filename)])
    found = misfit(wheel, accelerator_row(accelerator, version), target)
    assert found is None if reason is None else reason in (found or "")


def test_first_directory_counts_and_other_files_do_not(tmp_path: Path) -> None:
    name = "demo-1.0-py3-none-any.whl"
    one = wheels(tmp_path / "one", name, "notes.txt", "not a wheel.whl", "demo-1.0.tar.gz")
    two = wheels(tmp_path / "two", name, "Demo_Two-1.0-py3-none-any.whl")
    found = find_local_wheels([one, tmp_path / "none", two])
    assert [(wheel.path, wheel.name) for wheel in found] == [
        (one / name, "demo"),
        (two / "Demo_Two-1.0-py3-none-any.whl", "demo-two"),
    ]


def test_fitting_local_wheel_is_the_only_place(tmp_path: Path) -> None:
    directory = wheels(
        tmp_path,
        f"torch-2.13.0+cpu-{X86}.whl",
        f"torch-2.12.0+cpu-{X86}.whl",
        f"torch-2.13.0-{X86}.whl",
    )
    (route,) = routes(["torch==2.13.0"], directory).values()
    assert route.kind == "local"
    assert [wheel.path.name for wheel in route.wheels] == [f"torch-2.13.0+cpu-{X86}.whl"]
    (route,) = routes(["torch"], directory, replacement="https://example.org/whl").values()
    assert [str(wheel.version) for wheel in route.wheels] == ["2.12.0+cpu", "2.13.0+cpu"]


def test_accelerator_s_index_is_the_only_place_otherwise(tmp_path: Path) -> None:
    directory = wheels(tmp_path, f"torch-2.13.0+cpu-{X86}.whl")
    (route,) = routes(["torch==2.14.0"], directory).values()
    assert (route.kind, route.index) == ("accelerator", "https://download.pytorch.org/whl/cpu")
    assert route.unused == (f"{directory}/torch-2.13.0+cpu-{X86}.whl does not meet ==2.14.0",)
    (route,) = routes(["torch"], directory, accelerator="rocm").values()
    assert route.index == "https://download.pytorch.org/whl/rocm6.4"
    (route,) = routes(["torch"], directory, target=ARM64).values()
    assert route.index == "https://download.pytorch.org/whl/cpu"
    assert "linux/arm64" in route.unused[0]


def test_user_s_address_replaces_the_accelerator_s_index(tmp_path: Path) -> None:
    (route,) = routes(["torch==2.14.0"], tmp_path, replacement="https://example.org/whl").values()
    assert (route.kind, route.index) == ("replacement", "https://example.org/whl")


@pytest.mark.parametrize(
    ("requirement", "target", "accelerator", "version", "routed"),
    [
        ("torch==2.13.0", AMD64, "cuda", "13.0", False),
        ("torch==2.14.1", ARM64, "cuda", "13.0", False),
        ("torch==2.15.0", AMD64, "cuda", "13.0", True),
        ("torch==2.15.0", AMD64, "cuda", "13.2", False),
        ("torch>=2.13,<2.15", AMD64, "cuda", "13.0", True),
        ("torch==2.13.*", AMD64, "cuda", "13.0", True),
        ("torch==2.13.0+cu130", AMD64, "cuda", "13.0", True),
        ("torch", AMD64, "cuda", "13.0", True),
        ("torch==2.13.0", AMD64, "cpu", None, True),
        ("torch==2.10.0", ARM64, "cpu", None, False),
        ("torch==2.13.0", AMD64, "rocm", "6.4", True),
    ],
)
def test_public_index_serves_exactly_pinned_known_builds(
    requirement: str,
    target: Target,
    accelerator: str,
    version: str | None,
    *,
    routed: bool,
    tmp_path: Path,
) -> None:
    found = routes([requirement], tmp_path, target=target, accelerator=accelerator, version=version)
    assert (found["torch"].kind == "accelerator") is routed
    assert found["torch"].kind in ("accelerator", "public")


@pytest.mark.parametrize(
    ("target", "accelerator", "version", "versions"),
    [
        (ARM64, "cpu", None, "<2.11"),
        (AMD64, "cuda", "13.0", ">=2.13,<2.15"),
        (ARM64, "cuda", "13.0", ">=2.13,<2.15"),
        (AMD64, "cuda", "12.8", ">=2.8,<2.10"),
    ],
)
def test_public_index_is_held_to_builds_that_fit(
    target: Target, accelerator: str, version: str | None, versions: str, tmp_path: Path
) -> None:
    (route,) = routes(
        ["torch>=2.10,<2.14"],
        tmp_path,
        target=target,
        accelerator=accelerator,
        version=version,
        replacement=PUBLIC,
    ).values()
    assert (route.kind, route.index, route.versions) == ("public", None, versions)


def test_local_wheel_comes_before_the_public_index(tmp_path: Path) -> None:
    directory = wheels(tmp_path, f"torch-2.13.0+cpu-{X86}.whl")
    (route,) = routes(["torch>=2.10,<2.14"], directory, replacement=PUBLIC).values()
    assert (route.kind, route.versions) == ("local", "")


def test_public_index_without_a_build_that_fits(tmp_path: Path) -> None:
    directory = wheels(tmp_path, f"torch-2.13.0+cu130-{X86}.whl")
    with pytest.raises(NoFittingBuild, match="no build of torch for cpu on linux/amd64") as caught:
        routes(["torch"], directory, replacement=PUBLIC)
    assert "is a build for cu130, not for cpu" in caught.value.message
    assert "find-links" in str(caught.value.hint)
    # Of the smaller members the check of the result knows more: files may be left out.
    found = routes(["torchaudio"], tmp_path, packages=("torchaudio",), replacement=PUBLIC)
    assert found["torchaudio"].versions == ""


@pytest.mark.parametrize(
    ("requirement", "accelerator", "version", "public"),
    [
        ("torch>=2.13", "cuda", "13.0", True),
        ("torch==2.13.0+cu130", "cuda", "13.0", False),
        ("torch==2.15.0", "cuda", "13.0", False),
        ("torch", "cuda", "12.6", False),
        ("torch", "cpu", None, False),
    ],
)
def test_a_route_tells_whether_the_public_index_would_do(
    requirement: str, accelerator: str, version: str | None, *, public: bool, tmp_path: Path
) -> None:
    (route,) = routes([requirement], tmp_path, accelerator=accelerator, version=version).values()
    assert (route.kind, route.public) == ("accelerator", public)


def test_device_code_is_chosen_by_extras(tmp_path: Path) -> None:
    found = routes(
        ["torch"],
        tmp_path,
        packages=("torch", "torchvision", "torchaudio", "rocm-sdk-core"),
        accelerator="rocm",
        version="7.14",
        gpu_targets=("gfx942", "gfx1100"),
    )
    assert found["torch"].requirement == "torch[device-gfx942,device-gfx1100]"
    assert found["torchvision"].requirement == "torchvision[device-gfx942,device-gfx1100]"
    assert (found["torchaudio"].requirement, found["rocm-sdk-core"].requirement) == ("", "")
    assert {one.index for one in found.values()} == {"https://repo.amd.com/rocm/whl-multi-arch"}
    (route,) = routes(["torch"], tmp_path, accelerator="rocm", gpu_targets=("gfx942",)).values()
    assert route.extras == (), "the older builds bring code for all GPUs"


def test_device_code_that_there_is_not(tmp_path: Path) -> None:
    kind: Any = {"accelerator": "rocm", "version": "7.14"}
    with pytest.raises(GpuTargetNotCovered) as caught:
        routes(["torch"], tmp_path, **kind, gpu_targets=("gfx803", "gfx942"))
    assert "no package has device code of torch for gfx803; rocm 7.14 has" in caught.value.message
    assert "gfx942, gfx950" in caught.value.message
    assert str(caught.value.hint).endswith('gpu-targets = ["gfx942"]')
    with pytest.raises(GpuTargetsMissing, match="one per GPU: gfx908") as missing:
        routes(["torch"], tmp_path, **kind)
    assert "gpu-targets = [" in str(missing.value.hint)


def test_packages_that_never_carry_a_label_may_be_local(tmp_path: Path) -> None:
    names = ("rocm-7.14.0-py3-none-any.whl", "rocm-10.0.0-py3-none-any.whl")
    directory = wheels(tmp_path, *names)
    kind: Any = {"packages": ("rocm",), "accelerator": "rocm", "version": "7.14"}
    (route,) = routes([], directory, **kind).values()
    assert [one.path.name for one in route.wheels] == [names[0]]
    assert route.kind == "local"


def test_only_members_of_a_family_are_routed(tmp_path: Path) -> None:
    found = routes(
        ["torch", "numpy", "torchvision; platform_machine == 'aarch64'"],
        tmp_path,
        packages=("torch", "numpy", "torchvision"),
    )
    assert sorted(found) == ["torch", "torchvision"]
    wheel = f"torch @ file:///opt/torch-2.13.0+cpu-{X86}.whl"
    assert routes([wheel], tmp_path) == {}


def test_requirements_of_other_platforms_do_not_apply() -> None:
    texts = ["a; platform_machine == 'x86_64'", "b; python_full_version >= '3.11.3'", "c[d]>1"]
    assert [one.name for one in parse_requirements(texts, AMD64)] == ["a", "c"]
    assert [one.name for one in parse_requirements(texts, ARM64)] == ["c"]


def test_pages_name_file_and_hash(tmp_path: Path) -> None:
    directory = wheels(tmp_path / "a&b", f"torch-2.13.0+cpu-{X86}.whl", "demo-1.0-py3-none-any.whl")
    found = find_local_wheels([directory])
    address = write_index(tmp_path / "index", found, lambda path: f"hash-of-{path.name[:4]}")
    assert address == (tmp_path / "index").as_uri()
    page = (tmp_path / "index/torch/index.html").read_text()
    assert f'torch-2.13.0%2Bcpu-{X86}.whl#sha256=hash-of-torc">torch-2.13.0+cpu-{X86}.whl<' in page
    assert "a%26b" in page
    assert "demo" not in page
    address = write_page(tmp_path / "links.html", found, lambda _: "0")
    assert address == (tmp_path / "links.html").as_uri()
    assert (tmp_path / "links.html").read_text().count("<a ") == 2
