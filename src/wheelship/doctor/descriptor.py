# SPDX-License-Identifier: Apache-2.0
"""How many files a process may have open."""

from __future__ import annotations

import resource
from collections.abc import Iterable

from wheelship.doctor.model import Finding, Patient

__all__ = ["check_descriptors"]

_ENOUGH = 512
"""A wheel stays open from its first use to the end of the build; large projects have hundreds."""


def check_descriptors(patient: Patient) -> Iterable[Finding]:
    """Hold the limit of this process against what a large build opens."""
    del patient
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH:
        shown = "any number of" if soft == resource.RLIM_INFINITY else str(soft)
        yield Finding(code="descriptors", status="ok", what=f"{shown} files may be open at once")
        return
    more = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    yield Finding(
        code="descriptors",
        status="warning",
        what=f"only {soft} files may be open at once; a build of many wheels opens {_ENOUGH}",
        hint=f"ulimit -n {more}",
    )
