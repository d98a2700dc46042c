# SPDX-License-Identifier: Apache-2.0
"""Makes a past build of one that has just ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelship.history.model import PastBuild

if TYPE_CHECKING:
    from datetime import datetime

    from wheelship.build.context import BuiltImage

__all__ = ["past_build"]


def past_build(built: BuiltImage, *, seconds: float, time: datetime) -> PastBuild:
    """Return what is kept of ``built``, which took ``seconds`` and ended at ``time`` (UTC)."""
    fresh = [one.layer.descriptor.size_bytes for one in built.layers if not one.reused]
    return PastBuild(
        time=f"{time:%Y-%m-%dT%H:%M:%SZ}",
        name=built.plan.name,
        variant=built.plan.variant,
        platform=built.plan.platform,
        digest=built.image.descriptor.digest,
        transfer_bytes=built.image.transfer_bytes,
        unpacked_bytes=built.image.unpacked_bytes,
        seconds=round(seconds, 3),
        layers=len(built.layers),
        reused=len(built.layers) - len(fresh),
        fresh_bytes=sum(fresh),
    )
