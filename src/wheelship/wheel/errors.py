# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a wheel."""

from __future__ import annotations

from wheelship.errors import InputError

__all__ = ["InvalidWheel", "RecordMismatch", "UnsafeScript", "WrongWheel"]


class InvalidWheel(InputError):
    """The file is no wheel that the specification allows."""

    code = "invalid-wheel"


class WrongWheel(InputError):
    """The file is not the one that was locked."""

    code = "wrong-wheel"


class RecordMismatch(InputError):
    """The wheel's RECORD and its content disagree."""

    code = "record-mismatch"


class UnsafeScript(InputError):
    """A script of the wheel would overwrite the interpreter or leave its directory."""

    code = "unsafe-script"
