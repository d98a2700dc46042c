# SPDX-License-Identifier: Apache-2.0
"""The reproducibility matrix: the same bytes whatever is varied around a build.

``scripts/reproduce`` runs the same rows and writes ``docs/explanation/reproducibility.md``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wheelship.oci.validate import problems_of_layout
from wheelship.testing.difference import differences
from wheelship.testing.forks import ForkServer
from wheelship.testing.ground import CannotVary, Ground
from wheelship.testing.harbour import Harbour, real_ground
from wheelship.testing.variation import VARIATIONS, Variation

pytestmark = pytest.mark.integration

Grounded = tuple[Ground, Path]


@pytest.fixture(scope="module")
def work() -> Iterator[Path]:
    """A directory that every user may enter."""
    memory = "/dev/shm"  # noqa: S108 - files are made there 30 times as fast as on some disks
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wheelship-same-", dir=place) as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def made(work: Path) -> Iterator[Grounded]:
    """A project of made parts, and the layout of a first build."""
    with Harbour(work / "harbour") as harbour, ForkServer() as server:
        ground = Ground(
            root=harbour.root,
            work=work,
            environment=harbour.environment,
            server=server if os.geteuid() == 0 else None,
        )
        yield ground, ground.build()


@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda one: one.name)
def test_the_same_bytes_come_out(
    made: Grounded, variation: Variation, missing: Callable[[str], None]
) -> None:
    """R22: bit-identical images from equal inputs; traps §2, "test matrix"."""
    ground, baseline = made
    try:
        count, found = variation.compare(ground, baseline)
    except CannotVary as lack:
        missing(str(lack))
        return
    assert count > 0
    assert found == []


def test_other_sources_give_other_bytes(made: Grounded) -> None:
    """The oracle of this matrix can fail, and says which file it was."""
    ground, baseline = made
    root = ground.copy()
    (root / "demo" / "b.py").write_bytes(b"b = 3\n")
    layout = ground.build(root)
    assert problems_of_layout(layout) == []
    found = differences(baseline, layout)
    assert any(line.startswith("configuration: rootfs: ") for line in found)
    changed = [line for line in found if line.startswith("layer ")]
    assert {line.split(": ")[1].rpartition("/")[2] for line in changed} >= {
        "b.py",
        "b.cpython-311.pyc",
    }


def test_bytecode_of_debian_s_python_depends_on_nothing_around_it(
    work: Path, shell: Any, missing: Callable[[str], None]
) -> None:
    """The hash seed and the caller's settings show in bytecode: ``REVEALING`` is made for that."""
    kept = work / "kept"
    shell.fill(kept)
    ground, baseline = real_ground(work / "real", os.environ, kept)
    shell.keep(kept)
    (variation,) = [one for one in VARIATIONS if one.name == "all"]
    try:
        count, found = variation.compare(ground, baseline)
    except CannotVary as lack:
        missing(str(lack))
        return
    assert (count, found) == (1, [])
    shutil.rmtree(work / "real")
