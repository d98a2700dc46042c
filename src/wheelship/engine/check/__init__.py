# SPDX-License-Identifier: Apache-2.0
"""Proves that an image works: starts, becomes healthy, is confined, answers, stops (R9, R13, R17).

Nothing here raises because of what the service does: every finding is a step of the report. Knows
engines only by the protocols in :mod:`wheelship.engine.model`.
"""

from wheelship.engine.check.report import CheckReport, Outcome, Step, StepName
from wheelship.engine.check.run import check
from wheelship.engine.check.scene import CheckSpec

__all__ = ["CheckReport", "CheckSpec", "Outcome", "Step", "StepName", "check"]
