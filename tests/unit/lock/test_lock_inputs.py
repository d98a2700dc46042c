# SPDX-License-Identifier: Apache-2.0
"""The digest of a request changes with everything that decides a resolution, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.lock.inputs import LockInputs, lock_inputs
from wheelship.oci.platform import Platform
from wheelship.request.model import (
    Accelerator,
    Budget,
    BuildRule,
    Check,
    Project,
    Sources,
    Variant,
)
from wheelship.request.uv import UvIndex, UvSettings, UvSource

ROOT = Path("/work/project")
PROJECT = Project(
    root=ROOT,
    name="service",
    version="1",
    requires_python=">=3.11",
    dependencies=("fastapi", "torch==2.13.0"),
    extras={"audio": ("soundfile",), "other": ("numpy",)},
    groups={"serve": ("uvicorn",)},
    scripts={},
    config_file=None,
)
VARIANT = Variant(
    name="cpu",
    accelerator=Accelerator.CPU,
    platforms=(Platform("amd64"),),
    python="3.11",
    omit={},
    sources=Sources(),
    env={},
    labels={},
    check=Check(),
    budget=Budget(),
)
INPUTS = lock_inputs(PROJECT, VARIANT)
SOURCE = UvSource(package="torch", kind="index", place="named")


@pytest.mark.parametrize(
    ("project", "variant"),
    [
        (replace(PROJECT, dependencies=("fastapi",)), VARIANT),
        (replace(PROJECT, constraints=("numpy<3",)), VARIANT),
        (PROJECT, replace(VARIANT, python="3.13")),
        (PROJECT, replace(VARIANT, platforms=(Platform("amd64"), Platform("arm64")))),
        (PROJECT, replace(VARIANT, accelerator=Accelerator.CUDA)),
        (PROJECT, replace(VARIANT, extras=("audio",))),
        (PROJECT, replace(VARIANT, groups=("serve",))),
        (PROJECT, replace(VARIANT, sdist=None)),
        (PROJECT, replace(VARIANT, sdist={"x": BuildRule(requires=("a",))})),
        (PROJECT, replace(VARIANT, sdist={"x": BuildRule(settings=(("a", ("b",)),))})),
        (PROJECT, replace(VARIANT, sdist={"x": BuildRule(env=(("A", "b"),))})),
        (PROJECT, replace(VARIANT, sdist={"x": BuildRule(network=True)})),
        (PROJECT, replace(VARIANT, exclude_packages=("triton",))),
        (PROJECT, replace(VARIANT, sources=Sources(index="https://example.org/simple"))),
        (PROJECT, replace(VARIANT, sources=Sources(extra_indexes=("https://example.org/a",)))),
        (PROJECT, replace(VARIANT, sources=Sources(torch_index="https://example.org/whl"))),
        (PROJECT, replace(VARIANT, sources=Sources(find_links=(ROOT / "wheels",)))),
        (PROJECT, replace(VARIANT, sources=Sources(link_pages=("https://example.org/w",)))),
        (PROJECT, replace(VARIANT, requirements=("fastapi",))),
        (PROJECT, replace(VARIANT, requirements=PROJECT.dependencies, constraints=("x<1",))),
        (replace(PROJECT, hashes={"torch": frozenset({"00"})}), VARIANT),
        (replace(PROJECT, uv_lock="00"), VARIANT),
        (replace(PROJECT, uv=UvSettings(overrides=("numpy==1",))), VARIANT),
        (replace(PROJECT, uv=UvSettings(exclude=("numpy",))), VARIANT),
        (replace(PROJECT, uv=UvSettings(environments=("os_name == 'posix'",))), VARIANT),
        (replace(PROJECT, uv=UvSettings(options=(("prerelease", '"allow"'),))), VARIANT),
        (replace(PROJECT, uv=UvSettings(metadata=("{}",))), VARIANT),
        (replace(PROJECT, uv=UvSettings(no_binary=("numpy",))), VARIANT),
        (replace(PROJECT, uv=UvSettings(no_index=True)), VARIANT),
        (replace(PROJECT, uv=UvSettings(sources=(SOURCE,))), VARIANT),
    ],
)
def test_what_decides_a_resolution_is_in_the_digest(project: Project, variant: Variant) -> None:
    other = lock_inputs(project, variant)
    assert other.digest != INPUTS.digest
    assert INPUTS.differences(other)
    assert other.differences(INPUTS)


@pytest.mark.parametrize(
    ("project", "variant"),
    [
        (replace(PROJECT, name="another", version="2"), VARIANT),
        (replace(PROJECT, dependencies=("torch==2.13.0", " fastapi", "fastapi")), VARIANT),
        (replace(PROJECT, extras={}), VARIANT),
        (replace(PROJECT, uv=UvSettings(sources=(replace(SOURCE, extra="audio"),))), VARIANT),
        (replace(PROJECT, uv=UvSettings(sources=(replace(SOURCE, group="serve"),))), VARIANT),
        (replace(PROJECT, uv=UvSettings(access=(("native-tls", "true"),))), VARIANT),
        (PROJECT, replace(VARIANT, name="default", port=80, env={"A": "b"}, command=("x",))),
        (PROJECT, replace(VARIANT, platforms=(Platform("amd64"), Platform("amd64")))),
    ],
)
def test_what_does_not_is_not(project: Project, variant: Variant) -> None:
    once = replace(variant, platforms=tuple(dict.fromkeys(variant.platforms)))
    assert lock_inputs(project, once).digest == INPUTS.digest


def test_releases_of_an_accelerator_differ() -> None:
    old = lock_inputs(PROJECT, replace(VARIANT, accelerator=Accelerator.CUDA))
    new = lock_inputs(
        PROJECT, replace(VARIANT, accelerator=Accelerator.CUDA, accelerator_version="12.8")
    )
    assert old.differences(new) == (
        "accelerator: cuda 13.0 → cuda 12.8",
        "the known builds of the accelerator changed",
    )


def test_differences_are_readable() -> None:
    newer = replace(
        INPUTS,
        requirements=("fastapi>=0.165", "torch==2.13.0"),
        platforms=("linux/amd64", "linux/arm64"),
        python="3.13",
        index="https://example.org/simple",
    )
    assert INPUTS.differences(newer) == (
        "python: 3.11 → 3.13",
        "platform: + linux/arm64",
        "requirement: + fastapi>=0.165",
        "requirement: - fastapi",
        "index: none → https://example.org/simple",
    )
    one = replace(INPUTS, extra_indexes=("https://a.example.org/", "https://b.example.org/"))
    other = replace(one, extra_indexes=one.extra_indexes[::-1])
    assert one.differences(other) == ("extra-indexes: another order",)
    assert INPUTS.differences(INPUTS) == ()


def test_credentials_are_no_part_of_it() -> None:
    sources = Sources(
        index="https://me:word@example.org/simple",
        extra_indexes=("https://me:word@example.org/extra",),
        torch_index="https://me:word@example.org/whl",
    )
    inputs = lock_inputs(PROJECT, replace(VARIANT, sources=sources))
    assert inputs.index == "https://example.org/simple"
    assert inputs.extra_indexes == ("https://example.org/extra",)
    assert inputs.torch_index == "https://example.org/whl"


def test_sources_are_written_without_credentials_and_relative_to_the_project() -> None:
    index = UvIndex(name="named", address="https://me:word@example.org/simple")
    sources = (
        replace(SOURCE, marker="os_name == 'posix'"),
        UvSource(package="one", kind="wheel", place=str(ROOT / "dist/one-1-py3-none-any.whl")),
        UvSource(
            package="two",
            kind="source",
            place="a repository (https://x/two at tag v1)",
            fields=(("git", "https://a:b@x/two"), ("tag", "v1")),
        ),
    )
    project = replace(PROJECT, uv=UvSettings(sources=sources, indexes=(index,)))
    assert lock_inputs(project, VARIANT).uv_sources == (
        "torch: index named https://example.org/simple; os_name == 'posix'",
        "one: wheel dist/one-1-py3-none-any.whl",
        "two: source a repository (https://x/two at tag v1)",
    )


def test_digests_are_not_shown() -> None:
    newer = replace(INPUTS, uv_lock="00", hashes="11", builds="22")
    assert INPUTS.differences(newer) == (
        "the known builds of the accelerator changed",
        "uv.lock changed",
        "the hashes in requirements files changed",
    )


def test_directories_inside_the_project_may_move_with_it() -> None:
    def inputs(root: Path) -> LockInputs:
        sources = Sources(
            find_links=(root / "wheels", Path("/opt/wheels")), torch_index=str(root / "torch")
        )
        return lock_inputs(replace(PROJECT, root=root), replace(VARIANT, sources=sources))

    assert inputs(ROOT).find_links == ("wheels", "/opt/wheels")
    assert inputs(ROOT).torch_index == "torch"
    assert inputs(ROOT).digest == inputs(Path("/elsewhere")).digest


def test_table_can_be_read_back() -> None:
    for inputs in (INPUTS, replace(INPUTS, requirements=(), exclude=("a",), index="https://x/")):
        assert LockInputs.from_table(inputs.to_table()) == inputs
    assert "index" not in INPUTS.to_table()


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"python": 3.11},
        {"platforms": "linux/amd64"},
        {"requirements": [1]},
        {"version": "1"},
        {"index": ["x"]},
    ],
)
def test_table_that_was_edited_is_not_understood(change: dict[str, object]) -> None:
    table = INPUTS.to_table()
    assert LockInputs.from_table(table) is not None
    assert LockInputs.from_table({**table, **change}) is None
    del table["platforms"]
    assert LockInputs.from_table(table) is None


def test_what_a_required_directory_declares_is_in_the_digest(tmp_path: Path) -> None:
    (tmp_path / "my lib").mkdir()
    declaring = tmp_path / "my lib" / "pyproject.toml"
    declaring.write_text("[project]")
    url = (tmp_path / "my lib").as_uri()
    project = replace(PROJECT, root=tmp_path, dependencies=(f"lib @ {url} ; os_name == 'posix'",))
    before = lock_inputs(project, VARIANT)
    (tmp_path / "my lib" / "code.py").write_text("x = 1")
    assert lock_inputs(project, VARIANT) == before
    declaring.write_text("[project]\nname = 'lib'")
    after = lock_inputs(project, VARIANT)
    assert after.digest != before.digest
    assert all(line.startswith("directory: ") for line in before.differences(after))
    assert before.differences(after)
