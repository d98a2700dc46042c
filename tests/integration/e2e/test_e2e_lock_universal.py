# SPDX-License-Identifier: Apache-2.0
"""A project's ``uv.lock`` decides the versions in its images; the real uv makes it here."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from wheelship.cli.services import native_platform
from wheelship.testing.index import PackageIndex
from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

MACHINE = native_platform().machine
TAG = "cp311-cp311-manylinux_2_28"
_PROJECT = """\
[project]
name = "demo-app"
version = "1.0"
requires-python = ">=3.11,<3.12"
dependencies = [{requirements}]
{project}
[tool.uv]
package = false
{uv}
[[tool.uv.index]]
url = "{index}"
default = true

[tool.wheelship]
python = "3.11"
command = ["demo"]
bytecode = "none"
debian-mirror = "{index}/../debian"
{table}
"""


def write(site: Any, *requirements: str, project: str = "", uv: str = "", table: str = "") -> None:
    quoted = ", ".join(f'"{one}"' for one in requirements)
    text = _PROJECT.format(
        requirements=quoted, project=project, uv=uv, table=table, index=site.index.simple_url
    )
    (site.root / "pyproject.toml").write_text(text)


def uv_lock(site: Any, *options: str) -> None:
    """Lock with uv itself."""
    command = [find_uv_bin(), "lock", "--python", sys.executable, *options]
    subprocess.run(command, cwd=site.root, env=dict(os.environ), check=True, capture_output=True)


def lock(site: Any, *options: str, status: int = 0) -> Any:
    return site.run("lock", str(site.root), *options, status=status)


def versions(site: Any, variant: str = "cpu") -> dict[str, str]:
    document = tomllib.loads((site.root / f"pylock.{variant}.toml").read_text())
    return {one["name"]: one["version"] for one in document["packages"]}


def publish(site: Any) -> None:
    """Version 1 of everything."""
    site.serve(
        make_wheel("app", "1.0", requires=["helper>=1"]),
        make_wheel("helper", "1.0"),
        make_wheel("sound", "1.0"),
        make_wheel("serving", "1.0"),
    )


def publish_news(site: Any) -> None:
    """Version 2 of everything; whoever resolves anew gets it."""
    names = ("helper", "sound", "serving")
    site.serve(make_wheel("app", "2.0", requires=["helper>=1"]))
    site.serve(*(make_wheel(name, "2.0") for name in names))


MORE = """
[project.optional-dependencies]
audio = ["sound"]
all = ["demo-app[audio]"]
[dependency-groups]
serve = ["serving>=1"]
"""


def test_its_versions_are_what_the_image_gets(site: Any) -> None:
    publish(site)
    write(site, "app>=1", project=MORE, table='extras = ["all"]\ngroups = ["serve"]')
    uv_lock(site)
    publish_news(site)
    lock(site)
    expected = {"app": "1.0", "helper": "1.0", "serving": "1.0", "sound": "1.0"}
    assert versions(site) == expected
    # Nothing but uv.lock decides: neither an upgrade nor what was locked before.
    done = lock(site, "--upgrade", "helper")
    assert "warning[uv-lock-decides]" in done.err
    assert "hint: uv lock --upgrade-package helper" in done.err
    assert versions(site) == expected


def test_a_changed_uv_lock_locks_again(site: Any) -> None:
    publish(site)
    write(site, "app>=1")
    uv_lock(site)
    lock(site)
    publish_news(site)
    uv_lock(site, "--upgrade-package", "helper", "--refresh")
    says = ["uv.lock changed"]
    site.refuse("lock", str(site.root), "--check", code="lock-out-of-date", status=3, says=says)
    image = site.build()
    packages = {
        one["name"]: one["version"] for layer in image["layers"] for one in layer["packages"]
    }
    assert (packages["app"], packages["helper"]) == ("1.0", "2.0")
    before = (site.root / "pylock.cpu.toml").read_bytes()
    site.index.received.clear()
    assert site.build()["lock"] == "unchanged"
    assert site.index.received == []
    assert (site.root / "pylock.cpu.toml").read_bytes() == before


def test_a_lock_that_is_older_than_the_project_is_refused(site: Any) -> None:
    publish(site)
    write(site, "app>=1", "sound", project=MORE)
    uv_lock(site)
    write(
        site, "app>=1.0", "helper[fast]", project=MORE, uv='constraint-dependencies = ["sound<9"]'
    )
    error = site.refuse("lock", str(site.root), code="uv-lock-out-of-date", status=3)
    assert error["hint"] == "uv lock"
    assert [line.strip() for line in error["message"].splitlines()] == [
        "is out of date:",
        "+ app>=1.0",
        "+ helper[fast]",
        "- app>=1",
        "- sound",
        "+ constraint sound<9",
    ]


def test_what_the_variant_does_not_choose_may_be_out_of_date(site: Any) -> None:
    """A group for developers changed: the image has nothing to do with it."""
    publish(site)
    write(site, "app; python_version < '3.12' and sys_platform != 'win32'", project=MORE)
    uv_lock(site)
    write(
        site,
        "app ; sys_platform != 'win32' and python_full_version < '3.12'",
        project=MORE.replace("serving>=1", "serving>=1.0"),
    )
    lock(site)
    assert versions(site) == {"app": "1.0", "helper": "1.0"}
    write(
        site, "app", project=MORE.replace("serving>=1", "serving>=1.0"), table='groups = ["serve"]'
    )
    error = site.refuse("lock", str(site.root), code="uv-lock-out-of-date", status=3)
    assert "+ serving>=1.0 (group serve)" in error["message"]


def test_versions_that_exclude_each_other_are_chosen_by_extra(site: Any) -> None:
    """One uv.lock for both: uv splits it, with markers for the extras that conflict."""
    publish(site)
    publish_news(site)
    site.serve(make_wheel("torch", "2.12.0+cpu"), make_wheel("torch", "2.13.0+cu130"))
    project = """
