# SPDX-License-Identifier: Apache-2.0
"""Sizes for people."""

from __future__ import annotations

import pytest

from wheelship.report.size import format_bytes


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (999_949_999, "999.9 MB"),
        (999_950_000, "1.00 GB"),
        (1_234_000_000_000, "1234.00 GB"),
    ],
)
def test_no_unit_is_rounded_up_to_a_thousand_of_it(count: int, shown: str) -> None:
    assert format_bytes(count) == shown
