# SPDX-License-Identifier: Apache-2.0
"""Tar headers (POSIX.1-2001 pax interchange format), the same bytes for the same entry everywhere.

``tarfile`` could make them too, at about ten times the cost per entry, and its choices between
ustar, GNU and pax fields have changed between Python releases; layer digests must not.
"""

from __future__ import annotations

from typing import assert_never

from wheelship.archive.entry import EPOCH_SECONDS, Directory, Entry, File, Hardlink, Symlink

__all__ = ["BLOCK_BYTES", "END", "header", "padding"]

BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)
"""The two zero blocks that end an archive."""

_NAME_BYTES = 100
_PREFIX_BYTES = 155
_OCTAL_ID_MAX = 0o7777777
_OCTAL_SIZE_MAX = 0o77777777777
_CHECKSUM_BLANK = b" " * 8
_MTIME = b"%011o\0" % EPOCH_SECONDS
_FILE, _HARDLINK, _SYMLINK, _DIRECTORY, _PAX = b"0", b"1", b"2", b"5", b"x"


def padding(size_bytes: int) -> bytes:
    """Return the zeros that fill the last block of a file of ``size_bytes``."""
    return bytes(-size_bytes % BLOCK_BYTES)


def header(entry: Entry) -> bytes:
    """Return the header block of ``entry``, preceded by a pax record where ustar cannot hold it."""
    kind, link, size = _kind(entry)
    path = entry.path.encode() + (b"/" if kind == _DIRECTORY else b"")
    records: list[tuple[bytes, bytes]] = []
    prefix, name = _split(path)
    if name is None:
        records.append((b"path", path))
        prefix, name = b"", path[-_NAME_BYTES:]
    if len(link) > _NAME_BYTES or not link.isascii():
        records.append((b"linkpath", link))
        link = link[:_NAME_BYTES]
    fields = {b"uid": entry.uid, b"gid": entry.gid}
    for field, value in fields.items():
        if value > _OCTAL_ID_MAX:
            records.append((field, b"%d" % value))
            fields[field] = 0
    stored_size = size
    if size > _OCTAL_SIZE_MAX:
        records.append((b"size", b"%d" % size))
        stored_size = 0
    block = _block(
        name, entry.mode, (fields[b"uid"], fields[b"gid"]), stored_size, kind, link, prefix
    )
    return _pax(records) + block if records else block


def _kind(entry: Entry) -> tuple[bytes, bytes, int]:
    """Return the type flag, the link target and the size in bytes."""
    match entry:
        case File():
            return _FILE, b"", entry.content.size_bytes
        case Directory():
            return _DIRECTORY, b"", 0
        case Symlink():
            return _SYMLINK, entry.target.encode(), 0
        case Hardlink():
            return _HARDLINK, entry.target.encode(), 0
        case _:
            assert_never(entry)


def _split(path: bytes) -> tuple[bytes, bytes | None]:
    """Divide ``path`` into ustar's prefix and name; the name is None when neither division fits."""
    if not path.isascii():
        return b"", None
    if len(path) <= _NAME_BYTES:
        return b"", path
    cut = path.find(b"/", len(path) - _NAME_BYTES - 1, len(path) - 1)
    if 0 < cut <= _PREFIX_BYTES:
        return path[:cut], path[cut + 1 :]
    return b"", None


def _block(
    name: bytes,
    mode: int,
    owner: tuple[int, int],
    size: int,
    kind: bytes,
    link: bytes,
    prefix: bytes,
) -> bytes:
    head = b"%s%07o\0%07o\0%07o\0%011o\0%s" % (
        name.ljust(_NAME_BYTES, b"\0"),
        mode & 0o7777,
        *owner,
        size,
        _MTIME,
    )
    tail = b"%s%sustar\x0000%s0000000\x000000000\0%s" % (
        kind,
        link.ljust(_NAME_BYTES, b"\0"),
        bytes(64),
        prefix.ljust(_PREFIX_BYTES + 12, b"\0"),
    )
    checksum = sum(head) + sum(_CHECKSUM_BLANK) + sum(tail)
    return b"%s%06o\0 %s" % (head, checksum, tail)


def _pax(records: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(_record(key, value) for key, value in records)
    block = _block(b"pax_header", 0o644, (0, 0), len(body), _PAX, b"", b"")
    return block + body + padding(len(body))


def _record(key: bytes, value: bytes) -> bytes:
    """One record: its decimal length counts the digits of the length itself."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d%s" % (length, rest)
