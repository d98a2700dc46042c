# SPDX-License-Identifier: Apache-2.0
"""User namespaces, in which `wheelship check` runs images without Docker."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from wheelship.doctor.model import Finding, Patient
from wheelship.engine.embedded import probe_namespaces
from wheelship.engine.identity import remedy

__all__ = ["check_namespaces"]


def check_namespaces(patient: Patient) -> Iterable[Finding]:
    """Rehearse what the embedded engine does; builds need none of it."""
    if sys.platform != "linux":
        yield Finding(
            code="namespaces",
            status="skipped",
            what="images run here in Docker only: there is no Linux kernel",
        )
        return
    with tempfile.TemporaryDirectory(prefix="wheelship-") as workspace:
        reason = probe_namespaces(Path(workspace), patient.python)
    if reason is None:
        yield Finding(
            code="namespaces", status="ok", what="usable: images can be checked without Docker"
        )
        return
    yield Finding(
        code="namespaces",
        status="warning",
        what=f"{reason}: `wheelship check` without Docker runs images bare and proves less",
        hint=remedy(patient.proc) or "run where Docker is, or outside of this container",
    )
