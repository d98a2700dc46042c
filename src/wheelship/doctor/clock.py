# SPDX-License-Identifier: Apache-2.0
"""The clock: release files and certificates are valid for a time only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from wheelship.build.lockfile import LOCK_NAME, read_lock
from wheelship.debian.release import CLOCK_SKEW
from wheelship.doctor.model import Finding, Patient
from wheelship.errors import InputError

__all__ = ["check_clock"]


def check_clock(patient: Patient) -> Iterable[Finding]:
    """Hold the clock against what certainly lies in the past: what the project was locked from.

    Whether it runs ahead, only a server tells: see the check of the Debian mirror.
    """
    now = f"{patient.now:%Y-%m-%d %H:%M} UTC"
    newest = _newest(patient)
    if newest is not None and patient.now + CLOCK_SKEW < newest:
        yield Finding(
            code="clock",
            status="problem",
            what=f"the clock says {now}, but wheelship.lock was made from a release file of "
            f"{newest:%Y-%m-%d %H:%M} UTC",
            hint="sudo timedatectl set-ntp true",
        )
        return
    yield Finding(code="clock", status="ok", what=now)


def _newest(patient: Patient) -> datetime | None:
    if patient.request is None:
        return None
    try:
        locked = read_lock(patient.request.project.root / LOCK_NAME)
    except InputError:  # the check of the locks says so
        return None
    dates = [suite.date for one in locked.debian for suite in one.suites]
    return max(map(datetime.fromisoformat, dates), default=None)
