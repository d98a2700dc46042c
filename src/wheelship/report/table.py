# SPDX-License-Identifier: Apache-2.0
"""Several images of one build side by side, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wheelship.build.context import BuiltImage
from wheelship.report.size import format_bytes

__all__ = ["Totals", "images_table", "totals_of", "totals_text"]

_HEADS = ("variant", "platform", "transfer", "unpacked", "layers", "reused", "seconds")
_TEXT_COLUMNS = 2  # the others hold numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What all images of a build amount to, in bytes to transfer.

    ``unique_transfer_bytes`` counts every blob once: what a registry stores, and what a machine
    downloads that runs them all.
    """

    images: int
    transfer_bytes: int
    unique_transfer_bytes: int

    @property
    def shared_transfer_bytes(self) -> int:
        """What sharing saves."""
        return self.transfer_bytes - self.unique_transfer_bytes


def totals_of(images: Sequence[BuiltImage]) -> Totals:
    """Return the totals of ``images``."""
    blobs: dict[object, int] = {}
    for built in images:
        layers = (layer.descriptor for layer in built.image.layers)
        blobs |= {one.digest: one.size_bytes for one in layers}
        # Two images can have one configuration: of variants that differ by name alone.
        blobs |= {data: len(data) for data in built.image.documents}
    return Totals(
        images=len(images),
        transfer_bytes=sum(one.image.transfer_bytes for one in images),
        unique_transfer_bytes=sum(blobs.values()),
    )


def totals_text(totals: Totals) -> str:
    """Return the totals as a line for people."""
    share = 100 * totals.shared_transfer_bytes / max(1, totals.transfer_bytes)
    return (
        f"{totals.images} images: {format_bytes(totals.transfer_bytes)} transfer together, "
        f"{format_bytes(totals.unique_transfer_bytes)} of it different; "
        f"shared layers save {format_bytes(totals.shared_transfer_bytes)} ({share:.0f} %)"
    )


def images_table(rows: Sequence[tuple[BuiltImage, float]]) -> list[str]:
    """Return the lines of a table: each image, with the seconds it took."""
    cells = [_HEADS, *(_cells(built, seconds) for built, seconds in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(_HEADS))]
    return [
        "  ".join(
            cell.ljust(width) if at < _TEXT_COLUMNS else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def _cells(built: BuiltImage, seconds: float) -> tuple[str, ...]:
    return (
        built.plan.variant,
        str(built.plan.platform),
        format_bytes(built.image.transfer_bytes),
        format_bytes(built.image.unpacked_bytes),
        str(len(built.layers)),
        str(sum(one.reused for one in built.layers)),
        f"{seconds:.2f}",
    )
