# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while a plan is executed."""

from __future__ import annotations

from wheelship.errors import GateFailed, InputError, WheelshipError

__all__ = ["BudgetBroken", "Cancelled", "ConflictingFiles", "LinkedToForeignLibraries"]


class BudgetBroken(GateFailed):
    """The image is larger than its budget allows."""

    code = "budget-broken"


class Cancelled(WheelshipError):
    """Work was given up because other work of the same build failed."""

    code = "cancelled"


class ConflictingFiles(InputError):
    """Two packages install different files under one path."""

    code = "conflicting-files"


class LinkedToForeignLibraries(InputError):
    """A library in a wheel is linked to libraries of another accelerator."""

    code = "linked-to-foreign-libraries"
