# SPDX-License-Identifier: Apache-2.0
"""Bytecode that Python passes over, by cause."""

from __future__ import annotations

import pytest

from wheelship.inspect.model import PycFacts
from wheelship.oci.config import ImageConfig
from wheelship.oci.platform import Platform
from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste

SITE = "opt/venv/lib/python3.11/site-packages"
BIG = 600_000
PYTHON = Made("usr/lib/python3.11/os.py", 40_000)
SOURCE = Made(f"{SITE}/pkg/mod.py", 700, mtime=1000)
CODE = "stale-bytecode"


def bytecode(facts: PycFacts, name: str = "mod.cpython-311.pyc") -> Made:
    return Made(f"{SITE}/pkg/__pycache__/{name}", BIG, facts=(facts,))


FRESH = PycFacts(3495, hashed=False, mtime=1000, size=700)


def test_good_bytecode_is_no_waste() -> None:
    assert waste(CODE, [PYTHON, SOURCE, bytecode(FRESH)]) == []
    hashed = PycFacts(3495, hashed=True)
    assert waste(CODE, [PYTHON, SOURCE, bytecode(hashed)]) == []


@pytest.mark.parametrize(
    ("facts", "name", "title"),
    [
        (PycFacts(3495, False, 1001, 700), "mod.cpython-311.pyc", "Bytecode of another source"),
        (PycFacts(3495, False, 1000, 701), "mod.cpython-311.pyc", "Bytecode of another source"),
        (PycFacts(3494, False, 1000, 700), "mod.cpython-311.pyc", "Bytecode of another Python"),
        (PycFacts(3531, False, 1000, 700), "mod.cpython-312.pyc", "Bytecode of another Python"),
        (FRESH, "gone.cpython-311.pyc", "Bytecode without its source"),
        (FRESH, "mod.cpython-311.opt-1.pyc", "Bytecode for python -O"),
    ],
)
def test_each_cause_has_its_name(facts: PycFacts, name: str, title: str) -> None:
    (found,) = waste(CODE, [PYTHON, SOURCE, bytecode(facts, name)])
    assert found.title == title
    assert found.sizes.effective == BIG


def test_times_are_compared_with_the_source_that_is_seen() -> None:
    """A later layer has the source again with another time, as a COPY of everything does."""
    later = Made(SOURCE.path, SOURCE.size, mtime=2000)
    (found,) = waste(CODE, [PYTHON, SOURCE, bytecode(FRESH)], [later])
    assert found.title == "Bytecode of another source"


def test_a_module_without_source_is_meant_so() -> None:
    alone = Made(f"{SITE}/pkg/secret.pyc", BIG, facts=(FRESH,))
    assert waste(CODE, [PYTHON, alone]) == []
    beside = Made(f"{SITE}/pkg/mod.pyc", BIG, facts=(FRESH,))
    (found,) = waste(CODE, [PYTHON, SOURCE, beside])
    assert found.title == "Bytecode beside its source"


def test_optimised_bytecode_is_used_where_it_is_asked_for() -> None:
    config = ImageConfig(platform=Platform("amd64"), diff_ids=(), env=(("PYTHONOPTIMIZE", "1"),))
    layer = [PYTHON, SOURCE, bytecode(FRESH, "mod.cpython-311.opt-1.pyc")]
    assert waste(CODE, layer, config=config) == []
    started = ImageConfig(platform=Platform("amd64"), diff_ids=(), command=("python", "-O", "x.py"))
    assert waste(CODE, layer, config=started) == []


def test_versions_are_not_judged_where_no_python_is_seen() -> None:
    assert (
        waste(CODE, [SOURCE, bytecode(PycFacts(3531, False, 1000, 700), "mod.cpython-312.pyc")])
        == []
    )
