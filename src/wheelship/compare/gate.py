# SPDX-License-Identifier: Apache-2.0
"""Limits that images are held to, and what made an image break one.

Everything is decided on whole numbers: an image that is one byte above a limit breaks it, and one
that exactly meets it does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeAlias

from wheelship.compare.difference import Difference, LayerChange, OwnerChange, ranked
from wheelship.compare.summary import Summary
from wheelship.errors import GateFailed, InputError
from wheelship.inspect.measure import MEASURES, Measure, measured
from wheelship.inspect.model import Sizes
from wheelship.request.errors import InvalidValue
from wheelship.request.model import Budget
from wheelship.request.value import parse_size

__all__ = [
    "Breach",
    "Gates",
    "GrowthLimit",
    "LimitBroken",
    "Rule",
    "SizeLimit",
    "Subject",
    "TransferUnknown",
    "judge",
    "limits_of",
    "parse_growth",
    "parse_limit",
]

Rule: TypeAlias = Literal["fail-over", "fail-growth", "budget"]
_PERCENT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?%?", re.ASCII)
_LONGEST_NUMBER = 20
_CAUSES = 3


class LimitBroken(GateFailed):
    """An image is larger, or grew by more, than was allowed."""

    code = "limit-broken"


class TransferUnknown(InputError):
    """A limit is on the transfer size, which the image's source does not tell."""

    code = "transfer-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimit:
    """``--fail-over``: the most bytes that an image may have."""

    measure: Measure
    limit_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthLimit:
    """``--fail-growth``: by how much of itself an image may grow."""

    measure: Measure
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What the command line asks for, beside the budgets of configurations."""

    limits: tuple[SizeLimit, ...] = ()
    growths: tuple[GrowthLimit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An image to judge.

    Attributes:
        image: which.
        difference: to what it is held against; None where there is nothing.
        budget: of its configuration, for its platform.
    """

    image: Summary
    difference: Difference | None = None
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit and the image that broke it.

    Attributes:
        rule: where the limit comes from.
        image: which.
        reference: what it is held against; None where there is nothing.
        what: what was limited.
        actual, limit: bytes, or a number of layers; of growth, ``limit`` is the largest size that
            would have passed.
        before: the reference's size; None where there is none.
        percent: of growth, how much was allowed.
        owners: what grew most, three at most, if growth broke the limit; what is largest where
            the reference broke it before, or there is none.
        layers: the same of a limit on layers, in place of ``owners``.
        grown: the causes are what grew.
    """

    rule: Rule
    image: Summary
    reference: Summary | None
    what: Measure | Literal["layers"]
    actual: int
    limit: int
    before: int | None
    percent: Decimal | None = None
    owners: tuple[OwnerChange, ...] = ()
    layers: tuple[LayerChange, ...] = ()
    grown: bool = False


def parse_limit(text: str) -> SizeLimit:
    """Read ``400MB`` (of transfer) or ``unpacked=4GB``; sizes as budgets have them.

    Raises:
        InvalidValue: it is neither.
    """
    measure, value = _of_measure(text)
    plain = value.isascii() and value.isdigit() and len(value) < _LONGEST_NUMBER
    return SizeLimit(measure=measure, limit_bytes=parse_size(int(value) if plain else value))


def parse_growth(text: str) -> GrowthLimit:
    """Read ``5`` (per cent of transfer), ``2.5%`` or ``unpacked=10``.

    Raises:
        InvalidValue: it is neither.
    """
    measure, value = _of_measure(text)
    match = _PERCENT.fullmatch(value.strip())
    if match is None:
        raise InvalidValue(
            f"{value!r} is no number of per cent", hint='write "5", "2.5" or "unpacked=10"'
        )
    return GrowthLimit(measure=measure, percent=Decimal(match[1]))


def judge(subjects: Sequence[Subject], gates: Gates) -> tuple[Breach, ...]:
    """Return every limit that is broken, in the order of the images.

    Raises:
        TransferUnknown: a limit on transfer has nothing to be held against.
    """
    found: list[Breach] = []
    for one in subjects:
        found += _over(one, gates.limits)
        found += _grown(one, gates.growths)
        found += _budget(one)
    return tuple(found)


def limits_of(one: Subject, gates: Gates) -> int:
    """Return how many limits an image is held to."""
    budget = (one.budget.transfer_bytes, one.budget.unpacked_bytes, one.budget.layers)
    growths = 0 if one.difference is None else len(gates.growths)
    return len(gates.limits) + growths + sum(limit is not None for limit in budget)


def _of_measure(text: str) -> tuple[Measure, str]:
    name, sign, value = text.partition("=")
    if not sign:
        return "transfer", text
    for measure in MEASURES:
        if name.strip() == measure:
            return measure, value
    raise InvalidValue(
        f"{name.strip()!r} is no size of an image",
        hint=f"write one of {', '.join(f'{one}=…' for one in MEASURES)}",
    )


def _over(one: Subject, limits: Sequence[SizeLimit]) -> list[Breach]:
    found = []
    for limit in limits:
        _refuse_unknown(one.image, limit.measure, "--fail-over unpacked=SIZE")
        actual = measured(one.image.sizes, limit.measure)
        if actual > limit.limit_bytes:
            found.append(_breach(one, "fail-over", limit.measure, actual, limit.limit_bytes))
    return found


def _grown(one: Subject, growths: Sequence[GrowthLimit]) -> list[Breach]:
    found: list[Breach] = []
    if one.difference is None:
        return found
    for growth in growths:
        for image in (one.difference.before, one.image):
            _refuse_unknown(image, growth.measure, "--fail-growth unpacked=PERCENT")
        before = measured(one.difference.before.sizes, growth.measure)
        actual = measured(one.image.sizes, growth.measure)
        # Sizes are whole bytes, so nothing lies between the largest allowed one and the limit.
        allowed = int(before * (1 + Fraction(growth.percent) / 100))
        if actual > allowed:
            found.append(
                _breach(one, "fail-growth", growth.measure, actual, allowed, growth.percent)
            )
    return found


def _budget(one: Subject) -> list[Breach]:
    if one.budget.transfer_bytes is not None:
        _refuse_unknown(one.image, "transfer", 'budget = { unpacked = "…" }')
    return [
        _breach(one, "budget", excess.what, excess.actual, excess.limit)
        for excess in one.budget.exceeded(
            transfer_bytes=one.image.sizes.transfer,
            unpacked_bytes=one.image.sizes.unpacked,
            layers=len(one.image.layers),
        )
    ]


def _breach(
    one: Subject,
    rule: Rule,
    what: Measure | Literal["layers"],
    actual: int,
    limit: int,
    percent: Decimal | None = None,
) -> Breach:
    reference = None if one.difference is None else one.difference.before
    if reference is None:
        before = None
    elif what == "layers":
        before = len(reference.layers)
    else:
        before = measured(reference.sizes, what)
    grown = before is not None and before <= limit
    return Breach(
        rule=rule,
        image=one.image,
        reference=reference,
        what=what,
        actual=actual,
        limit=limit,
        before=before,
        percent=percent,
        owners=() if what == "layers" else _causes(one, what, grown=grown),
        layers=_causes_of_layers(one, grown=grown) if what == "layers" else (),
        grown=grown,
    )


def _causes(one: Subject, measure: Measure, *, grown: bool) -> tuple[OwnerChange, ...]:
    """Return the owners that grew most, or the largest."""
    if one.difference is not None and grown:
        grew = [
            change
            for change in ranked(one.difference.owners, measure)
            if measured(change.after, measure) > measured(change.before, measure)
        ]
        return tuple(grew[:_CAUSES])
    largest = sorted(
        one.image.owners, key=lambda row: (-measured(row.sizes, measure), row.owner.name)
    )
    return tuple(
        OwnerChange(
            type=row.owner.type,
            name=row.owner.name,
            old=(),
            new=(row.owner.version,),
            before=Sizes(),
            after=row.sizes,
        )
        for row in largest[:_CAUSES]
        if measured(row.sizes, measure)
    )


def _causes_of_layers(one: Subject, *, grown: bool) -> tuple[LayerChange, ...]:
    """Return the layers that the reference lacks, or the smallest, which could be joined."""
    if one.difference is not None and grown:
        added = [layer for layer in one.difference.layers if layer.how == "added"]
        return tuple(added[:_CAUSES])
    smallest = sorted(one.image.layers, key=lambda layer: (layer.sizes.unpacked, layer.digest))
    return tuple(
        LayerChange(
            digest=layer.digest,
            name=layer.created_by,
            how="added",
            before=Sizes(),
            after=layer.sizes,
        )
        for layer in smallest[:_CAUSES]
    )


def _refuse_unknown(image: Summary, measure: Measure, instead: str) -> None:
    if measure == "transfer" and not image.transfer_known:
        raise TransferUnknown(
            "its layers are not compressed there, so what a pull would move is not known",
            where=image.reference,
            hint=f"limit another size: {instead}\n"
            "or name the image where it is compressed: registry:REF, oci:DIR",
        )
