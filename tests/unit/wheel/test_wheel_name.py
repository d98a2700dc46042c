# SPDX-License-Identifier: Apache-2.0
"""Names of distributions, held against what ``packaging`` makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from wheelship.wheel.name import normalized

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)


@given(NAMES)
def test_packaging_agrees(name: str) -> None:
    assert normalized(name) == canonicalize_name(name)
