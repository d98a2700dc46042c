# SPDX-License-Identifier: Apache-2.0
"""Which Python the project is run with: ``requires-python``, ``.python-version``, a Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wheelship.discover.dockerfile import Dockerfile
from wheelship.discover.model import Found, Place, Runtime
from wheelship.request.model import Project
from wheelship.request.requirement import BASE_PYTHONS, PYTHONS, allows, choose_python

__all__ = ["find_runtime"]

_MINOR = re.compile(r"(?<![\d.])3\.\d{1,2}(?!\d)", re.ASCII)
_OFFICIAL = re.compile(r"(?:[\w.-]+/)*python:(?P<tag>3\.\d{1,2}\S*)", re.ASCII)


def find_runtime(
    root: Path, project: Project, dockerfile: Dockerfile | None
) -> tuple[Found[Runtime] | None, tuple[Found[str], ...]]:
    """Return the Python to ask for, None where the default is right, and what to know about it."""
    wanted = project.requires_python
    default = choose_python(wanted)
    used = next(_used(root, dockerfile), None)
    if default is None:
        return _of_another_base(wanted, used), ()
    if used is None or used.value == default:
        return None, ()
    if used.value in PYTHONS and allows(wanted, used.value):
        return Found(value=Runtime(python=used.value), why=used.why, place=used.place), ()
    remark = (
        f"{used.why} says Python {used.value}; Debian has {' and '.join(PYTHONS)}, so {default} is "
        "used"
    )
    if used.value in BASE_PYTHONS:
        remark += f'; for {used.value}: base = "python:{used.value}-slim", python = "{used.value}"'
    return None, (Found(value=used.value, why=remark, place=used.place),)


def _of_another_base(wanted: str | None, used: Found[str] | None) -> Found[Runtime] | None:
    """Return an image with a Python that the project allows, since Debian has none."""
    minors = [used.value] if used is not None else []
    for minor in (*minors, *reversed(BASE_PYTHONS)):
        if minor in BASE_PYTHONS and allows(wanted, minor, f"{minor}.99"):
            why = f"requires-python {wanted} allows no Python of Debian's"
            return Found(value=Runtime(python=minor, base=f"python:{minor}-slim"), why=why)
    return None


def _used(root: Path, dockerfile: Dockerfile | None) -> Iterator[Found[str]]:
    for name in (".python-version", "runtime.txt"):
        try:
            lines = (root / name).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for number, line in enumerate(lines, 1):
            match = None if line.lstrip().startswith("#") else _MINOR.search(line)
            if match is not None:
                yield Found(value=match[0], why=name, place=Place(name, number))
    base = None if dockerfile is None else dockerfile.base
    match = None if base is None else _OFFICIAL.fullmatch(base.value)
    minor = None if match is None else _MINOR.match(match["tag"])
    if base is not None and minor is not None:
        yield Found(value=minor[0], why=f"the base image {base.value}", place=base.place)
