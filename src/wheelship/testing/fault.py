# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: what is broken, how often, and what must follow. Tests and docs run its rows.

Each row disturbs builds of a :class:`~wheelship.testing.trial.Trial`, checks the invariants after
each, and counts how the builds ended. ``step`` thins a row out: every step-th point is tried.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wheelship.testing.damage import WAYS, damaged_layout, damaged_store, folders
from wheelship.testing.forks import Strike
from wheelship.testing.trial import Trial

__all__ = ["FAULTS", "CannotMount", "Fault"]

Ran = Callable[[Trial, int], Iterator[str]]


class CannotMount(Exception):
    """This machine lets us mount nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A row; ``run`` yields how each disturbed build ended. ``step`` is what suffices in CI."""

    name: str
    broken: str
    run: Ran
    step: int = 1

    def count(self, trial: Trial, step: int) -> Counter[str]:
        """Run the row."""
        return Counter(self.run(trial, step))


# --- processes that end early ---


def _struck(point: str, number: int, error: int = 0) -> Ran:
    def run(trial: Trial, step: int) -> Iterator[str]:
        at = 1
        while True:
            trial.forget()
            strike = Strike(at=at, point=point, signal=number, errno=error)  # type: ignore[arg-type]
            ended = trial.run(replace(trial.job(), strike=strike))
            yield trial.require_sound(ended)
            trial.require_repaired()
            if ended.points < at:
                return
            at += step

    return run


def _killed_again(trial: Trial, step: int) -> Iterator[str]:
    """Kill build after build at a later point, with what the one before left."""
    trial.forget()
    at = 1
    while True:
        strike = Strike(at=at, point="change", signal=signal.SIGKILL)
        ended = trial.run(replace(trial.job(), strike=strike))
        yield trial.require_sound(ended)
        if ended.status == 0:
            break
        at += step
    trial.require_repaired()


# --- full disks ---


@contextmanager
def _mounted(path: Path, options: str) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    if result.returncode != 0:
        raise CannotMount(result.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)  # noqa: S607


def _remount(path: Path, options: str) -> None:
    command = ["mount", "-o", f"remount,{options}", str(path)]
    subprocess.run(command, check=True)


def _full(place: str, options: str, amounts: range) -> Ran:
    """Build where ``place`` can hold so much; afterwards it grows and the build is repeated."""

    def run(trial: Trial, step: int) -> Iterator[str]:
        store, output = trial.store, trial.output
        disk = trial.harbour.work / "disk"
        for amount in amounts[::step]:
            with _mounted(disk, f"{options}={amount}"):
                trial.store = disk / "store" if "store" in place else store
                trial.output = disk / "dist" / "demo" if "output" in place else output
                try:
                    if "store" not in place:
                        shutil.rmtree(output, ignore_errors=True)
                    yield trial.require_sound(trial.run(trial.job()))
                    _remount(disk, f"{options}=0")
                    trial.require_repaired()
                finally:
                    trial.store, trial.output = store, output

    return run


def _file_limit(trial: Trial, step: int) -> Iterator[str]:
    for size in range(1000, 71_000, 2000 * step):
        trial.forget()
        yield trial.require_sound(trial.run(replace(trial.job(), file_bytes=size)))
        trial.require_repaired()


def _full_tag(trial: Trial, step: int) -> Iterator[str]:
    """Fill the output's disk while it holds another tag: that one stays whole."""
    output = trial.output
    disk = trial.harbour.work / "disk"
    for pages in range(0, 45, step):
        with _mounted(disk, "size=200k"):
            trial.output = disk / "dist" / "demo"
            try:
                first = trial.run(trial.job("--output", f"oci:{trial.output}:old"))
                assert first.status == 0, first
                shutil.rmtree(trial.store)
                (trial.harbour.root / "demo" / "b.py").write_bytes(b"b = 3\n")
                ballast = disk / "ballast"
                free = os.statvfs(disk).f_bavail
                ballast.write_bytes(bytes(4096 * max(0, free - pages)))
                yield trial.require_sound(trial.run(trial.job()))
                ballast.unlink()
            finally:
                (trial.harbour.root / "demo" / "b.py").write_bytes(b"b = 2\n")
            try:
                trial.require_repaired()
            finally:
                trial.output = output


# --- refusals ---


def _read_only(filled: bool) -> Ran:  # noqa: FBT001 - names the row
    def run(trial: Trial, step: int) -> Iterator[str]:
        del step
        store = trial.store
        disk = trial.harbour.work / "disk"
        with _mounted(disk, "size=64m"):
            trial.store = disk / "store"
            try:
                if filled:
                    trial.require_repaired()
                    shutil.rmtree(trial.output)
                _remount(disk, "ro")
                yield trial.require_sound(trial.run(trial.job()))
                _remount(disk, "rw")
                trial.require_repaired()
            finally:
                trial.store = store

    return run


