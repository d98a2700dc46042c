# SPDX-License-Identifier: Apache-2.0
"""Which versions a resolution is to keep, and which not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Pins", "Upgrade"]

Pins: TypeAlias = Mapping[str, Sequence[str]]
"""Versions to prefer, by package."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Which locked versions need not be kept: those of ``packages``, or all."""

    everything: bool = False
    packages: frozenset[str] = frozenset()

    def keeps(self, package: str) -> bool:
        """Tell whether the locked version of ``package`` is to be kept if possible."""
        return not self.everything and package not in self.packages

    def options(self) -> list[str]:
        """Return how uv is told not to trust what it has cached about them."""
        if self.everything:
            return ["--refresh"]
        return [word for one in sorted(self.packages) for word in ("--refresh-package", one)]
