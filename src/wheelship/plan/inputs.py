# SPDX-License-Identifier: Apache-2.0
"""What a plan is made of: the request, the locks and the accelerator's data of one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wheelship.lock.model import LockedWheel
from wheelship.oci.platform import Platform
from wheelship.plan.model import Foundation
from wheelship.request.model import Project, Variant
from wheelship.request.sources import Snapshot

__all__ = ["Inputs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a plan is made of.

    ``name`` is the image's; ``environment`` are the variables of the accelerator's data, and
    ``gpu_packages`` the packages of its families; ``base`` is what images stand on. ``maker`` has
    the interpreter that compiles where the base's own cannot run, None = the base's own can. What
    the others are, :class:`ImagePlan` says.
    """

    name: str
    project: Project
    variant: Variant
    platform: Platform
    wheels: tuple[LockedWheel, ...]
    base: Foundation
    snapshot: Snapshot
    environment: dict[str, str]
    created: str
    gpu_packages: tuple[str, ...] = ()
    foreign_libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trusted: frozenset[str] = frozenset()
    maker: Foundation | None = None
    bytecode_left_out: str | None = None
