# SPDX-License-Identifier: Apache-2.0
"""Adds the user's build requirements to those that a source tree declares (PEP 518).

uv can be told of more requirements by the name of a package only, and a tree without a ``project``
table, as old ones are, has no name before it is built.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from wheelship.lock.errors import SourceUnusable
from wheelship.lock.model import LEGACY_BUILD
from wheelship.lock.toml import array, string

__all__ = ["add_requirements"]

_SECTION = re.compile(
    r"^[ \t]*\[build-system\][^\n]*\n?(?:(?![ \t]*\[[^\n]*\][ \t]*(?:#|$)).*\n?)*", re.MULTILINE
)
_LEGACY = {"requires": [*LEGACY_BUILD], "build-backend": "setuptools.build_meta:__legacy__"}
"""What holds where nothing is declared (PEP 517, "Source trees")."""


def add_requirements(tree: Path, requires: tuple[str, ...]) -> None:
    """Write ``requires`` into ``pyproject.toml`` of ``tree``, which is a copy that we own.

    Raises:
        SourceUnusable: the file is written so that its table cannot be replaced.
    """
    if not requires:
        return
    path = tree / "pyproject.toml"
    text = path.read_text("utf-8") if path.is_file() else ""
    document = tomllib.loads(text)
    table = document.pop("build-system", _LEGACY)
    changed = {**table, "requires": [*table.get("requires", ()), *requires]}
    rest = _SECTION.sub("", text)
    result = f"{_rendered(changed)}\n{rest}"
    try:
        found = tomllib.loads(result)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != {**document, "build-system": changed}:
        raise SourceUnusable(
            "its build-system table is written in a way that `requires` cannot be added to",
            where=f"{tree.name}/pyproject.toml",
            hint='build the wheel yourself and name its directory:\nfind-links = ["wheels"]',
        )
    path.write_text(result, "utf-8")


def _rendered(table: Mapping[str, object]) -> str:
    lines = ["[build-system]"]
    for key, one in table.items():
        written = string(one) if isinstance(one, str) else _strings(one)
        lines.append(f"{key} = {written}")
    return "\n".join(lines) + "\n"


def _strings(one: object) -> str:
    return array(string(str(each)) for each in one) if isinstance(one, list) else "[]"
