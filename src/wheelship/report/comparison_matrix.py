# SPDX-License-Identifier: Apache-2.0
"""Many images in one table: a row for each owner, kind or layer, a column for each image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wheelship.compare.summary import Summary
from wheelship.inspect.measure import Measure, measured
from wheelship.report.comparison_rows import By
from wheelship.report.printable import printable
from wheelship.report.step import step

__all__ = ["MatrixRow", "Others", "matrix_rows"]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """What each image has of it, in bytes; None where it is not there."""

    label: str
    sizes: tuple[int | None, ...]

    @property
    def spread(self) -> int:
        """How far the images are apart."""
        sizes = [size or 0 for size in self.sizes]
        return max(sizes) - min(sizes)


@dataclass(frozen=True, slots=True)
class Others:
    """The sum of the rows that are not shown."""

    rows: int
    sizes: tuple[int, ...]


def matrix_rows(
    images: Sequence[Summary], by: By, measure: Measure, *, top: int
) -> tuple[list[MatrixRow], Others | None]:
    """Return the ``top`` rows that set the images apart most, and what the others add up to.

    Each column adds up to the size of its image; of layers, less configuration and manifest.
    """
    names: dict[str, dict[str, None]] = {}
    cells: dict[str, list[int | None]] = {}
    by_archive = not all(image.transfer_known for image in images)
    for at, image in enumerate(images):
        for key, label, size in _parts(image, by, measure, by_archive=by_archive):
            row = cells.setdefault(key, [None] * len(images))
            row[at] = (row[at] or 0) + size
            names.setdefault(key, {})[label] = None
    rows = [
        MatrixRow(_joined(list(names[key])), tuple(sizes)) for key, sizes in sorted(cells.items())
    ]
    rows.sort(key=lambda row: (-row.spread, -max(size or 0 for size in row.sizes), row.label))
    left = rows[top:]
    if not left:
        return rows, None
    sums = (sum(row.sizes[at] or 0 for row in left) for at in range(len(images)))
    return rows[:top], Others(len(left), tuple(sums))


def _parts(
    image: Summary, by: By, measure: Measure, *, by_archive: bool
) -> Iterator[tuple[str, str, int]]:
    """Yield what the image has: what two images have in common, how it is called, its bytes."""
    if by == "package":
        for one in image.owners:
            label = printable(f"{one.owner.name} {one.owner.version}".strip())
            yield f"{one.owner.type}:{one.owner.name}", label, measured(one.sizes, measure)
    elif by == "kind":
        for kind in image.kinds:
            yield kind.kind, printable(kind.kind), measured(kind.sizes, measure)
    else:
        for layer in image.layers:
            label = printable(step(layer.created_by)) or str(layer.digest)[:19]
            key = layer.diff_id if by_archive else layer.digest
            yield str(key), label, measured(layer.sizes, measure)


def _joined(labels: Sequence[str]) -> str:
    """Return names that differ in their versions as ``numpy 1.0 / 2.0``."""
    first, *rest = labels
    name, _, _ = first.partition(" ")
    same = all(label.partition(" ")[0] == name for label in rest)
    return " / ".join([first, *(label.partition(" ")[2] if same else label for label in rest)])
