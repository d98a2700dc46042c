# SPDX-License-Identifier: Apache-2.0
"""Targets are described by Debian's Python and C library, whatever machine this runs on."""

from __future__ import annotations

import platform
import sys

import pytest
from packaging.markers import Marker
from packaging.tags import Tag, sys_tags

from wheelship.lock.target import Target
from wheelship.oci.platform import Platform

BOOKWORM = Target(python="3.11", platform=Platform("amd64"))
TRIXIE = Target(python="3.13", platform=Platform("arm64"))


def test_platform_for_uv_has_the_base_s_library() -> None:
    assert BOOKWORM.uv_platform == "x86_64-manylinux_2_36"
    assert TRIXIE.uv_platform == "aarch64-manylinux_2_40"
    assert (BOOKWORM.python_full, TRIXIE.python_full) == ("3.11.2", "3.13.5")


@pytest.mark.parametrize(
    ("target", "tag", "usable"),
    [
        (BOOKWORM, "cp311-cp311-manylinux_2_36_x86_64", True),
        (BOOKWORM, "cp311-cp311-manylinux_2_37_x86_64", False),
        (BOOKWORM, "cp311-cp311-manylinux1_x86_64", True),
        (BOOKWORM, "cp311-cp311-manylinux2010_x86_64", True),
        (BOOKWORM, "cp311-cp311-linux_x86_64", True),
        (BOOKWORM, "cp39-abi3-manylinux2014_x86_64", True),
        (BOOKWORM, "cp312-abi3-manylinux2014_x86_64", False),
        (BOOKWORM, "cp310-cp310-manylinux2014_x86_64", False),
        (BOOKWORM, "py3-none-any", True),
        (BOOKWORM, "py2.py3-none-any", True),
        (BOOKWORM, "py3-none-manylinux_2_17_x86_64", True),
        (BOOKWORM, "cp311-cp311-musllinux_1_2_x86_64", False),
        (BOOKWORM, "cp311-cp311-manylinux_2_17_aarch64", False),
        (TRIXIE, "cp313-cp313-manylinux_2_41_aarch64", True),
        (TRIXIE, "cp313-cp313-manylinux_2_17_aarch64", True),
        (TRIXIE, "cp313-cp313-manylinux_2_12_aarch64", False),
        (TRIXIE, "cp313-cp313t-manylinux_2_17_aarch64", False),
    ],
)
def test_tags(target: Target, tag: str, *, usable: bool) -> None:
    interpreters, abi, place = tag.split("-")
    wanted = {Tag(interpreter, abi, place) for interpreter in interpreters.split(".")}
    assert bool(wanted & set(target.tags())) is usable


def test_specific_wheels_come_before_general_ones() -> None:
    tags = list(map(str, BOOKWORM.tags()))
    order = [
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-abi3-manylinux_2_17_x86_64",
        "cp310-abi3-manylinux_2_17_x86_64",
        "py3-none-manylinux_2_17_x86_64",
        "py3-none-any",
    ]
    places = [tags.index(tag) for tag in order]
    assert places == sorted(places)


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or platform.libc_ver() != ("glibc", "2.36"),
    reason="the host is no bookworm with Python 3.11",
)
def test_tags_are_those_of_a_real_bookworm() -> None:
    assert list(BOOKWORM.tags()) == list(sys_tags())


def test_marker_is_true_for_its_own_target_only() -> None:
    targets = [
        Target(python=python, platform=Platform(name))
        for python in ("3.11", "3.13")
        for name in ("amd64", "arm64")
    ]
    for one in targets:
        true = [two for two in targets if Marker(one.marker).evaluate(dict(two.environment()))]
        assert true == [one]