[project.optional-dependencies]
cpu = ["torch==2.12.0", "helper<2"]
cuda = ["torch==2.13.0", "helper>=2"]
"""
    uv = 'conflicts = [[{ extra = "cpu" }, { extra = "cuda" }]]'
    table = f"""
torch-index = "{site.index.simple_url}"
[tool.wheelship.variants.cpu]
extras = ["cpu"]
[tool.wheelship.variants.cuda]
version = "13.0"
extras = ["cuda"]
"""
    write(site, "app", project=project, uv=uv, table=table)
    uv_lock(site)
    site.serve(make_wheel("helper", "1.5"), make_wheel("helper", "3.0"))
    lock(site)
    assert versions(site, "cpu") == {"app": "2.0", "helper": "1.0", "torch": "2.12.0+cpu"}
    assert versions(site, "cuda") == {"app": "2.0", "helper": "2.0", "torch": "2.13.0+cu130"}


def test_only_the_accelerator_s_builds_differ(site: Any, tmp_path: Path) -> None:
    """uv.lock holds the CUDA build; the CPU variant gets the same version, built for the CPU."""
    site.serve(
        make_wheel("torch", "2.13.0", requires=["helper", "nvidia-cublas==13.1"]),
        make_wheel("nvidia_cublas", "13.1"),
        make_wheel("nvidia_cublas", "13.0"),
        make_wheel("app", "1.0", requires=["torch"]),
        make_wheel("helper", "1.0"),
    )
    for name in ("cpu", "cuda"):
        (tmp_path / name).mkdir()
    with PackageIndex(tmp_path / "cpu") as cpu, PackageIndex(tmp_path / "cuda") as cuda:
        for version in ("2.13.0+cpu", "2.14.0+cpu"):
            make_wheel("torch", version, requires=["helper"]).write(cpu.files)
        made = make_wheel("torch", "2.13.0+cu130", requires=["helper", "nvidia-cublas==13.0"])
        made.write(cuda.files)
        table = f"""
