# SPDX-License-Identifier: Apache-2.0
"""The digest of a file, read in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path

from wheelship.oci.digest import Digest

__all__ = ["file_digest"]


def file_digest(path: Path) -> Digest:
    """Return the digest of a file's bytes.

    Raises:
        OSError: it is not there or cannot be read.
    """
    with path.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
