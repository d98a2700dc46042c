# SPDX-License-Identifier: Apache-2.0
"""What a check found, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from wheelship.engine.model import EngineName
from wheelship.request.model import Json

__all__ = ["CheckReport", "Finding", "Outcome", "Step", "StepName"]

StepName: TypeAlias = Literal[
    "starts",
    "healthy",
    "health-probe",
    "user",
    "read-only-root",
    "offline",
    "imports",
    "answers",
    "stops",
]
Outcome: TypeAlias = Literal["passed", "failed", "not-proven", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found; ``answer`` is what the service said to the request."""

    outcome: Outcome
    detail: str
    answer: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was checked."""

    name: StepName
    outcome: Outcome
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The outcome of a check; ``log`` is the end of what the service printed."""

    reference: str
    digest: str
    engine: EngineName
    steps: tuple[Step, ...]
    answer: Json = None
    log: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Tell whether nothing failed; what could not be proven is not a failure."""
        return all(step.outcome != "failed" for step in self.steps)

    @property
    def healthy_seconds(self) -> float | None:
        """From started to healthy; None when it did not become healthy."""
        return self._seconds("healthy")

    @property
    def stop_seconds(self) -> float | None:
        """From the stop signal to the end; None when it did not stop by itself."""
        return self._seconds("stops")

    def to_json(self) -> dict[str, Any]:
        """Return the report for ``--json``; durations in seconds, to the millisecond."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "engine": self.engine,
            "ok": self.ok,
            "healthy_seconds": self.healthy_seconds,
            "stop_seconds": self.stop_seconds,
            "steps": [
                {
                    "name": step.name,
                    "outcome": step.outcome,
                    "detail": step.detail,
                    "seconds": round(step.seconds, 3),
                }
                for step in self.steps
            ],
            "answer": self.answer,
            "log": list(self.log),
        }

    def _seconds(self, name: StepName) -> float | None:
        for step in self.steps:
            if step.name == name and step.outcome == "passed":
                return round(step.seconds, 3)
        return None
