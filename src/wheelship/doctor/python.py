# SPDX-License-Identifier: Apache-2.0
"""The Python that wheelship runs on, and those that images will have."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable

from wheelship.doctor.model import Finding, Patient
from wheelship.oci.platform import InvalidPlatform, Platform

__all__ = ["check_python"]


def check_python(patient: Patient) -> Iterable[Finding]:
    """See that this machine's processor is one that images are made for."""
    own = f"Python {platform.python_version()} at {patient.python}, {sys.platform}"
    try:
        Platform.of_machine(platform.machine())
    except InvalidPlatform:
        yield Finding(
            code="python",
            status="problem",
            what=f"{own}: images are made for amd64 and arm64, this is {platform.machine()}",
            hint="build on an amd64 or arm64 machine",
        )
        return
    wanted = ""
    if patient.request is not None:
        versions = sorted({one.python for one in patient.request.variants.values()})
        wanted = f"; images get Python {' and '.join(versions)} from their base, not this one"
    yield Finding(code="python", status="ok", what=f"{own}{wanted}")
