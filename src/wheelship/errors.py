# SPDX-License-Identifier: Apache-2.0
"""The one error tree: every failure a user can meet has a stable code, an exit status and a fix.

    WheelshipError
    ├── InputError      what the user gave is wrong (exit 3)
    ├── NetworkError    a server did not answer, or answered wrongly (exit 4)
    ├── MachineError    this machine lacks something (exit 5)
    └── GateFailed      a budget, check or comparison said no (exit 1)

Packages derive their own classes; each sets ``code`` in kebab-case. The code is public: it is
printed, it stands in ``--json`` output and it has a row in ``docs/reference/errors.md``.
Rendering lives in ``wheelship.cli`` only.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

__all__ = [
    "ExitStatus",
    "GateFailed",
    "InputError",
    "MachineError",
    "NetworkError",
    "WheelshipError",
]


class ExitStatus(IntEnum):
    """Exit statuses of the command line (DESIGN §5)."""

    DONE = 0
    GATE_FAILED = 1
    USAGE = 2
    INPUT = 3
    NETWORK = 4
    MACHINE = 5
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


class WheelshipError(Exception):
    """Root of all errors that are not bugs.

    Attributes:
        code: stable kebab-case identifier.
        exit_status: what the command line exits with.
        where: the file, key, wheel, package or URL it is about, if there is one.
        hint: what to do about it, ready to paste where that is possible.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[ExitStatus] = ExitStatus.BUG

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class InputError(WheelshipError):
    """What the user gave (configuration, lock, wheel, package, image) is wrong."""

    code = "input"
    exit_status = ExitStatus.INPUT


class NetworkError(WheelshipError):
    """A server could not be reached, or what it sent cannot be trusted."""

    code = "network"
    exit_status = ExitStatus.NETWORK


class MachineError(WheelshipError):
    """This machine lacks something: disk, permission, engine, program."""

    code = "machine"
    exit_status = ExitStatus.MACHINE


class GateFailed(WheelshipError):
    """A gate the user set (budget, check, comparison) said no."""

    code = "gate-failed"
    exit_status = ExitStatus.GATE_FAILED