def _other_user(trial: Trial, step: int) -> Iterator[str]:
    """Build as a user who owns nothing: with a store that is empty, whole, and half there."""
    del step
    mine = trial.harbour.work / "theirs"
    output = trial.output
    for state in ("empty", "whole", "half"):
        shutil.rmtree(mine, ignore_errors=True)
        mine.mkdir(mode=0o777)
        mine.chmod(0o777)
        trial.forget()
        if state == "empty":
            trial.store.mkdir(mode=0o755)
        else:
            trial.require_repaired()
        if state == "half":
            for path in sorted((trial.store / "layers").iterdir())[::2]:
                path.unlink()
        trial.output = mine / "demo"
        try:
            yield trial.require_sound(trial.run(replace(trial.job(), uid=1000)))
            own = trial.job(environment={"WHEELSHIP_STORE": str(mine / "store")})
            ended = trial.run(replace(own, uid=1000))
            assert ended.status == 0, ended
            assert ended.image["digest"] == trial.digest
        finally:
            trial.output = output
        trial.require_repaired()


# --- several at once ---


def _at_once(builds: int, *, projects: int = 1, pruning: bool = False) -> Ran:
    def run(trial: Trial, step: int) -> Iterator[str]:
        del step
        trial.forget()
        jobs = [trial.job() for _ in range(builds)]
        wanted = {0: trial.digest}
        for number in range(1, projects):
            root = trial.harbour.work / f"project{number}"
            trial.harbour.project(root, files={"demo/b.py": b"b = %d\n" % (number + 10)})
            output = root / "dist" / "demo"
            alone = trial.harbour.work / "alone"
            here = replace(trial.job(), argv=_argv(root, output))
            apart = {**here.environment, "WHEELSHIP_STORE": str(alone)}
            wanted[number] = trial.run(replace(here, environment=apart)).image["digest"]
            shutil.rmtree(output)
            for place in range(number, builds, projects):
                jobs[place] = here
        prune = replace(trial.job(), argv=("cache", "prune", "--json"))
        prunes = [replace(prune, delay_seconds=0.05 * n) for n in range(20 if pruning else 0)]
        ended = trial.server.run(*jobs, *prunes)
        built = [one for one in ended if '"images"' in one.out or one.status != 0]
        for one in built:
            yield trial.require_sound(one)
        digests = {one.image["digest"] for one in built if one.status == 0}
        assert digests <= set(wanted.values()), "another image"
        assert len([one for one in ended if one.status == 0]) == len(ended), "a build gave up"
        trial.require_repaired()

    return run


def _argv(root: Path, output: Path) -> tuple[str, ...]:
    return ("build", str(root), "--locked", "--json", "--output", f"oci:{output}")


_STORE_KINDS = {
    "blob": 4, "record": 4, "index": 4, "mark": 1, "download": 3, "interpreter": 9
}  # fmt: skip
_PAGES = range(4096, 120 * 4096, 4096)

FAULTS: tuple[Fault, ...] = (
    Fault(
        name="killed-event",
        broken="SIGKILL at every progress event",
        run=_struck("event", signal.SIGKILL),
        step=3,
    ),
    Fault(
        name="killed-change",
        broken="SIGKILL before every change of the file system",
        run=_struck("change", signal.SIGKILL),
        step=9,
    ),
    Fault(
        name="killed-again",
        broken="SIGKILL at a later change each time, on what the one before left",
        run=_killed_again,
        step=5,
    ),
    Fault(
        name="interrupted",
        broken="SIGINT at every progress event",
        run=_struck("event", signal.SIGINT),
        step=6,
    ),
    Fault(
        name="terminated",
        broken="SIGTERM at every progress event",
        run=_struck("event", signal.SIGTERM),
        step=6,
    ),
    Fault(
        name="error-change",
        broken="“no space left” at every change of the file system",
        run=_struck("change", 0, 28),
        step=9,
    ),
    Fault(
        name="full-store",
        broken="store on a full disk, every page more",
        run=_full("store", "size", _PAGES),
        step=10,
    ),
    Fault(
        name="full-inodes",
        broken="store on a disk without room for files, every file more",
        run=_full("store", "nr_inodes", range(2, 130)),
        step=11,
    ),
    Fault(
        name="full-output",
        broken="layout on a full disk, every page more",
        run=_full("output", "size", range(4096, 60 * 4096, 4096)),
        step=6,
    ),
    Fault(
        name="full-both",
        broken="store and layout on one full disk, every page more",
        run=_full("store and output", "size", _PAGES),
        step=12,
    ),
    Fault(
        name="full-tag",
        broken="layout with another tag on a full disk, every page more",
        run=_full_tag,
        step=6,
    ),
    Fault(
        name="file-limit",
        broken="files limited to a size (RLIMIT_FSIZE), every 2 kB",
        run=_file_limit,
        step=4,
    ),
    Fault(name="read-only-empty", broken="store mounted read-only, empty", run=_read_only(False)),
    Fault(name="read-only-whole", broken="store mounted read-only, whole", run=_read_only(True)),
    Fault(name="other-user", broken="store of another user: empty, whole, half", run=_other_user),
    Fault(name="two-at-once", broken="two builds at once on an empty store", run=_at_once(2)),
    Fault(name="four-at-once", broken="four builds at once on an empty store", run=_at_once(4)),
    Fault(name="eight-at-once", broken="eight builds at once on an empty store", run=_at_once(8)),
    Fault(
        name="projects-at-once",
        broken="eight builds of four projects that share wheels, at once",
        run=_at_once(8, projects=4),
    ),
    Fault(
        name="pruning",
        broken="eight builds of two projects while the store is pruned twenty times",
        run=_at_once(8, projects=2, pruning=True),
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
        step=4,
    ),
    Fault(
        name="store-folders",
        broken="each directory of the store replaced by a file, a link, nothing",
        run=folders,
        step=2,
    ),
)
