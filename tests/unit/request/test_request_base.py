# SPDX-License-Identifier: Apache-2.0
"""What ``base`` can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from wheelship.request.model import Request
from wheelship.request.requirement import allows

Read = Callable[[Mapping[str, str]], Request]
HEAD = '[project]\nname = "a"\nversion = "1"\n[tool.wheelship]\ncommand = ["serve"]\n'


@pytest.mark.parametrize(
    "base",
    [
        "python:3.11-slim",
        "registry.example.org:5000/team/python",
        f"ghcr.io/owner/base:1@sha256:{'0' * 64}",
        "oci:images/base",
        "oci:../base:tag",
        "debian:12",
    ],
)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.14"])
def test_images_with_any_python(read: Read, base: str, python: str) -> None:
    table = f'{HEAD}base = "{base}"\npython = "{python}"\n'
    variant = read({"pyproject.toml": table}).variants["cpu"]
    assert (variant.base, variant.python) == (base, python)


def test_a_variant_can_have_a_base_of_its_own(read: Read) -> None:
    table = (
        f'{HEAD}python = "3.11"\n[tool.wheelship.variants.cpu]\n'
        '[tool.wheelship.variants.slim]\naccelerator = "cpu"\nbase = "python:3.11-slim"\n'
    )
    variants = read({"pyproject.toml": table}).variants
    assert variants["cpu"].base == "debian"
    assert variants["slim"].base == "python:3.11-slim"


def test_requires_python_is_left_to_the_image(read: Read) -> None:
    """Debian's 3.11.2 would be refused; which 3.11 the image has is not known yet."""
    project = HEAD.replace('version = "1"\n', 'version = "1"\nrequires-python = ">=3.11.5"\n')
    table = f'{project}base = "python:3.11"\npython = "3.11"\n'
    assert read({"pyproject.toml": table}).variants["cpu"].python == "3.11"
    assert allows(">=3.11.5", "3.11", "3.11.9")
    assert not allows(">=3.11.5", "3.11", "3.11.2")
    assert allows(">=3.12", "3.12", "3.12.1")
