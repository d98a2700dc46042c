# SPDX-License-Identifier: Apache-2.0
"""Requirements of a variant, the project's own extras followed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.oci.platform import Platform
from wheelship.request.choice import chosen_extras, chosen_requirements
from wheelship.request.model import Accelerator, Budget, Check, Project, Sources, Variant

PROJECT = Project(
    root=Path("/project"),
    name="my-app",
    version="1",
    requires_python=None,
    dependencies=("fastapi",),
    extras={
        "audio": ("soundfile", "numpy; python_version < '3.13'"),
        "web": ("My.App[audio]", "uvicorn"),
        "all": ("my_app[ Web , audio]; sys_platform == 'linux'",),
        "loop": ("my-app[loop]", "looped"),
    },
    groups={"dev": ("my-app[audio]", "pytest")},
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


@pytest.mark.parametrize(
    ("extras", "groups", "requirements", "all_extras"),
    [
        ((), (), ["fastapi"], ()),
        (("audio",), (), ["fastapi", "soundfile", "numpy; python_version < '3.13'"], ("audio",)),
        (
            ("web",),
            (),
            ["fastapi", "soundfile", "numpy; python_version < '3.13'", "uvicorn"],
            ("audio", "web"),
        ),
        (("loop",), (), ["fastapi", "looped"], ("loop",)),
        (
            (),
            ("dev",),
            ["fastapi", "soundfile", "numpy; python_version < '3.13'", "pytest"],
            ("audio",),
        ),
    ],
)
def test_extras_that_name_extras_are_followed(
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    requirements: list[str],
    all_extras: tuple[str, ...],
) -> None:
    variant = replace(VARIANT, extras=extras, groups=groups)
    assert list(chosen_requirements(PROJECT, variant)) == requirements
    assert chosen_extras(PROJECT, variant) == all_extras


def test_a_marker_holds_for_everything_the_extra_holds() -> None:
    variant = replace(VARIANT, extras=("all",))
    assert chosen_requirements(PROJECT, variant) == (
        "fastapi",
        "soundfile ; sys_platform == 'linux'",
        "numpy ; (python_version < '3.13') and (sys_platform == 'linux')",
        "uvicorn ; sys_platform == 'linux'",
    )


def test_requirements_files_take_the_place_of_the_project_s_own() -> None:
    variant = replace(VARIANT, requirements=("numpy",), extras=("audio",))
    assert chosen_requirements(PROJECT, variant)[0] == "numpy"
    assert "fastapi" not in chosen_requirements(PROJECT, variant)


def test_a_directory_s_name_is_no_project() -> None:
    """Without [project] the name is only the directory's; a package may be called the same."""
    project = replace(PROJECT, declared=False, dependencies=("my-app[audio]>=1",), extras={})
    assert chosen_requirements(project, VARIANT) == ("my-app[audio]>=1",)
