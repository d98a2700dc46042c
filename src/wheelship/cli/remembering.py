# SPDX-License-Identifier: Apache-2.0
"""The last thing ``wheelship build`` does: what was built goes into the history."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.events import Emit, Warned

if TYPE_CHECKING:
    from wheelship.report.build import BuildReport
    from wheelship.request.model import Request

__all__ = ["NO_HISTORY", "remember", "remembered_in"]

NO_HISTORY = "none"


def remembered_in(request: Request, option: str | None) -> Request:
    """Return ``request`` with the history that ``--history`` names, if it was given."""
    if option is None:
        return request
    from wheelship.request.history import with_history

    return with_history(request, None if option == NO_HISTORY else Path(option).resolve())


def remember(reports: list[BuildReport], path: Path | None, emit: Emit) -> None:
    """Append a line for each of ``reports``; a history that cannot be kept is a warning.

    An image is no worse for it, so nothing of the build depends on the history.
    """
    if path is None:
        return
    from wheelship.errors import WheelshipError
    from wheelship.history.file import append
    from wheelship.history.record import past_build

    now = datetime.now(UTC)
    try:
        append(path, [past_build(one.built, seconds=one.seconds, time=now) for one in reports])
    except WheelshipError as error:
        message = f"this build is not in the history: {error.where} {error.message}"
        emit(Warned("history-not-kept", message, error.hint))
