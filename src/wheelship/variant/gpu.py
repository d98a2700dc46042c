# SPDX-License-Identifier: Apache-2.0
"""Which GPUs compiled device code runs on.

A cubin runs on GPUs of its own major version from its own minor version on; one that is specific to
an architecture (``sm_90a``) on that one only; PTX is translated by the driver for any later GPU
(CUDA C++ programming guide, "Binary compatibility" and "PTX compatibility"). AMD's code runs on the
target it names and on no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["DeviceCode", "lacking_targets", "parse_target", "targets_text", "uncovered"]

_TARGET = re.compile(r"(sm|compute)_(\d{2,3})([af]?)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class DeviceCode:
    """One kind of device code; ``sm`` is the compute capability without its dot (90)."""

    sm: int
    kind: Literal["cubin", "ptx"] = "cubin"
    specific: bool = False

    def __str__(self) -> str:
        if self.kind == "ptx":
            return f"compute_{self.sm}"
        return f"sm_{self.sm}{'a' if self.specific else ''}"

    def runs_on(self, sm: int) -> bool:
        """Tell whether a GPU of compute capability ``sm`` can execute it."""
        if self.specific:
            return sm == self.sm
        if self.kind == "ptx":
            return sm >= self.sm
        return sm // 10 == self.sm // 10 and sm >= self.sm


def parse_target(text: str) -> DeviceCode:
    """Read ``sm_90``, ``sm_90a`` or ``compute_90``; what is specific to a family counts as plain.

    Raises:
        ValueError: anything else.
    """
    found = _TARGET.fullmatch(text)
    if found is None:
        raise ValueError(text)
    kind, sm, suffix = found.groups()
    return DeviceCode(int(sm), "ptx" if kind == "compute" else "cubin", specific=suffix == "a")


def uncovered(codes: Iterable[DeviceCode], targets: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``targets`` (``sm_90``) on whose GPUs nothing of ``codes`` runs."""
    held = tuple(codes)
    return tuple(
        target
        for target in targets
        if not any(code.runs_on(parse_target(target).sm) for code in held)
    )


def lacking_targets(codes: Iterable[str], targets: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``targets`` on whose GPUs nothing of ``codes`` runs, whoever made them.

    Both are texts: ``sm_90``, ``sm_90a``, ``compute_90``, ``gfx942``.
    """
    held = tuple(codes)
    wanted = tuple(targets)
    if any(one.startswith("gfx") for one in wanted):
        return tuple(one for one in wanted if one not in held)
    return uncovered(map(parse_target, held), wanted)


def targets_text(codes: Iterable[DeviceCode]) -> str:
    """Return the codes for people: ``sm_80, sm_90, sm_90a, compute_120``."""
    return ", ".join(str(code) for code in sorted(set(codes)))
