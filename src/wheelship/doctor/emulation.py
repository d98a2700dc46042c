# SPDX-License-Identifier: Apache-2.0
"""Emulation of other architectures: only running their images needs it, never building them."""

from __future__ import annotations

from collections.abc import Iterable

from wheelship.doctor.model import Finding, Patient

__all__ = ["check_emulation"]

_NAMES = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}


def check_emulation(patient: Patient) -> Iterable[Finding]:
    """See whether the kernel knows an interpreter for the project's other architectures."""
    variants = patient.request.variants.values() if patient.request else ()
    foreign = sorted(
        {
            platform.architecture
            for one in variants
            for platform in one.platforms
            if platform.architecture != patient.native.architecture
        }
    )
    if not foreign:
        yield Finding(
            code="emulation", status="skipped", what="no variant is for another architecture"
        )
    for architecture in foreign:
        entry = patient.proc / "sys/fs/binfmt_misc" / _NAMES.get(architecture, architecture)
        try:
            enabled = entry.read_text("utf-8").startswith("enabled")
        except OSError:
            enabled = False
        if enabled:
            yield Finding(
                code="emulation", status="ok", what=f"{architecture} is emulated by {entry.name}"
            )
        else:
            yield Finding(
                code="emulation",
                status="warning",
                what=f"{architecture} images can be built here, but not run or checked",
                hint="sudo apt-get install qemu-user-binfmt  # before Debian 13: qemu-user-static\n"
                f"or with Docker: docker run --privileged --rm tonistiigi/binfmt --install "
                f"{architecture}",
            )
