# SPDX-License-Identifier: Apache-2.0
"""What a finding tells to write into the configuration takes exactly the bytes that it counted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

BIG = 1_500_000
HEAVY = {
    "heavy/__init__.py": b"",
    "heavy/include/heavy.h": b"h" * BIG,
    "heavy/lib/libheavy.a": b"a" * BIG,
    "heavy/part/tests/test_part.py": b"",
    "heavy/part/tests/data.bin": b"t" * BIG,
}
_FIX = re.compile(r"^wheelship: (omit = .*)$", re.MULTILINE)


def findings(site: Any, layout: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    document = site.run("inspect", f"oci:{layout}", "--json").document
    return document, {one["code"]: one for one in document["waste"]}


def test_each_line_that_a_fix_names_does_what_it_says(site: Any) -> None:
    site.serve(make_wheel("heavy", files=HEAVY))
    site.project("heavy")
    site.build("--output=oci:full:1")
    whole, found = findings(site, "full:1")
    assert set(found) == {"headers", "static-libraries", "test-suites"}
    for number, code in enumerate(found):
        (line,) = _FIX.findall(found[code]["fix"])
        site.project("heavy", table=line)
        site.build(f"--output=oci:layout{number}:1")
        rest, left = findings(site, f"layout{number}:1")
        assert set(left) == set(found) - {code}, line
        # Beside the files goes their part of RECORD; bytecode of what was left out goes too.
        saved = whole["sizes"]["effective_bytes"] - rest["sizes"]["effective_bytes"]
        counted = found[code]["effective_bytes"]
        assert counted >= BIG
        assert abs(saved - counted) < 1000, line
