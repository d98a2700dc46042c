# SPDX-License-Identifier: Apache-2.0
"""Rows of the fault matrix about processes: ended early, many at once, in odd surroundings."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from wheelship.testing.forks import Strike
from wheelship.testing.trial import CannotBreak, Trial

__all__ = ["at_once", "clock", "file_times", "killed_again", "streams", "struck"]

Ran = Callable[[Trial, int], Iterator[str]]


# --- processes that end early ---


def struck(point: Literal["event", "change"], number: int, error: int = 0) -> Ran:
    """Send signal ``number``, or raise ``error``, at every point of a first build in turn."""

    def run(trial: Trial, step: int) -> Iterator[str]:
        at = 1
        while True:
            trial.forget()
            strike = Strike(at=at, point=point, signal=number, errno=error)
            ended = trial.run(replace(trial.job(), strike=strike))
            yield trial.require_sound(ended)
            trial.require_repaired()
            if ended.points < at:
                return
            at += step

    return run


def killed_again(trial: Trial, step: int) -> Iterator[str]:
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


# --- clocks and streams ---

_FAKETIME = "/usr/bin/faketime"


def clock(trial: Trial, step: int) -> Iterator[str]:
    """Build at other times with one store, each time something new; uses libfaketime."""
    if not Path(_FAKETIME).exists():
        raise CannotBreak("faketime is not installed")
    trial.forget()
    source = trial.harbour.root / "demo" / "b.py"
    for shift in ("+3650d", "-50y", "+1d", "-3650d", "+30y")[::step]:
        for text in (b"b = 2\n", b"b = 9\n"):
            source.write_bytes(text)
            ended = trial.run_apart(trial.job(), _FAKETIME, "-f", shift)
            yield trial.require_sound(ended)
            if text == b"b = 2\n":
                assert ended.image["digest"] == trial.digest, "another image"
        source.write_bytes(b"b = 2\n")
        trial.require_repaired()


def file_times(trial: Trial, step: int) -> Iterator[str]:
    """Give every file of store, layout and project a time in 2100, then one in 1970."""
    del step
    trial.forget()
    trial.require_repaired()
    for moment in (4_102_444_800, 1):
        for root in (trial.store, trial.harbour.root):
            for path in root.rglob("*"):
                os.utime(path, (moment, moment), follow_symlinks=False)
        yield trial.require_sound(trial.run(trial.job()))
        trial.require_repaired()


def streams(trial: Trial, step: int) -> Iterator[str]:
    """Lead stdout and stderr to a full device, and close them."""
    del step
    for warm in (False, True):
        if not warm:
            trial.forget()
        with Path("/dev/full").open("w") as full:
            ended = trial.run_apart(trial.job(), stdout=full)
        assert ended.status == 5, ended  # noqa: PLR2004 - this machine
        assert ended.err.startswith("error[output-lost]: stdout"), ended
        assert "Traceback" not in ended.err
        yield "output-lost"
        trial.require_repaired()
        for closing in ('exec "$@" 2>/dev/full', 'exec "$@" 2>&-', 'exec "$@" >&-'):
            if not warm:
                trial.forget()
            ended = trial.run_apart(trial.job("-v"), "/bin/sh", "-c", closing, "sh")
            assert ended.status == 0, ended
            yield "done"
            trial.require_repaired()


# --- several at once ---


def at_once(builds: int, *, projects: int = 1, pruning: bool = False) -> Ran:
    """Start builds of so many projects at the same time on an empty store."""

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
