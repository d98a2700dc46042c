# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: what is broken, how often, and what must follow. Tests and docs run its rows.

Each row disturbs builds of a :class:`~wheelship.testing.trial.Trial`, checks the invariants after
each, and counts how the builds ended. ``step`` thins a row out: every step-th point is tried.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wheelship.testing.damage import WAYS, damaged_layout, damaged_store, folders
from wheelship.testing.disk_fault import (
    file_limit,
    full,
    full_tag,
    full_temporary,
    other_user,
    read_only,
)
from wheelship.testing.process_fault import (
    at_once,
    clock,
    file_times,
    killed_again,
    streams,
    struck,
)
from wheelship.testing.trial import Trial

__all__ = ["FAULTS", "Fault"]

Ran = Callable[[Trial, int], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A row; ``run`` yields how each disturbed build ended. ``step`` is what suffices in CI.

    ``ends`` are endings that must occur: without them nothing was broken.
    """

    name: str
    broken: str
    run: Ran
    step: int = 1
    ends: frozenset[str] = frozenset({"done"})

    def count(self, trial: Trial, step: int) -> Counter[str]:
        """Run the row."""
        return Counter(self.run(trial, step))


_STORE_KINDS = {
    "blob": 9, "record": 9, "index": 9, "mark": 2, "download": 7, "interpreter": 2
}  # fmt: skip
_PAGES = range(4096, 180 * 4096, 4096)
"""How large a disk is: the build needs 95 to 100 pages, as its threads happen to meet, and a row
that is thinned out must reach a size with room to spare."""

FAULTS: tuple[Fault, ...] = (
    Fault(
        name="killed-event",
        broken="SIGKILL at every progress event",
        run=struck("event", signal.SIGKILL),
        ends=frozenset({"killed", "done"}),
        step=6,
    ),
    Fault(
        name="killed-change",
        broken="SIGKILL before every change of the file system",
        run=struck("change", signal.SIGKILL),
        ends=frozenset({"killed", "done"}),
        step=19,
    ),
    Fault(
        name="killed-again",
        broken="SIGKILL at a later change each time, on what the one before left",
        run=killed_again,
        ends=frozenset({"killed", "done"}),
        step=9,
    ),
    Fault(
        name="interrupted",
        broken="SIGINT at every progress event",
        run=struck("event", signal.SIGINT),
        ends=frozenset({"interrupted", "done"}),
        step=11,
    ),
    Fault(
        name="terminated",
        broken="SIGTERM at every progress event",
        run=struck("event", signal.SIGTERM),
        ends=frozenset({"terminated", "done"}),
        step=11,
    ),
    Fault(
        name="error-change",
        broken="“no space left” at every change of the file system",
        run=struck("change", 0, 28),
        ends=frozenset({"disk-full", "done"}),
        step=17,
    ),
    Fault(
        name="full-store",
        broken="store on a full disk, every page more",
        run=full("store", "size", _PAGES),
        ends=frozenset({"disk-full", "done"}),
        step=20,
    ),
    Fault(
        name="full-inodes",
        broken="store on a disk without room for files, every file more",
        run=full("store", "nr_inodes", range(2, 130)),
        ends=frozenset({"disk-full", "done"}),
        step=20,
    ),
    Fault(
        name="full-output",
        broken="layout on a full disk, every page more",
        run=full("output", "size", range(4096, 60 * 4096, 4096)),
        ends=frozenset({"disk-full", "done"}),
        step=8,
    ),
    Fault(
        name="full-both",
        broken="store and layout on one full disk, every page more",
        run=full("store and output", "size", _PAGES),
        ends=frozenset({"disk-full", "done"}),
        step=24,
    ),
    Fault(
        name="full-tag",
        broken="layout with another tag on a full disk, every page more",
        run=full_tag,
        ends=frozenset({"disk-full", "done"}),
        step=12,
    ),
    Fault(
        name="file-limit",
        broken="files limited to a size (RLIMIT_FSIZE), every 2 kB",
        run=file_limit,
        ends=frozenset({"disk-full", "done"}),
        step=8,
    ),
    Fault(
        name="full-temporary",
        broken="no room in TMPDIR, for bytes or for files, while building and locking",
        run=full_temporary,
    ),
    Fault(
        name="read-only-empty",
        broken="store mounted read-only, empty",
        run=read_only(False),
        ends=frozenset({"not-writable"}),
    ),
    Fault(name="read-only-whole", broken="store mounted read-only, whole", run=read_only(True)),
    Fault(
        name="other-user",
        broken="store of another user: empty, whole, half",
        run=other_user,
        ends=frozenset({"not-writable", "done"}),
    ),
    Fault(
        name="clock",
        broken="clock jumps of 1 day to 50 years between builds (libfaketime)",
        run=clock,
        step=2,
    ),
    Fault(name="file-times", broken="every file dated 2100, then 1970", run=file_times),
    Fault(
        name="streams",
        broken="stdout or stderr full or closed",
        run=streams,
        ends=frozenset({"output-lost", "done"}),
    ),
    Fault(name="two-at-once", broken="two builds at once on an empty store", run=at_once(2)),
    Fault(name="four-at-once", broken="four builds at once on an empty store", run=at_once(4)),
    Fault(name="eight-at-once", broken="eight builds at once on an empty store", run=at_once(8)),
    Fault(
        name="projects-at-once",
        broken="eight builds of four projects that share wheels, at once",
        run=at_once(8, projects=4),
    ),
    Fault(
        name="pruning",
        broken="eight builds of two projects while the store is pruned twenty times",
        run=at_once(8, projects=2, pruning=True),
    ),
    *(
        Fault(
            name=f"damaged-{kind}{'-needed' if needed else ''}",
            broken=f"each {kind} of the store damaged in {len(WAYS)} ways"
            + (", when the next build needs it" if needed else ""),
            run=damaged_store(kind, needed=needed),
            step=step,
        )
        for kind, step in _STORE_KINDS.items()
        for needed in ((True,) if kind in {"interpreter", "download"} else (False, True))
    ),
    Fault(
        name="damaged-layout",
        broken=f"each file of the layout damaged in {len(WAYS)} ways",
        run=damaged_layout,
        ends=frozenset({"invalid-layout", "done"}),
        step=9,
    ),
    Fault(
        name="store-folders",
        broken="each directory of the store replaced by a file, a link, nothing",
        run=folders,
        ends=frozenset({"not-writable", "done"}),
        step=3,
    ),
)
