# SPDX-License-Identifier: Apache-2.0
"""Limits, and who is named when one is broken."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.compare.difference import difference
from wheelship.compare.gate import (
    Breach,
    Gates,
    GrowthLimit,
    SizeLimit,
    Subject,
    TransferUnknown,
    judge,
    parse_growth,
    parse_limit,
)
from wheelship.compare.summary import Summary
from wheelship.inspect.measure import MEASURES, Measure
from wheelship.inspect.model import Owner, Sizes
from wheelship.request.errors import InvalidValue
from wheelship.request.model import Budget
from wheelship.testing.inspection import Made, make_contents


def image(**sizes: int) -> Summary:
    """An image with one package for each name, whose file has the size."""
    return Summary.of(
        make_contents(
            [Made(name, size, Owner("python", name, f"1.{size}")) for name, size in sizes.items()]
        )
    )


def grown(before: Summary, after: Summary, budget: Budget | None = None) -> Subject:
    return Subject(image=after, difference=difference(before, after), budget=budget or Budget())


def sized(size: int) -> Summary:
    """An image that has this one number as each of its sizes."""
    return replace(image(a=1), sizes=Sizes(size, size, size))


def causes(breach: Breach) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(one.name, one.old, one.new) for one in breach.owners]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("400MB", SizeLimit(measure="transfer", limit_bytes=400_000_000)),
        ("transfer=1 GiB", SizeLimit(measure="transfer", limit_bytes=2**30)),
        ("unpacked=4GB", SizeLimit(measure="unpacked", limit_bytes=4_000_000_000)),
        ("effective = 12", None),
        ("unpacked=", None),
        ("packed=4GB", None),
        ("-4GB", None),
        ("0 B", None),
    ],
)
def test_limits_are_read_as_budgets_are(text: str, limit: SizeLimit | None) -> None:
    if limit is None:
        with pytest.raises(InvalidValue):
            parse_limit(text)
    else:
        assert parse_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "percent"),
    [("5", "5"), ("2.5%", "2.5"), ("0", "0"), ("transfer=100 %", "100"), ("-1", None), ("x", None)],
)
def test_growth_is_read_as_per_cent(text: str, percent: str | None) -> None:
    if percent is None:
        with pytest.raises(InvalidValue):
            parse_growth(text)
    else:
        assert parse_growth(text) == GrowthLimit(measure="transfer", percent=Decimal(percent))


@pytest.mark.parametrize("measure", MEASURES)
def test_one_byte_too_many_breaks_a_limit(measure: Measure) -> None:
    gates = Gates(limits=(SizeLimit(measure=measure, limit_bytes=1000),))
    assert judge([Subject(image=sized(1000))], gates) == ()
    (breach,) = judge([Subject(image=sized(1001))], gates)
    assert (breach.what, breach.actual, breach.limit, breach.before) == (measure, 1001, 1000, None)


@given(
    before=st.integers(0, 10**13),
    after=st.integers(0, 10**13),
    percent=st.decimals(0, 1000, places=3),
)
def test_growth_is_decided_exactly(before: int, after: int, percent: Decimal) -> None:
    gates = Gates(growths=(GrowthLimit(measure="unpacked", percent=percent),))
    found = judge([grown(sized(before), sized(after))], gates)
    thousandths = int(percent * 1000)
    assert bool(found) == (after * 100_000 > before * (100_000 + thousandths))


def test_what_shrinks_passes_and_what_stays_passes() -> None:
    gates = Gates(growths=tuple(GrowthLimit(measure=one, percent=Decimal(0)) for one in MEASURES))
    assert judge([grown(image(a=5000, b=9000), image(a=5000, b=100))], gates) == ()
    assert judge([grown(image(a=5000), image(a=5000))], gates) == ()
    assert len(judge([grown(image(a=5000), image(a=9000))], gates)) == 3


def test_the_three_that_grew_most_are_named() -> None:
    before = image(a=1000, b=1000, c=1000, d=1000, e=40_000)
    after = image(a=20_000, b=40_000, c=10_000, d=1000, e=1000, f=30_000)
    gates = Gates(limits=(SizeLimit(measure="effective", limit_bytes=50_000),))
    (breach,) = judge([grown(before, after)], gates)
    assert breach.grown
    assert breach.before == 44_000
    assert causes(breach) == [
        ("b", ("1.1000",), ("1.40000",)),
        ("f", (), ("1.30000",)),
        ("a", ("1.1000",), ("1.20000",)),
    ]


@pytest.mark.parametrize("before", [image(a=2000, b=3000), image(b=3500), None])
def test_where_the_limit_was_broken_before_the_largest_are_named(before: Summary | None) -> None:
    """What grew in the second image is no cause: without it the limit would be broken, too."""
    gates = Gates(limits=(SizeLimit(measure="effective", limit_bytes=500),))
    after = image(a=1000, b=3000)
    subject = Subject(image=after) if before is None else grown(before, after)
    (breach,) = judge([subject], gates)
    assert not breach.grown
    assert causes(breach) == [("b", (), ("1.3000",)), ("a", (), ("1.1000",))]


def test_budgets_count_as_they_do_in_a_build() -> None:
    one = image(a=5000)
    exact = Budget(
        transfer_bytes=one.sizes.transfer,
        unpacked_bytes=one.sizes.unpacked,
        layers=len(one.layers),
    )
    assert judge([Subject(image=one, budget=exact)], Gates()) == ()
    tight = Budget(
        transfer_bytes=one.sizes.transfer - 1,
        unpacked_bytes=one.sizes.unpacked - 1,
        layers=len(one.layers) - 1,
    )
    found = judge([Subject(image=one, budget=tight)], Gates())
    assert [(breach.rule, breach.what) for breach in found] == [
        ("budget", "transfer"),
        ("budget", "unpacked"),
        ("budget", "layers"),
    ]


def test_too_many_layers_are_named_themselves() -> None:
    base, one, two = ([Made(name, size)] for name, size in (("a", 1), ("b", 2), ("c", 900)))
    before = Summary.of(make_contents(base, one))
    after = Summary.of(make_contents(base, one, two))
    (breach,) = judge([grown(before, after, Budget(layers=2))], Gates())
    assert (breach.actual, breach.limit, breach.before, breach.grown) == (3, 2, 2, True)
    assert [layer.name for layer in breach.layers] == ["step 2"]
    (alone,) = judge([Subject(image=after, budget=Budget(layers=2))], Gates())
    assert not alone.grown
    assert [layer.name for layer in alone.layers][-1] == "step 2"


@pytest.mark.parametrize("side", ["before", "after", "budget", "limit"])
def test_a_limit_on_an_unknown_transfer_is_refused(side: str) -> None:
    known = image(a=1)
    unknown = replace(known, transfer_known=False, reference="docker:service")
    gates, budget = Gates(growths=(parse_growth("5"),)), Budget()
    before, after = (unknown, known) if side == "before" else (known, unknown)
    if side == "budget":
        gates, budget = Gates(), Budget(transfer_bytes=10)
    if side == "limit":
        gates = Gates(limits=(parse_limit("4GB"),))
    with pytest.raises(TransferUnknown) as caught:
        judge([grown(before, after, budget)], gates)
    assert caught.value.where == "docker:service"
    assert "unpacked" in str(caught.value.hint)


def test_other_sizes_of_it_are_judged() -> None:
    unknown = replace(image(a=1), transfer_known=False)
    gates = Gates(limits=(parse_limit("unpacked=10"),), growths=(parse_growth("unpacked=0"),))
    (breach,) = judge([grown(unknown, unknown, Budget(layers=3))], gates)
    assert breach.rule == "fail-over"
