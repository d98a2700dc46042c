# SPDX-License-Identifier: Apache-2.0
"""The fault matrix, thinned out: every way to break a build, some of the points of each.

``scripts/faults`` runs all points and writes ``docs/explanation/faults.md``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelship.testing.fault import FAULTS, Fault
from wheelship.testing.forks import ForkServer
from wheelship.testing.harbour import Harbour
from wheelship.testing.trial import CannotBreak, Trial

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    memory = "/dev/shm"  # noqa: S108 - files are made there 30 times as fast as on some disks
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wheelship-faults-", dir=place) as directory:
        work = Path(directory)
        work.chmod(0o755)  # another user builds here too
        with Harbour(work / "harbour") as harbour, ForkServer() as server:
            yield Trial(harbour, server)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_broken_is_said_and_repaired(
    trial: Trial, fault: Fault, missing: Callable[[str], None]
) -> None:
    """DESIGN §11 and traps §6, "Invariants": see :class:`Trial`."""
    try:
        counted = fault.count(trial, fault.step)
    except CannotBreak as lack:
        missing(str(lack))
        return
    assert counted.total() > 0
    assert fault.ends <= set(counted), f"{fault.name} broke nothing: {counted}"
