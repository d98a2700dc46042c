# SPDX-License-Identifier: Apache-2.0
"""Local files, held against what was promised."""

from __future__ import annotations

from pathlib import Path

from wheelship.fetch.errors import FileMismatch, MissingFile
from wheelship.files.digest import file_digest

__all__ = ["file_sha256", "verify_file"]


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in pieces.

    Raises:
        MissingFile: it is not there or cannot be read.
    """
    try:
        return file_digest(path).hex
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=str(path)) from error


def verify_file(path: Path, *, sha256: str, size_bytes: int | None = None) -> None:
    """Check that the file is the promised one; the size, if known, is looked at first.

    Raises:
        MissingFile: it is not there or cannot be read.
        FileMismatch: it is another file.
    """
    hint = "if it was replaced on purpose, lock again: wheelship lock"
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MissingFile(
            f"is not there: {error.strerror}",
            where=str(path),
            hint="put the file back, or lock again: wheelship lock",
        ) from error
    if size_bytes is not None and size != size_bytes:
        raise FileMismatch(
            f"has {size} bytes, promised were {size_bytes}", where=str(path), hint=hint
        )
    found = file_sha256(path)
    if found != sha256:
        raise FileMismatch(
            f"is not the file that was promised:\n  expected sha256 {sha256}\n"
            f"  found    sha256 {found}",
            where=str(path),
            hint=hint,
        )
