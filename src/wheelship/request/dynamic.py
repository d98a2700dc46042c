# SPDX-License-Identifier: Apache-2.0
"""``dynamic`` fields of ``[project]`` that stand in a file and need no build backend to be read.

Hatchling's ``[tool.hatch.version] path``, setuptools' ``attr`` and ``file``. Everything else asks
the backend, which means running the project's code.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from wheelship.request.document import Findings
from wheelship.request.requirements_file import Requirements, read_requirements
from wheelship.request.table import Table

__all__ = ["IRRELEVANT", "dynamic_requirements", "dynamic_version"]

IRRELEVANT = frozenset(
    {
        "authors",
        "classifiers",
        "description",
        "keywords",
        "license",
        "license-files",
        "maintainers",
        "readme",
        "urls",
        "version",
        "dependencies",
    }
)
"""Dynamic fields that do not matter in an image, and the two that are handled here."""

_ASSIGNED = re.compile(
    r"^(?:__version__|VERSION)\s*(?::\s*str\s*)?=\s*(['\"])v?(.+?)\1", re.MULTILINE
)


def dynamic_version(root: Path, document: Table) -> str | None:
    """Return the version that the backend would read from a file, None when it cannot be told."""
    hatch = document.descend("tool", "hatch", "version").data
    if isinstance(hatch.get("path"), str) and "source" not in hatch and "pattern" not in hatch:
        match = _ASSIGNED.search(_text(root, str(hatch["path"])))
        return match[2] if match else None
    setuptools = document.descend("tool", "setuptools", "dynamic", "version").data
    if isinstance(setuptools.get("file"), str):
        return _text(root, str(setuptools["file"])).strip() or None
    if isinstance(setuptools.get("attr"), str):
        module, _, attribute = str(setuptools["attr"]).rpartition(".")
        return _attribute(root, module.replace(".", "/"), attribute)
    return None


def dynamic_requirements(root: Path, document: Table, findings: Findings) -> Requirements | None:
    """Read the requirements file that setuptools would read, None when there is none."""
    setuptools = document.descend("tool", "setuptools", "dynamic", "dependencies").data
    names = setuptools.get("file")
    names = names if isinstance(names, list) else [names]
    if len(names) != 1 or not isinstance(names[0], str):
        return None
    return read_requirements(root, names[0], findings)


def _attribute(root: Path, module: str, attribute: str) -> str | None:
    """Return the string that the module assigns to ``attribute`` at its top level."""
    for base in ("src/", ""):
        for name in (f"{base}{module}.py", f"{base}{module}/__init__.py"):
            try:
                tree = ast.parse(_text(root, name))
            except (SyntaxError, ValueError):
                continue
            for statement in tree.body:
                match statement:
                    case ast.Assign(
                        targets=[ast.Name(id=assigned)], value=ast.Constant(value=str() as value)
                    ) if assigned == attribute:
                        return value
    return None


def _text(root: Path, name: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
