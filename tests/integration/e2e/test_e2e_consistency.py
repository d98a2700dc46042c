# SPDX-License-Identifier: Apache-2.0
"""Each kind of inconsistent packages, through the command line, from an index made for it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wheelship.build.lockfile import read_lock as read_base
from wheelship.build.lockfile import write_lock
from wheelship.lock.read import read_lock
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.testing.elf import make_library
from wheelship.testing.index import PackageIndex
from wheelship.testing.wheel import MadeWheel, make_wheel

pytestmark = pytest.mark.integration

X86 = "cp311-cp311-manylinux_2_28_x86_64"
ARM = "cp311-cp311-manylinux_2_28_aarch64"

_TABLE = """
torch-index = "{index}"
{more}

[tool.wheelship.variants.demo]
accelerator = "{accelerator}"
{version}
platforms = [{platforms}]
{variant}
"""


def made(name: str, version: str = "1.0", *requires: str, tag: str = "py3-none-any") -> MadeWheel:
    return make_wheel(name.replace("-", "_"), version, requires=requires, tag=tag)


@pytest.fixture
def demand(site: Any) -> Callable[..., None]:
    """Return what writes the project: what it requires, and a variant for an accelerator."""

    def write(
        accelerator: str,
        *requirements: str,
        version: str = "",
        more: str = "",
        variant: str = "",
        index: str = "",
        platforms: tuple[str, ...] = ("linux/amd64",),
    ) -> None:
        table = _TABLE.format(
            index=index or site.index.simple_url,
            accelerator=accelerator,
            version=f'version = "{version}"' if version else "",
            more=more,
            variant=variant,
            platforms=", ".join(f'"{one}"' for one in platforms),
        )
        site.project(*requirements, table=table)

    return write


def refused(site: Any, *, named: bool = False) -> list[dict[str, Any]]:
    """Require that nothing can be locked, and return the findings.

    No wheel is fetched for them, unless one is ``named`` by its address: uv reads what it requires.
    """
    error = site.refuse(
        "lock", str(site.root), "--variant", "demo", code="inconsistent-packages", status=3
    )
    assert any(path.endswith(".whl") for path in site.index.paths()) is named
    found: list[dict[str, Any]] = error["findings"]
    for one in found:
        assert f"{one['package']} {one['version']} {one['message']}" in error["message"]
    return found


def locked(site: Any) -> dict[str, str]:
    """Lock, and return the versions."""
    site.run("lock", str(site.root), "--variant", "demo", "--json")
    text = (site.root / "pylock.demo.toml").read_text()
    return {one["name"]: one["version"] for one in tomllib.loads(text)["packages"]}


def test_cuda_in_a_cpu_image_and_who_brought_it(site: Any, demand: Callable[..., None]) -> None:
    site.serve(
        made("service", "1.0", "torch"),
        made("torch", "2.13.0", "nvidia-cublas", "triton", tag=X86),
        made("nvidia-cublas", "13.1"),
        made("triton", "3.7"),
    )
    demand("cpu", "service")
    found = {one["package"]: one for one in refused(site)}
    assert {name: one["code"] for name, one in found.items()} == {
        "nvidia-cublas": "foreign-package",
        "torch": "linked-libraries",
        "triton": "foreign-package",
    }
    assert found["triton"]["way"] == ["service", "torch", "triton"]
    assert {one["hint"] for one in found.values()} == {
        'ask for the right build: "torch==2.13.0+cpu"'
    }


def test_everything_is_told_at_once_and_cured_by_what_is_told(
    site: Any, demand: Callable[..., None]
) -> None:
    site.serve(
        made("torch", "2.13.0+cu130", tag=X86),
        made("torchvision", "0.27.0+cu130", tag=X86),
        made("torchvision", "0.28.0+cu130", tag=X86),
        made("metrics", "1.0", "cupy-cuda12x", "onnxruntime"),
        made("cupy-cuda12x", "13.6"),
        made("onnxruntime", "1.31.1"),
        made("onnxruntime-gpu", "1.31.1"),
    )
    requirements = ["torch==2.13.0", "metrics", "onnxruntime-gpu"]
    demand(
        "cuda",
        *requirements,
        "torchvision==0.27.0",
        version="13.0",
        variant='gpu-targets = ["sm_70"]',
    )
    found = {one["code"]: one for one in refused(site)}
    assert {code: one["package"] for code, one in found.items()} == {
        "mixed-majors": "cupy-cuda12x",
        "companion-version": "torchvision",
        "gpu-target-not-covered": "torch",
        "same-files": "onnxruntime",
    }
    assert found["mixed-majors"]["way"] == ["metrics", "cupy-cuda12x"]
    demand(
        "cuda",
        *requirements,
        "torchvision==0.28.*",
        version="13.0",
        variant='gpu-targets = ["sm_90"]\nexclude = ["cupy-cuda12x", "onnxruntime"]',
    )
    assert locked(site)["torchvision"] == "0.28.0+cu130"


def test_builds_for_another_release_and_linked_ones(site: Any, demand: Callable[..., None]) -> None:
    """The public index has one torchaudio 2.11: for CUDA 13.0, and linked to it in any image."""
    site.serve(
        made("torch", "2.15.0", tag=X86),
        made("torch", "2.13.0+cpu", tag=X86),
        made("torchaudio", "2.11.0", tag=X86),
    )
    demand("cuda", "torch==2.15.0", "torchaudio", version="13.2")
    (found,) = refused(site)
    assert (found["code"], found["message"]) == ("other-release", "is built for cuda 13.0")
    cure = found["hint"].partition(": ")[2]
    assert cure == 'omit = { torchaudio = ["torchaudio/lib/*.so"] }'
    demand("cuda", "torch==2.15.0", "torchaudio", version="13.2", variant=cure)
    assert locked(site) == {"torch": "2.15.0", "torchaudio": "2.11.0"}
    demand("cpu", "torch==2.13.0", "torchaudio")
    (found,) = refused(site)
    assert (found["code"], found["package"]) == ("linked-libraries", "torchaudio")
    demand("cpu", "torch==2.13.0", "torchaudio", variant=cure)
    assert locked(site) == {"torch": "2.13.0+cpu", "torchaudio": "2.11.0"}


def test_a_wheel_that_needs_a_newer_c_library_may_be_named_by_its_address(
    site: Any, demand: Callable[..., None]
) -> None:
    wheel = made("native", "2.0", tag="cp311-cp311-manylinux_2_39_x86_64")
    site.serve(wheel)
    demand("cpu", f"native @ {site.index.file_url(wheel.filename)}")
    (found,) = refused(site, named=True)
    assert found["message"] == "needs glibc 2.39, the base has 2.36"


def test_a_lock_that_was_edited_is_held_to_the_same(site: Any, demand: Callable[..., None]) -> None:
    site.serve(made("alpha-tool"), made("cupy-cuda12x"))
    demand("cpu", "alpha-tool")
    locked(site)
    lock = site.root / "pylock.demo.toml"
    lock.write_text(lock.read_text().replace("alpha-tool", "cupy-cuda12x"))
    text = lock.read_text().replace("alpha_tool", "cupy_cuda12x")
    lock.write_text(text)
    error = site.refuse(
        "build",
        str(site.root),
        "--variant",
        "demo",
        "--frozen",
        code="inconsistent-packages",
        status=3,
    )
    assert error["hint"] == 'leave out what is not used: exclude = ["cupy-cuda12x"]'


def test_what_is_only_advice_is_a_warning_each_time(site: Any, demand: Callable[..., None]) -> None:
    site.serve(made("onnxruntime", "1.31.1"))
    demand("cuda", "onnxruntime", version="13.0")
    told = "onnxruntime 1.31.1 does not use cuda"
    ran = site.run("lock", str(site.root), "--variant", "demo")
    assert told in ran.err
    assert 'ask for "onnxruntime-gpu" in its place' in ran.err
    for _ in range(2):
        assert told in site.run("build", str(site.root), "--variant", "demo").err


def test_libraries_are_read_when_the_layers_are_made(
    site: Any, demand: Callable[..., None]
) -> None:
    """Nothing says that this wheel needs CUDA; its library does."""
    library = make_library("libc.so.6", "libcudart.so.12")
    files = {"speech/__init__.py": b"", "speech/lib/libspeech.so": library}
    site.serve(make_wheel("speech", "1.0", files=files, tag=X86))
    demand("cpu", "speech")
    locked(site)
    says = ["speech 1.0: speech/lib/libspeech.so needs libcudart.so.12"]
    arguments = ("build", str(site.root), "--variant", "demo")
    error = site.refuse(*arguments, code="linked-to-foreign-libraries", status=3, says=says)
    cure = error["hint"].splitlines()[-1]
    assert cure == 'omit = { speech = ["speech/lib/libspeech.so"] }'
    demand("cpu", "speech", variant=cure)
    assert site.run(*arguments, "--json").image["layers"]
    demand("cuda", "speech", version="13.0")
    assert site.run(*arguments, "--json").image["layers"]


def test_one_range_gives_each_image_its_build(site: Any, demand: Callable[..., None]) -> None:
    """The public index serves what it serves; torch-index = "public" takes what fits."""
    for tag in (X86, ARM):
        for version in ("2.10.0", "2.12.0", "2.13.0", "2.13.1", "2.15.0"):
            site.serve(made("torch", version, tag=tag))
    folder = site.root / "wheels"
    folder.mkdir()
    made("torch", "2.13.0+cpu", tag=X86).write(folder)
    lock_base_for_both(site)

    def versions(accelerator: str, version: str) -> list[str]:
        demand(
            accelerator,
            "torch>=2.10,<2.14",
            version=version,
            index="public",
            more='find-links = ["wheels"]',
            platforms=("linux/amd64", "linux/arm64"),
        )
        (site.root / "pylock.demo.toml").unlink(missing_ok=True)
        locked(site)
        lock = read_lock(site.root / "pylock.demo.toml")
        targets = [Target(python="3.11", platform=Platform(one)) for one in ("amd64", "arm64")]
        return [lock.select(target)[0].version for target in targets]

    assert versions("cpu", "") == ["2.13.0+cpu", "2.10.0"]
    assert versions("cuda", "13.0") == ["2.13.1", "2.13.1"]


def lock_base_for_both(site: Any) -> None:
    """Let the base be locked for the other architecture too; nothing is fetched for a lock."""
    path = site.root / "wheelship.lock"
    (native,) = read_base(path).debian
    other = "arm64" if native.architecture == "amd64" else "amd64"
    packages = tuple(replace(one, architecture=other) for one in native.packages)
    write_lock(path, [native, replace(native, architecture=other, packages=packages)])


def test_public_index_without_a_build_for_the_accelerator(
    site: Any, demand: Callable[..., None]
) -> None:
    site.serve(made("service", "1.0", "torch"), made("torch", "2.13.0", tag=X86))
    demand("cpu", "service", index="public")
    site.refuse(
        "lock",
        str(site.root),
        code="no-fitting-build",
        status=3,
        says=["no build of torch for cpu on linux/amd64"],
    )


def test_an_accelerator_s_index_that_does_not_answer(
    site: Any, demand: Callable[..., None]
) -> None:
    site.serve(made("torch", "2.13.0", tag=X86))
    demand("cuda", "torch>=2.13,<2.14", version="13.0")
    text = (site.root / "pyproject.toml").read_text()
    (site.root / "pyproject.toml").write_text(text.replace("torch-index", "# torch-index"))
    ran = site.run("lock", str(site.root), "--json", status=4)
    assert json.loads(ran.out)["error"]["hint"].endswith('torch-index = "public"')


def rocm(folder: Any) -> None:
    """Lay wheels out like AMD's index: device code apart, by extras, one package per GPU."""
    label, rocm_version = "2.12.0+rocm7.14.0", "7.14.0"
    targets = ("gfx942", "gfx1100", "gfx1201")
    metadata = [f'amd-torch-device-{one}=={label}; extra == "device-{one}"' for one in targets]
    torch = make_wheel(
        "torch",
        label,
        tag=X86,
        requires=[f"rocm-sdk-core=={rocm_version}", "triton==3.6.0+rocm7.14.0", *metadata],
    )
    torch.write(folder)
    made("triton", "3.6.0+rocm7.14.0", tag=X86).write(folder)
    made("rocm-sdk-core", rocm_version).write(folder)
    for target in targets:
        made(f"rocm-sdk-device-{target}", rocm_version).write(folder)
        device = f"amd-torch-device-{target}"
        made(device, label, f"rocm-sdk-device-{target}=={rocm_version}").write(folder)


