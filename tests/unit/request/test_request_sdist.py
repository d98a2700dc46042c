# SPDX-License-Identifier: Apache-2.0
"""How packages without a wheel are built, as the table says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from wheelship.request.model import BuildRule, Request

HEAD = '[project]\nname = "a"\nversion = "1"\n[tool.wheelship]\ncommand = ["serve"]\n'
Read = Callable[[Mapping[str, str]], Request]
FAST = BuildRule(requires=("setuptools<81",))


def rules(read: Read, text: str) -> dict[str, BuildRule] | None:
    return read({"pyproject.toml": HEAD + text}).variants["cpu"].sdist


def test_everything_that_can_be_said(read: Read) -> None:
    text = """
    [tool.wheelship.sdist.Open_AI.whisper]
    requires = ["setuptools<81", "numpy>=2; python_version < '3.13'"]
    settings = { "--option" = ["b", "a"], level = "3" }
    env = { B = "", A = "1" }
    network = true
    """.replace("Open_AI.whisper", '"Open_AI.whisper"')
    assert rules(read, text) == {
        "open-ai-whisper": BuildRule(
            requires=("setuptools<81", "numpy>=2; python_version < '3.13'"),
            settings=(("--option", ("b", "a")), ("level", ("3",))),
            env=(("A", "1"), ("B", "")),
            network=True,
        )
    }


def test_by_default_everything_may_be_built_and_nothing_has_a_rule(read: Read) -> None:
    assert rules(read, "") == {}
    assert rules(read, "sdist = {}") == {}


@pytest.mark.parametrize(
    ("project", "variant", "expected"),
    [
        ("sdist = false", None, None),
        ("sdist = false", "sdist = {}", {}),
        ("sdist.x.requires = ['setuptools<81']", "sdist = false", None),
        ("sdist.x.requires = ['setuptools<81']", None, {"x": FAST}),
        ("sdist.x.requires = ['y']", "sdist.x.requires = ['setuptools<81']", {"x": FAST}),
        (
            "sdist.y.requires = ['setuptools<81']",
            "sdist.x.requires = ['setuptools<81']",
            {"x": FAST, "y": FAST},
        ),
    ],
)
def test_a_variant_has_the_last_word(
    read: Read, project: str, variant: str | None, expected: dict[str, BuildRule] | None
) -> None:
    own = f"\n[tool.wheelship.variants.cpu]\n{variant}" if variant else ""
    assert rules(read, project + own) == expected
