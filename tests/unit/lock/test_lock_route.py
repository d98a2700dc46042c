# SPDX-License-Identifier: Apache-2.0
"""Which local wheels count, and where each package of a family is looked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from wheelship.lock.local import find_local_wheels, misfit, write_index, write_page
from wheelship.lock.route import PUBLIC, Route, find_routes, parse_requirements
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.variant.accelerator import accelerator_row

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
) -> dict[str, Route]:
    found = find_routes(
        packages,
        parse_requirements(requirements, target),
        find_local_wheels([directory]),
        row=accelerator_row(accelerator, version),
        target=target,
        replacement=replacement,
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
    assert routes(["torch==2.14.0"], tmp_path, replacement=PUBLIC) == {}


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
    assert ("torch" in found) is routed


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
