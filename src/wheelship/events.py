# SPDX-License-Identifier: Apache-2.0
"""What the core reports while it works: typed values handed to a callback.

The core never prints. ``wheelship.cli.render`` turns these into bars or plain lines; tests record
them. Totals may be unknown (``None``): nothing is counted ahead only to feed a progress bar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Advanced", "Emit", "Event", "Finished", "Started", "Step", "Warned", "discard"]

Step: TypeAlias = Literal[
    "resolve",
    "download",
    "build",
    "layer",
    "bytecode",
    "image",
    "load",
    "check",
    "pull",
    "push",
    "inspect",
    "save",
    "unpack",
]
Outcome: TypeAlias = Literal["done", "reused", "failed"]


@dataclass(frozen=True, slots=True)
class Started:
    """A piece of work began; ``(step, subject)`` identifies it until it is finished."""

    step: Step
    subject: str
    total_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Advanced:
    """``bytes`` more of the work are done (an increment, not a running total)."""

    step: Step
    subject: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The work ended. ``reused`` says that nothing had to be done again."""

    step: Step
    subject: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know although the work goes on."""

    code: str
    message: str
    hint: str | None = None


Event: TypeAlias = Started | Advanced | Finished | Warned
Emit: TypeAlias = Callable[[Event], None]


def discard(event: Event) -> None:
    """Ignore the event; the callback of callers that show nothing."""
    del event
