# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with the choice of an accelerator."""

from __future__ import annotations

from wheelship.errors import InputError

__all__ = ["UnknownAcceleratorVersion"]


class UnknownAcceleratorVersion(InputError):
    """The accelerator has no release of this version, as far as this wheelship knows."""

    code = "unknown-accelerator-version"
