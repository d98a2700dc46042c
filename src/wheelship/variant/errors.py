# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with the choice of an accelerator."""

from __future__ import annotations

from wheelship.errors import InputError

__all__ = ["GpuTargetNotCovered", "UnknownAcceleratorVersion"]


class UnknownAcceleratorVersion(InputError):
    """The accelerator has no release of this version, as far as this wheelship knows."""

    code = "unknown-accelerator-version"


class GpuTargetNotCovered(InputError):
    """A build has no device code that would run on a GPU the variant is for."""

    code = "gpu-target-not-covered"
