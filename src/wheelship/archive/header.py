# SPDX-License-Identifier: Apache-2.0
"""Headers of tar archives (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual).

Old (v7), ustar, pax and GNU forms, read as engines read them, whose reader is Go's: a global pax
header applies to nothing, a link has no content whatever its size says. ``tarfile`` would do for
dozens of entries; this is for hundreds of thousands.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

__all__ = [
    "BLOCK_BYTES",
    "EXTENDED",
    "SPARSE",
    "Header",
    "InvalidHeader",
    "Override",
    "apply_pax",
    "continues",
    "extend",
    "parse_header",
    "text",
]

BLOCK_BYTES = 512

EXTENDED = frozenset(b"xgXLK")
"""Types of headers that say something about the entry behind them."""

_GLOBAL, _LONG_NAME, _LONG_TARGET = b"gLK"

SPARSE = ord("S")

_FIELDS = Struct("100s8s16x12s12s8sB100s8s")
_LINK_FIELDS = {ord("1"), ord("2")}
_DATA = frozenset((0, ord("0"), ord("7"), SPARSE)) | EXTENDED
_USTAR, _GNU = b"ustar\x00", b"ustar  \x00"
_PREFIX = slice(345, 500)
_STAR_PREFIX, _STAR_TRAILER = slice(345, 476), b"tar\0"
_SPARSE_MORE, _SPARSE_REAL_SIZE, _SPARSE_MORE_NEXT = 482, slice(483, 495), 504
_NUMBER_MAX = 2**63 - 1
_DIGITS_MAX = 19
_SIGN_BIT = 0x80


class InvalidHeader(ValueError):
    """The header is damaged; the text goes on a sentence about the layer."""


class Header(NamedTuple):
    """One header; ``size`` is of the data that follows it in the archive, padding aside.

    ``real_size`` is what the file has when it is written out: more than ``size`` if it is sparse.
    """

    name: str
    kind: int
    size: int
    real_size: int
    mode: int
    mtime: int
    target: str
    more_sparse: bool = False


class Override(NamedTuple):
    """What extended headers say about the next entry; None where they say nothing.

    ``sparse`` are the records that place the data of a sparse file.
    """

    name: str | None = None
    target: str | None = None
    size: int | None = None
    mtime: int | None = None
    real_size: int | None = None
    sparse: bytes = b""


def parse_header(block: bytes) -> Header:
    """Read a block that is not all zeros.

    Raises:
        InvalidHeader: its checksum is wrong, or a number in it is none.
    """
    name, mode, size, mtime, checksum, kind, target, magic = _FIELDS.unpack_from(block)
    if not _is_intact(block, checksum):
        raise InvalidHeader("has no tar header where one must be: its checksum is wrong")
    path = text(name)
    data_bytes = _number(size)
    if data_bytes < 0:
        raise InvalidHeader(f"has a tar header that claims {data_bytes} bytes")
    if kind not in _DATA:
        data_bytes = 0
    real_bytes, more = data_bytes, False
    if magic.startswith(_USTAR):
        if kind == SPARSE:
            raise InvalidHeader("has a sparse file in a form that has none")
        star = block.endswith(_STAR_TRAILER)
        if prefix := text(block[_STAR_PREFIX if star else _PREFIX]):
            path = f"{prefix}/{path}"
    elif kind == SPARSE:
        real_bytes, more = _number(block[_SPARSE_REAL_SIZE]), bool(block[_SPARSE_MORE])
    if kind == 0 and path.endswith("/"):
        kind, data_bytes, real_bytes = ord("5"), 0, 0
    return Header(
        path,
        kind,
        data_bytes,
        real_bytes,
        _number(mode) & 0o7777,
        _number(mtime),
        text(target) if kind in _LINK_FIELDS else "",
        more,
    )


def continues(block: bytes) -> bool:
    """Tell whether another block with a map of a GNU sparse file follows this one."""
    return bool(block[_SPARSE_MORE_NEXT])


def extend(header: Header, content: bytes, said: Override) -> Override:
    """Add to ``said`` what an extended header says by its ``content``.

    A global header says nothing: engines apply it to no entry.

    Raises:
        InvalidHeader: its records are malformed.
    """
    if header.kind == _GLOBAL:
        return said
    if header.kind == _LONG_NAME:
        return said._replace(name=text(content))
    if header.kind == _LONG_TARGET:
        return said._replace(target=text(content))
    return apply_pax(content, said)


def apply_pax(records: bytes, said: Override) -> Override:
    """Add what the records of a pax header say: ``<length> <key>=<value>`` and a line end, each.

    Raises:
        InvalidHeader: they are malformed.
    """
    at = 0
    values: dict[str, bytes] = {}
    sparse = said.sparse
    while at < len(records):
        space = records.find(b" ", at, at + 20)
        digits = records[at:space]
        if space < 0 or not digits.isdigit():
            raise InvalidHeader("has a malformed pax header")
        end = at + int(digits)
        key, equals, value = records[space + 1 : end - 1].partition(b"=")
        if not key or not equals or end > len(records) or records[end - 1 : end] != b"\n":
            raise InvalidHeader("has a malformed pax header")
        if key.startswith(b"GNU.sparse."):
            sparse += records[at:end]
        values[key.decode("utf-8", "replace")] = value
        at = end
    real_size = values.get("GNU.sparse.realsize", values.get("GNU.sparse.size"))
    name = values.get("GNU.sparse.name", values.get("path"))
    return Override(
        said.name if name is None else text(name),
        text(values["linkpath"]) if "linkpath" in values else said.target,
        _decimal(values["size"]) if "size" in values else said.size,
        _decimal(values["mtime"], whole=False) if "mtime" in values else said.mtime,
        said.real_size if real_size is None else _decimal(real_size),
        sparse,
    )


def text(field: bytes) -> str:
    """Decode a name, up to its NUL; bytes that are no UTF-8 are kept as surrogates."""
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int:
    if field[0] & _SIGN_BIT:  # GNU: base 256, two's complement below the marking bit
        bits = 8 * len(field) - 1
        value = int.from_bytes(field) & (1 << bits) - 1
        value -= (value >> (bits - 1)) << bits
        if not -_NUMBER_MAX <= value <= _NUMBER_MAX:
            raise InvalidHeader("has a tar header with an absurd number")
        return value
    digits = field.strip(b"\0 ").partition(b"\0")[0]
    if not digits:
        return 0
    try:
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise InvalidHeader("has a tar header with a number that is none")


def _is_intact(block: bytes, checksum: bytes) -> bool:
    try:
        expected = _number(checksum)
    except InvalidHeader:
        return False
    found = sum(block) - sum(checksum) + len(checksum) * 32
    if found == expected:
        return True
    # Some old writers had their bytes signed.
    negative = sum(byte >= _SIGN_BIT for byte in block[:148] + block[156:])
    return found - 256 * negative == expected


def _decimal(value: bytes, *, whole: bool = True) -> int:
    digits, _, fraction = value.partition(b".")
    sign = -1 if not whole and digits.startswith(b"-") else 1
    digits = digits[1:] if sign < 0 else digits
    fine = digits.isdigit() and len(digits) <= _DIGITS_MAX and (not fraction or fraction.isdigit())
    if not fine or (whole and b"." in value) or int(digits) > _NUMBER_MAX:
        raise InvalidHeader(f"has a pax header with the number {value[:40]!r}")
    found = sign * int(digits)
    return found - 1 if sign < 0 and fraction.strip(b"0") else found
