# SPDX-License-Identifier: Apache-2.0
"""What the reports about an image show, found out once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from wheelship.inspect.group import Row, by_kind, by_layer, by_owner
from wheelship.inspect.measure import MEASURES, Measure, measured, total
from wheelship.inspect.model import Contents, Finding, Inspection, Owner, OwnerType, Sizes
from wheelship.report.inspection_tree import PathTree
from wheelship.report.share import share
from wheelship.report.size import format_bytes

__all__ = ["COUNTED_BY_OTHERS", "TYPES", "InspectionView", "OwnerGroup"]

TYPES: dict[OwnerType, str] = {
    "python": "Python packages",
    "debian": "Debian packages",
    "application": "application",
    "generated": "generated files",
    "image": "image structure",
    "unknown": "unknown",
}
"""What the types of owners are called."""

COUNTED_BY_OTHERS: dict[str, str] = {
    "docker images": "SIZE, classic store: contents of all files in all layers",
    "skopeo inspect": "sum of the layers' Size: as compressed",
    "du": "--apparent-size of the files of the unpacked root",
}
"""How other tools count, by their names."""

_FRACTION = re.compile(r"(?<=:\d\d)\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerGroup:
    """All owners of one type, largest first."""

    type: OwnerType
    sizes: Sizes
    files: int
    owners: tuple[tuple[Owner, Row], ...]


class InspectionView:
    """An inspection, seen by one of the three sizes."""

    def __init__(self, inspection: Inspection, measure: Measure = "unpacked") -> None:
        self.inspection = inspection
        self.measure = measure

    @property
    def contents(self) -> Contents:
        """The image."""
        return self.inspection.contents

    @property
    def whole(self) -> int:
        """The image's size, as it is measured here."""
        return measured(self.contents.sizes, self.measure)

    @property
    def ours(self) -> bool:
        """Whether wheelship built the image, as its labels say."""
        return bool(self.contents.variant)

    @property
    def created(self) -> str:
        """When the image was made, to the second; empty where it does not say."""
        return _FRACTION.sub("", self.contents.config.created or "")

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The sizes that mean something: without compressed layers there is no transfer."""
        return MEASURES if self.contents.transfer_known else MEASURES[1:]

    @cached_property
    def owners(self) -> tuple[tuple[Owner, Row], ...]:
        """All owners, largest first."""
        return tuple(
            sorted(
                by_owner(self.contents).items(),
                key=lambda one: (-measured(one[1].sizes, self.measure), one[0]),
            )
        )

    @cached_property
    def groups(self) -> tuple[OwnerGroup, ...]:
        """The owners by type, largest type first."""
        found = [
            OwnerGroup(
                type=type_,
                sizes=total(row.sizes for _, row in own),
                files=sum(row.files for _, row in own),
                owners=own,
            )
            for type_ in TYPES
            if (own := tuple(one for one in self.owners if one[0].type == type_))
        ]
        return tuple(sorted(found, key=lambda one: (-measured(one.sizes, self.measure), one.type)))

    @cached_property
    def kinds(self) -> tuple[Row, ...]:
        """The kinds of files, largest first."""
        return tuple(
            sorted(
                by_kind(self.contents).values(),
                key=lambda row: (-measured(row.sizes, self.measure), row.key),
            )
        )

    @cached_property
    def layers(self) -> tuple[tuple[int, Row], ...]:
        """What is in each layer, lowest first; manifest and configuration, as -1, before."""
        return tuple(by_layer(self.contents).items())

    @cached_property
    def tree(self) -> PathTree:
        """The directories."""
        return PathTree(self.contents.items)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is waste, largest first."""
        return tuple(
            sorted(
                self.inspection.findings,
                key=lambda one: (-measured(one.sizes, self.measure), one.code, one.paths),
            )
        )

    @cached_property
    def wasted(self) -> str:
        """How many findings there are, and what they amount to: no byte counts for two of them."""
        counted = [one for one in self.findings if one.sizes != Sizes()]
        size = measured(total(one.sizes for one in counted), self.measure)
        about = "about " if any(one.estimate for one in counted) else ""
        text = f"{len(counted)} finding{'s' * (len(counted) != 1)}"
        if counted:
            part = share(size, self.whole)
            text += f", {about}{format_bytes(size)} {self.measure}, {part} of the image"
        others = len(self.findings) - len(counted)
        return f"{text}; {others} more not counted" if others else text

    def place(self, path: str) -> str:
        """Return how a place of waste is written: from the root, unless it is a package's name."""
        return f"/{path}" if "/" in path or path in self.tree else path

    @cached_property
    def hidden(self) -> Sizes:
        """What later layers overwrote or deleted."""
        return total(item.sizes for item in self.contents.items if item.hidden_by is not None)

    @cached_property
    def files(self) -> int:
        """How many files there are in all layers."""
        return sum(layer.files for layer in self.contents.layers)

    @cached_property
    def counted_by_others(self) -> tuple[tuple[str, int | None], ...]:
        """What other tools say, by the names in :data:`COUNTED_BY_OTHERS`; None is unknown."""
        layers = sum(layer.sizes.transfer for layer in self.contents.layers)
        counts: Sequence[int | None] = (
            self.contents.content_bytes,
            layers if self.contents.transfer_known else None,
            self.contents.sizes.effective,
        )
        return tuple(zip(COUNTED_BY_OTHERS, counts, strict=True))
