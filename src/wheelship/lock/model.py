# SPDX-License-Identifier: Apache-2.0
"""Locked wheels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LockedWheel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWheel:
    """One wheel of a lock, chosen for one target.

    Attributes:
        name: normalised name of the distribution.
        version: with its local label, if any.
        filename: the wheel's own name, decoded.
        sha256: hexadecimal.
        size_bytes: of the file; 0 where the lock does not say.
        url: where it can be fetched, without credentials; None for a local wheel.
        path: absolute path of a local wheel, or None.
        requires: normalised names of the packages it depends on, as far as the lock tells.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    url: str | None = None
    path: Path | None = None
    requires: tuple[str, ...] = ()

    @property
    def tags(self) -> str:
        """The compatibility tags as the file name spells them: ``cp311-cp311-manylinux_2_28…``."""
        return "-".join(self.filename.removesuffix(".whl").split("-")[-3:])

    @property
    def label(self) -> str | None:
        """The local version label (``cpu`` of ``2.13.0+cpu``), or None."""
        return self.version.partition("+")[2] or None
