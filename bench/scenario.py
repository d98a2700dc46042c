# SPDX-License-Identifier: Apache-2.0
"""The changes of a working day, each measured on both sides in turn."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry import Registry
from side import Side
from subject import Project
from usage import Usage

__all__ = ["SCENARIOS", "Result", "Scenario", "run_scenarios"]

_QUICK_SECONDS = 10.0
"""What took longer is not run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A change and its title; ``change`` gets the number of the run, from 1 on."""

    name: str
    title: str
    change: Callable[[Project, int], None]
    runs: int


SCENARIOS = {
    one.name: one
    for one in (
        Scenario(name="cold", title="cold build", change=lambda *_: None, runs=1),
        Scenario(name="same", title="nothing changed", change=lambda *_: None, runs=3),
        Scenario(name="line", title="one line changed", change=Project.change_line, runs=3),
        Scenario(name="light", title="light package bumped", change=Project.bump_light, runs=3),
        Scenario(name="heavy", title="heavy package bumped", change=Project.bump_heavy, runs=1),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One build with its push.

    Attributes:
        shape: of the Dockerfile that both sides were measured for, one pass each.
        steps: seconds by step, as the builder tells them.
        pushed_bytes: by how much the registry grew.
        registry_cpu_seconds: CPU time of the registry meanwhile.
    """

    subject: str
    shape: str
    scenario: str
    side: str
    build: Usage
    push: Usage
    steps: dict[str, float]
    pushed_bytes: int
    registry_cpu_seconds: float

    @property
    def seconds(self) -> float:
        """Wall time until the image is in the registry."""
        return self.build.seconds + self.push.seconds


def run_scenarios(
    project: Project, shape: str, pairs: Sequence[tuple[Side, Registry]], names: Sequence[str]
) -> list[Result]:
    """Return the best result of each scenario of each side, in order."""
    results: list[Result] = []
    for scenario in (SCENARIOS[name] for name in names):
        measured: dict[str, list[Result]] = {side.name: [] for side, _ in pairs}
        for number in range(1, scenario.runs + 1):
            again = [pair for pair in pairs if _is_quick(measured[pair[0].name])]
            if not again:
                break
            scenario.change(project, number)
            for side, registry in again:
                result = _measure(project, shape, scenario.name, side, registry)
                measured[side.name].append(result)
                _tell(result)
        results += [min(some, key=lambda one: one.seconds) for some in measured.values()]
    return results


def _is_quick(results: list[Result]) -> bool:
    return all(one.seconds < _QUICK_SECONDS for one in results)


def _measure(project: Project, shape: str, scenario: str, side: Side, registry: Registry) -> Result:
    side.prepare()
    if scenario == "cold":
        side.empty()
        _read_all(project.wheels)
    os.sync()  # what was written before is not this run's to wait for
    built = side.build()
    stored, busy = registry.stored_bytes(), registry.cpu_seconds()
    pushed = side.push(registry)
    return Result(
        subject=project.subject.name,
        shape=shape,
        scenario=scenario,
        side=side.name,
        build=built.usage,
        push=pushed,
        steps=built.steps,
        pushed_bytes=registry.stored_bytes() - stored,
        registry_cpu_seconds=registry.cpu_seconds() - busy,
    )


def _read_all(directory: Path) -> None:
    """Have the wheels in the page cache: no side shall wait for the disk because it came first."""
    for wheel in directory.rglob("*.whl"):
        with wheel.open("rb") as file:
            while file.read(1 << 20):
                pass


def _tell(result: Result) -> None:
    sys.stderr.write(
        f"{result.subject:7} {result.scenario:6} {result.side:15} "
        f"build {result.build.seconds:7.2f} s, {result.build.cpu_seconds:7.2f} CPU s, "
        f"{result.build.peak_bytes / 1e6:6.0f} MB; push {result.push.seconds:6.2f} s, "
        f"{result.pushed_bytes / 1e6:8.2f} MB\n"
    )
