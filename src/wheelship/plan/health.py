# SPDX-License-Identifier: Apache-2.0
"""The program that images carry to ask their own service whether it is healthy."""

from __future__ import annotations

from importlib import resources

__all__ = ["HEALTH_PATH", "health_probe"]

HEALTH_PATH = "opt/wheelship/health.py"


def health_probe() -> bytes:
    """Return the source of the probe that images carry."""
    return resources.files("wheelship.plan").joinpath("image_files/health.py").read_bytes()
