# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with the file of past builds."""

from __future__ import annotations

from wheelship.errors import InputError, MachineError

__all__ = ["HistoryUnavailable", "InvalidHistory"]


class InvalidHistory(InputError):
    """The file that is to hold past builds holds something else."""

    code = "invalid-history"


class HistoryUnavailable(MachineError):
    """The file of past builds cannot be read or written."""

    code = "history-unavailable"
