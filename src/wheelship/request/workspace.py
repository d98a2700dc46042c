# SPDX-License-Identifier: Apache-2.0
"""Where the members of uv's workspace are (``[tool.uv.workspace]``)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from wheelship.errors import InputError
from wheelship.request.value import canonical_name

__all__ = ["find_member"]

_FILE = "pyproject.toml"


def find_member(project: Path, name: str) -> Path | None:
    """Return the directory of the member called ``name`` (normalised) of the project's workspace.

    None where the project is in no workspace, or there is no such member. What cannot be read is
    left aside: uv judges it when it is run by the user.
    """
    for root in (project, *project.parents):
        workspace = _table(root, "tool", "uv", "workspace")
        if workspace is None:
            continue
        for place in _members(root, workspace):
            table = _table(place, "project")
            if table is not None and _named(table.get("name")) == name:
                return place
        return None
    return None


def _members(root: Path, workspace: dict[str, object]) -> Iterator[Path]:
    """Yield the root, and the directories that ``members`` names and ``exclude`` does not."""
    left_out = {path for one in _texts(workspace.get("exclude")) for path in root.glob(one)}
    yield root
    for pattern in _texts(workspace.get("members")):
        for place in sorted(root.glob(pattern)):
            if place not in left_out and (place / _FILE).is_file():
                yield place


def _texts(value: object) -> list[str]:
    found = value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, str) and one and not one.startswith("/")]


def _table(folder: Path, *keys: str) -> dict[str, object] | None:
    try:
        found: object = tomllib.loads((folder / _FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _named(name: object) -> str | None:
    try:
        return canonical_name(name) if isinstance(name, str) else None
    except InputError:
        return None
