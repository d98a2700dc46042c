# SPDX-License-Identifier: Apache-2.0
"""The order of the steps, and what becomes of those that cannot be taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from wheelship.engine.check.behaviour import answers, imports
from wheelship.engine.check.confinement import offline, read_only_root, user
from wheelship.engine.check.exchange import message_of
from wheelship.engine.check.life import health_probe, healthy, stops
from wheelship.engine.check.report import CheckReport, Finding, Step, StepName
from wheelship.engine.check.scene import CheckSpec, Scene
from wheelship.engine.errors import StartFailed
from wheelship.engine.model import Clock, Engine, EngineName, ImageFiles, Options
from wheelship.engine.program import program_of
from wheelship.events import Emit, Finished, Started
from wheelship.request.model import Json

__all__ = ["check"]

_LOG_LINES = 40
_NOT_REACHED = "the service did not come this far"
_STEPS: tuple[tuple[StepName, Callable[[Scene], Finding]], ...] = (
    ("healthy", healthy),
    ("health-probe", health_probe),
    ("user", user),
    ("read-only-root", read_only_root),
    ("offline", offline),
    ("imports", imports),
    ("answers", answers),
    ("stops", stops),
)
_NEED_HEALTH: frozenset[StepName] = frozenset({"health-probe", "answers"})


def check(
    image: ImageFiles, engine: Engine, spec: CheckSpec, emit: Emit, clock: Clock | None = None
) -> CheckReport:
    """Run ``image`` in ``engine`` and prove what can be proven.

    Raises:
        InputError: the file to be sent is missing, or the image cannot be run at all.
        MachineError: this machine is not able to, which says nothing about the image.
    """
    clock = clock or Clock()
    message = message_of(spec.check.request, spec.project) if spec.check.request else None
    port = spec.health.port if spec.health else next(iter(image.config.ports), None)
    options = Options(port=port, writable=spec.writable)
    record = _Record(emit, clock)
    started = record.begin("starts")
    try:
        running = engine.start(image, options, emit)
    except StartFailed as error:
        record.end("starts", started, Finding("failed", error.message))
        return record.report(image, engine.name, ())
    with running:
        record.end("starts", started, Finding("passed", f"with the {engine.name} engine"))
        writable = program_of(image, options).writable
        scene = Scene(image, spec, running, clock, writable=writable, port=port, message=message)
        for name, step in _STEPS:
            if name != "healthy" and running.status() is not None:
                continue
            if name in _NEED_HEALTH and record.steps["healthy"].outcome == "failed":
                continue
            record.take(name, lambda step=step: step(scene))  # type: ignore[misc]
        over = record.steps["healthy"].outcome == "passed" and record.steps.get("stops") is None
        why = "the program had run to its end" if over else _NOT_REACHED
        return record.report(image, engine.name, running.log(_LOG_LINES), why)


class _Record:
    """The steps taken so far; tells of each as it begins and ends."""

    def __init__(self, emit: Emit, clock: Clock) -> None:
        self._emit, self._clock = emit, clock
        self.steps: dict[StepName, Step] = {}
        self._answer: Json = None

    def take(self, name: StepName, step: Callable[[], Finding]) -> None:
        started = self.begin(name)
        try:
            finding = step()
        except StartFailed as error:
            finding = Finding("failed", error.message)
        self.end(name, started, finding)

    def begin(self, name: StepName) -> float:
        self._emit(Started("check", name))
        return self._clock.now()

    def end(self, name: StepName, started: float, finding: Finding) -> None:
        seconds = self._clock.now() - started
        outcome, detail = finding.outcome, finding.detail
        self.steps[name] = Step(name=name, outcome=outcome, detail=detail, seconds=seconds)
        if finding.answer is not None:
            self._answer = finding.answer
        shown = detail if outcome in ("passed", "failed") else f"{outcome}: {detail}"
        self._emit(Finished("check", name, "failed" if outcome == "failed" else "done", shown))

    def report(
        self, image: ImageFiles, engine: EngineName, log: tuple[str, ...], why: str = _NOT_REACHED
    ) -> CheckReport:
        names: tuple[StepName, ...] = get_args(StepName)
        for name in names:
            if name not in self.steps:
                started = self.begin(name)
                self.end(name, started, Finding("skipped", why))
        return CheckReport(
            reference=image.reference,
            digest=str(image.manifest_digest),
            engine=engine,
            steps=tuple(self.steps[name] for name in names),
            answer=self._answer,
            log=log,
        )
