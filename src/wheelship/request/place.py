# SPDX-License-Identifier: Apache-2.0
"""Where a project is: whether a directory has one at all, told without reading it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_project"]

_PROJECT_FILES = ("pyproject.toml", "wheelship.toml", "requirements.txt")


def is_project(root: Path) -> bool:
    """Tell whether there is something to read in ``root``."""
    return any((root / name).is_file() for name in _PROJECT_FILES)
