# SPDX-License-Identifier: Apache-2.0
"""Images side by side: which is held against which, and what they hold together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wheelship.compare.baseline import InvalidBaseline, counterpart
from wheelship.compare.difference import Difference, difference, unique_transfer_bytes
from wheelship.compare.gate import Breach, Gates, Subject, judge, limits_of
from wheelship.compare.summary import Summary

__all__ = ["Comparison", "against_baseline", "against_first", "side_by_side"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was compared, and the limits that were broken.

    Attributes:
        subjects: the images that are judged, in the order in which they were named.
        reference: the image that all others are held against; None where each has its own, or none.
        baseline: the file that the others come from, if they come from one.
        limits: how many limits the images were held to.
        breaches: those that were broken, in the order of the images.
    """

    subjects: tuple[Subject, ...]
    reference: Summary | None = None
    baseline: str | None = None
    limits: int = 0
    breaches: tuple[Breach, ...] = ()

    @property
    def images(self) -> tuple[Summary, ...]:
        """All images that were named, the reference first."""
        first = () if self.reference is None else (self.reference,)
        return (*first, *(one.image for one in self.subjects))

    @property
    def differences(self) -> tuple[Difference, ...]:
        """From what each image is held against to it."""
        return tuple(one.difference for one in self.subjects if one.difference is not None)

    @property
    def unmatched(self) -> tuple[Summary, ...]:
        """The images that the baseline has nothing for."""
        if self.baseline is None:
            return ()
        return tuple(one.image for one in self.subjects if one.difference is None)

    @property
    def unique_transfer_bytes(self) -> int | None:
        """Return what a registry stores of all images; None where a transfer size is not known."""
        return unique_transfer_bytes(self.images)


def against_first(first: Summary, others: Sequence[Subject], gates: Gates) -> Comparison:
    """Hold each of ``others`` against ``first``, which is not judged itself.

    Raises:
        TransferUnknown: as :func:`~wheelship.compare.gate.judge`.
    """
    subjects = tuple(replace(one, difference=difference(first, one.image)) for one in others)
    return replace(_judged(subjects, gates), reference=first)


def against_baseline(
    subjects: Sequence[Subject], saved: Sequence[Summary], where: str, gates: Gates
) -> Comparison:
    """Hold each image against its earlier build in ``saved``, which was read from ``where``.

    An image that is new since then has nothing to be held against, and has not grown.

    Raises:
        InvalidBaseline: none of the images is in there.
        TransferUnknown: as :func:`~wheelship.compare.gate.judge`.
    """
    held = []
    for one in subjects:
        before = counterpart(one.image, saved, alone=len(subjects) == 1)
        held.append(
            one if before is None else replace(one, difference=difference(before, one.image))
        )
    if all(one.difference is None for one in held):
        known = ", ".join(f"{one.variant or one.reference} for {one.platform}" for one in saved)
        asked = ", ".join(
            f"{one.image.variant or one.image.reference} for {one.image.platform}" for one in held
        )
        raise InvalidBaseline(
            f"has no earlier build of {asked}; it has {known}",
            where=where,
            hint=f"save it anew: wheelship compare IMAGE --save {where}",
        )
    return replace(_judged(held, gates), baseline=where)


def side_by_side(subjects: Sequence[Subject], gates: Gates) -> Comparison:
    """Judge each image by itself: the variants of a build are no earlier and later ones.

    Raises:
        TransferUnknown: as :func:`~wheelship.compare.gate.judge`.
    """
    return _judged(subjects, gates)


def _judged(subjects: Sequence[Subject], gates: Gates) -> Comparison:
    return Comparison(
        subjects=tuple(subjects),
        limits=sum(limits_of(one, gates) for one in subjects),
        breaches=judge(subjects, gates),
    )