[tool.wheelship.variants.cpu]
torch-index = "{cpu.simple_url}"
[tool.wheelship.variants.cuda]
version = "13.0"
torch-index = "{cuda.simple_url}"
"""
        write(site, "app", "torch>=2", table=table)
        uv_lock(site)
        site.serve(make_wheel("helper", "2.0"))
        lock(site)
    assert versions(site, "cpu") == {"app": "1.0", "helper": "1.0", "torch": "2.13.0+cpu"}
    assert versions(site, "cuda") == {
        "app": "1.0", "helper": "1.0", "nvidia-cublas": "13.0", "torch": "2.13.0+cu130",
    }  # fmt: skip


def test_a_version_without_a_wheel_for_the_base_is_named_with_the_nearest_that_has_one(
    site: Any,
) -> None:
    site.serve(
        make_wheel("native", "1.0", tag=f"{TAG}_{MACHINE}"),
        make_wheel("native", "1.5", tag=f"{TAG}_{MACHINE}"),
        make_wheel("native", "2.0", tag=f"cp311-cp311-manylinux_2_39_{MACHINE}"),
        make_wheel("native", "3.0", tag=f"{TAG}_{MACHINE}"),
        make_wheel("app", requires=["native<3"]),
    )
    write(site, "app")
    uv_lock(site)
    error = site.refuse("lock", str(site.root), code="uv-lock-misfit", status=3)
    assert "glibc 2.36" in error["message"]
    assert "native 2.0: the nearest that fits is 1.5" in error["message"]
    assert error["hint"].endswith('[tool.uv]\nconstraint-dependencies = ["native<=1.5"]')
    write(site, "app", uv='constraint-dependencies = ["native<=1.5"]')
    uv_lock(site)
    lock(site)
    assert versions(site) == {"app": "1.0", "native": "1.5"}
    # A wheel that the user built counts too.
    write(site, "app")
    uv_lock(site, "--upgrade")
    (site.root / "wheels").mkdir()
    make_wheel("native", "2.0", tag=f"{TAG}_{MACHINE}").write(site.root / "wheels")
    write(site, "app", table='find-links = ["wheels"]')
    lock(site)
    assert versions(site) == {"app": "1.0", "native": "2.0"}


def test_a_file_that_was_replaced_on_the_index_is_refused(site: Any) -> None:
    publish(site)
    write(site, "app>=1")
    uv_lock(site)
    site.serve(make_wheel("helper", "1.0", files={"helper.py": b"stolen = True"}))
    error = site.refuse("lock", str(site.root), code="hash-differs", status=3)
    assert error["where"] == "helper-1.0-py3-none-any.whl"


def test_prereleases_in_it_are_taken_over(site: Any) -> None:
    site.serve(make_wheel("app", "2.0rc1"), make_wheel("app", "1.0"))
    site.serve(make_wheel("outer", requires=["app"]))
    write(site, "outer")
    uv_lock(site, "--prerelease", "allow")
    lock(site)
    assert versions(site) == {"app": "2.0rc1", "outer": "1.0"}


def test_members_of_a_workspace_need_local_wheels_where_nothing_is_built(site: Any) -> None:
    """Also the one that the project itself does not name; the index has strangers of both names."""
    publish(site)
    site.serve(make_wheel("inner", "0.1", requires=["deep"]), make_wheel("deep", "0.1"))
    for name, requires in (("inner", "deep"), ("deep", "helper")):
        (site.root / name).mkdir()
        (site.root / name / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "0.1"\ndependencies = ["{requires}"]\n'
            '[build-system]\nrequires = ["absent"]\nbuild-backend = "absent"\n'
        )
    uv = """
[tool.uv.workspace]
members = ["inner", "deep"]
[tool.uv.sources]
inner = { workspace = true }
deep = { workspace = true }
"""
    write(site, "inner", uv=uv, table="sdist = false")
    uv_lock(site)
    publish_news(site)
    (site.root / "wheels").mkdir()
    for name, requires in (("inner", "deep"), ("deep", "helper")):
        site.refuse("lock", str(site.root), code="not-a-wheel", status=3, says=[name])
        wheel = make_wheel(name, "0.1", requires=[requires], files={f"{name}.py": b"ours"})
        wheel.write(site.root / "wheels")
        write(site, "inner", uv=uv, table='sdist = false\nfind-links = ["wheels"]')
    lock(site)
    assert versions(site) == {"deep": "0.1", "helper": "1.0", "inner": "0.1"}
    text = (site.root / "pylock.cpu.toml").read_text()
    assert text.count('path = "wheels/') == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("version = 1\n<<<<<<< HEAD\n", "is no TOML document"),
        ("version = 9\n", "is of version 9"),
        ("version = 1\n[[package]]\nversion = '1'\n", "is not what uv writes"),
        ("version = 1\n", "holds no project 'demo-app'"),
    ],
)
def test_a_damaged_lock(site: Any, content: str, says: str) -> None:
    write(site, "alpha")
    (site.root / "uv.lock").write_text(content)
    site.refuse("lock", str(site.root), code="invalid-uv-lock", status=3, says=["uv.lock", says])
