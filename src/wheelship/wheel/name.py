# SPDX-License-Identifier: Apache-2.0
"""The form of a distribution's name that tells whether two names are the same (PEP 503)."""

from __future__ import annotations

import re

__all__ = ["normalized"]

_RUNS = re.compile(r"[-_.]+")


def normalized(name: str) -> str:
    """Return ``name`` in lower case, with one hyphen for each run of ``-``, ``_`` and ``.``."""
    return _RUNS.sub("-", name).lower()
