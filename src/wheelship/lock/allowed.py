# SPDX-License-Identifier: Apache-2.0
"""Holds a resolution to the hashes in requirements files (pip, "Hash-checking Mode")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wheelship.lock.errors import HashNotAllowed
from wheelship.lock.model import Locked
from wheelship.variant.model import AcceleratorRow

__all__ = ["check_allowed"]


def check_allowed(
    packages: Iterable[Locked],
    hashes: Mapping[str, frozenset[str]] | None,
    row: AcceleratorRow,
) -> None:
    """Check that every wheel is one of the files that ``hashes`` allows; None allows all.

    As in pip it is all or nothing: a package without a hash is refused. Excepted are the
    accelerator's families: the files name one build of torch, and which one an image needs is the
    variant's choice.

    Raises:
        HashNotAllowed: with every such package.
    """
    if hashes is None:
        return
    lines = []
    for package in packages:
        allowed = hashes.get(package.name, frozenset())
        if package.sha256 in allowed or row.family_of(package.name) is not None:
            continue
        reason = "no hash of this file is given" if allowed else "no hash is given for the package"
        lines.append(f"\n  {package.filename}: {reason}")
    if lines:
        raise HashNotAllowed(
            f"the requirements files have hashes, but not of all wheels:{''.join(lines)}",
            hint="generate them anew, for Linux and the image's Python:\n"
            "uv pip compile --universal --generate-hashes requirements.in -o requirements.txt",
        )
