# SPDX-License-Identifier: Apache-2.0
"""The reference of the configuration names each key that can be set, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from wheelship.request.accelerator import VARIANT_KEYS
from wheelship.request.settings import COMMON_KEYS, UNSUPPORTED

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text("utf-8")
PROJECT_ONLY = {"default-variant", "history", "name", "repository"}
NOT_YET = {"codec", "slim", *UNSUPPORTED}
"""Keys that take nothing but what holds without them, or nothing at all."""


def test_every_key_is_described() -> None:
    table = PAGE.partition("| key | default | meaning |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert named == (COMMON_KEYS - NOT_YET) | PROJECT_ONLY


def test_the_keys_of_variants_are_described() -> None:
    (paragraph,) = re.findall(r"^A variant also has (.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    for key in VARIANT_KEYS:
        assert f"`{key}`" in paragraph
