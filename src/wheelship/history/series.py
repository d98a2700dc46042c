# SPDX-License-Identifier: Apache-2.0
"""Past builds of one image, in order: what is plotted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from wheelship.history.model import PastBuild
from wheelship.oci.platform import Platform

__all__ = ["Course", "Series", "series_of"]

_N = TypeVar("_N", int, float)


@dataclass(frozen=True, slots=True)
class Course(Generic[_N]):
    """How a figure went, build by build; at least one."""

    values: tuple[_N, ...]

    @property
    def last(self) -> _N:
        """Of the last build."""
        return self.values[-1]

    @property
    def before(self) -> _N:
        """Of the build before; the same as ``last`` where there is none."""
        return self.values[-2:][0]

    @property
    def least(self) -> _N:
        """The smallest."""
        return min(self.values)

    @property
    def most(self) -> _N:
        """The largest."""
        return max(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The builds of a variant for a platform, oldest first; at least one."""

    name: str
    variant: str
    platform: Platform
    builds: tuple[PastBuild, ...]

    @property
    def transfer_bytes(self) -> Course[int]:
        """What a machine that has nothing downloads."""
        return Course(tuple(one.transfer_bytes for one in self.builds))

    @property
    def seconds(self) -> Course[float]:
        """How long the builds took."""
        return Course(tuple(one.seconds for one in self.builds))


def series_of(builds: Iterable[PastBuild]) -> tuple[Series, ...]:
    """Return ``builds`` by image, variant and platform, sorted by these; each ordered by time.

    Builds of one second stay in their order. A file joined from those of several machines is thus
    as good as one that was written in order.
    """
    found: dict[tuple[str, str, Platform], list[PastBuild]] = {}
    for build in builds:
        found.setdefault((build.name, build.variant, build.platform), []).append(build)
    return tuple(
        Series(
            name=name,
            variant=variant,
            platform=platform,
            builds=tuple(sorted(own, key=lambda one: datetime.fromisoformat(one.time))),
        )
        for (name, variant, platform), own in sorted(found.items())
    )
