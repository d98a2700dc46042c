# SPDX-License-Identifier: Apache-2.0
"""RECORD files (binary distribution format, "The .dist-info/RECORD file"): reading and writing."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wheelship.wheel.errors import RecordMismatch

__all__ = ["Row", "encode_sha256", "parse_record", "render_record"]

_HINT = "RECORD is malformed: report it to the package's maintainers and choose another version"
_SIZE = re.compile(r"[0-9]{1,18}")
_ALGORITHMS = {"sha256": 32, "sha384": 48, "sha512": 64}
"""What the specification accepts: SHA-256 or better of the guaranteed algorithms."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``hash`` is ``(algorithm, hexadecimal digest)``; None where the cell is empty."""

    path: str
    hash: tuple[str, str] | None
    size_bytes: int | None


def parse_record(text: str, where: str, unusable: dict[str, str] | None = None) -> dict[str, Row]:
    """Return the rows by path.

    With ``unusable``, hashes that are malformed or weak are left out, and what is wrong with them
    is put there by path.

    Raises:
        RecordMismatch: a row is malformed, repeated, or (without ``unusable``) its hash is.
    """
    rows: dict[str, Row] = {}
    for number, cells in enumerate(_cells(text, where), start=1):
        if not cells:
            continue
        if len(cells) != 3:  # noqa: PLR2004 - path, hash, size
            raise RecordMismatch(
                f"row {number} of RECORD has {len(cells)} cells", where=where, hint=_HINT
            )
        path, hashed, size = cells
        if path in rows:
            raise RecordMismatch(f"RECORD lists {path} twice", where=where, hint=_HINT)
        if size and not _SIZE.fullmatch(size):
            raise RecordMismatch(
                f"RECORD gives {path} the size {size[:20]!r}", where=where, hint=_HINT
            )
        digest = _hash(hashed, path)
        if isinstance(digest, str):
            if unusable is None:
                raise RecordMismatch(digest, where=where, hint=_HINT)
            unusable[path], digest = digest, None
        rows[path] = Row(path, digest, int(size) if size else None)
    return rows


def _cells(text: str, where: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""))
    except csv.Error as error:
        raise RecordMismatch(f"RECORD cannot be read: {error}", where=where, hint=_HINT) from error


def _hash(text: str, path: str) -> tuple[str, str] | str | None:
    """Return the promised hash, or in words what is wrong with it."""
    if not text:
        return None
    algorithm, _, encoded = text.partition("=")
    if algorithm not in _ALGORITHMS:
        return f"RECORD hashes {path} with {algorithm!r}"
    try:
        digest = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != _ALGORITHMS[algorithm]:
        return f"RECORD has a malformed hash for {path}"
    return algorithm, digest.hex()


def encode_sha256(hex_digest: str) -> tuple[str, str]:
    """Return the form :class:`Row` holds for a SHA-256 in hexadecimal digits."""
    return "sha256", hex_digest


def render_record(rows: Iterable[Row]) -> bytes:
    """Return RECORD's bytes, rows sorted by path."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in sorted(rows, key=lambda row: row.path):
        hashed = ""
        if row.hash is not None:
            algorithm, digest = row.hash
            encoded = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
            hashed = f"{algorithm}={encoded}"
        writer.writerow((row.path, hashed, "" if row.size_bytes is None else str(row.size_bytes)))
    return out.getvalue().encode()
