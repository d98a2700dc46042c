# SPDX-License-Identifier: Apache-2.0
"""The one seam to the network: what this package needs from whoever can download."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Fetch"]


class Fetch(Protocol):
    """Gets the body of a URL.

    Raises:
        NetworkError: the server did not answer, refused, or sent more than ``limit_bytes``.
    """

    def __call__(self, url: str, *, limit_bytes: int) -> bytes:
        """Return the whole body."""
        ...