def test_only_the_device_packages_of_the_chosen_gpus_are_locked(
    site: Any, demand: Callable[..., None], tmp_path: Any
) -> None:
    site.serve(made("torch", "2.13.0", tag=X86), made("service", "1.0", "torch"))
    (tmp_path / "amd").mkdir()
    rocm(tmp_path / "amd")
    with PackageIndex(tmp_path / "amd") as amd:
        kind = {"version": "7.14", "index": amd.simple_url}
        demand("rocm", "service", variant='gpu-targets = ["gfx942", "gfx1100"]', **kind)
        assert locked(site) == {
            "amd-torch-device-gfx1100": "2.12.0+rocm7.14.0",
            "amd-torch-device-gfx942": "2.12.0+rocm7.14.0",
            "rocm-sdk-core": "7.14.0",
            "rocm-sdk-device-gfx1100": "7.14.0",
            "rocm-sdk-device-gfx942": "7.14.0",
            "service": "1.0",
            "torch": "2.12.0+rocm7.14.0",
            "triton": "3.6.0+rocm7.14.0",
        }
        demand("rocm", "service", variant='gpu-targets = ["gfx942"]', **kind)
        assert "amd-torch-device-gfx1100" not in locked(site)
        demand("rocm", "service", variant='gpu-targets = ["gfx803"]', **kind)
        says = ["device code of torch for gfx803", "gfx1100"]
        arguments = ("lock", str(site.root))
        site.refuse(*arguments, code="gpu-target-not-covered", status=3, says=says)
        demand("rocm", "service", **kind)
        site.refuse(*arguments, code="gpu-targets-missing", status=3, says=["gfx942"])
    demand("rocm", "service", version="6.4", variant='gpu-targets = ["sm_90"]')
    told = "'sm_90' is no target of rocm, but one of cuda"
    site.refuse(*arguments, code="configuration", status=3, says=[told])


def test_a_range_outside_of_what_the_public_index_has(
    site: Any, demand: Callable[..., None]
) -> None:
    site.serve(made("torch", "2.13.0", tag=X86), made("torch", "2.15.0", tag=X86))
    demand("cuda", "torch>=2.10,<2.14", version="13.2", index="public")
    says = ["the public index has builds of torch that fit for ==2.15.* only"]
    error = site.refuse("lock", str(site.root), code="unresolvable", status=3, says=says)
    assert "None" not in error["message"]
