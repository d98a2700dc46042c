# SPDX-License-Identifier: Apache-2.0
"""A strict reader of zip archives (APPNOTE 6.3.10): one archive, one meaning.

Wheels are checked by one program and installed by another; every freedom of the format is a way
to show each of them different files. So the local headers must agree with the central directory,
members must fill the file from its first byte to the directory without gap or overlap, and names
must be plain relative paths. ``zipfile`` of the standard library checks none of that.
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from zlib_ng import zlib_ng

from wheelship.archive.entry import Content, Deflated, Streamed
from wheelship.archive.errors import ContentMismatch, InvalidZip

__all__ = ["Member", "ZipLimits", "read_zip"]

ReadAt = Callable[[int, int], bytes]

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_SMALL = 0xFFFFFFFF
_SHORT = 0xFFFF
_STORED, _DEFLATED = 0, 8
_FLAG_DESCRIPTOR, _FLAG_UTF8 = 0x0008, 0x0800
_FLAGS_KNOWN = _FLAG_DESCRIPTOR | _FLAG_UTF8 | 0x0006  # bits 1 and 2 tell the compression level
_ZIP64_EXTRA = 1
_UNICODE_PATH_EXTRA = 0x7075
_PIECE_BYTES = 1024 * 1024
_NAME_BYTES = 255  # what Linux file systems take
_PATH_BYTES = 3072  # Linux takes 4096; where the wheel goes needs the rest
_UNPRINTABLE = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipLimits:
    """Bounds that stop a bomb before it is inflated; a member takes half a kilobyte of memory.

    Of 1 500 wheels in use the largest holds 40 000 members.
    """

    members: int = 200_000
    directory_bytes: int = 32 * 1024 * 1024
    unpacked_bytes: int = 64 * 1024**3
    ratio: int = 200
    ratio_from_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One regular file of the archive; ``mode`` is 0 when its maker recorded none."""

    name: str
    mode: int
    method: int
    crc32: int
    compressed_bytes: int
    size_bytes: int
    flags: int
    header_offset: int
    data_offset: int = -1

    @property
    def executable(self) -> bool:
        """Whether any execute bit is set."""
        return bool(self.mode & 0o111)

    def content(self, read_at: ReadAt, expected_hash: tuple[str, str] | None = None) -> Content:
        """Return the member's content, to be verified by whoever reads it.

        A member stored without compression is read as it is; then ``expected_hash`` and the
        CRC-32 are checked here, while the pieces are handed out.
        """
        if self.method == _DEFLATED:
            return Deflated(
                read_at=read_at,
                offset=self.data_offset,
                compressed_bytes=self.compressed_bytes,
                size_bytes=self.size_bytes,
                crc32=self.crc32,
                expected_hash=expected_hash,
            )
        return Streamed(self.size_bytes, lambda: _stored(self, read_at, expected_hash))


def read_zip(read_at: ReadAt, size_bytes: int, limits: ZipLimits | None = None) -> list[Member]:
    """Return the files of the archive in the order of their data; directories are left out.

    Raises:
        InvalidZip: any rule of this module's docstring is broken, or a limit exceeded.
    """
    limits = limits or ZipLimits()
    start, length, count = _directory(read_at, size_bytes)
    if count > limits.members or length > limits.directory_bytes:
        _refuse(f"has {count} members in a directory of {length} bytes; that is too much")
    rows = _central(read_at(start, length), count)
    rows.sort(key=lambda row: row.header_offset)
    members = _locate(read_at, rows, start)
    _check_names(members)
    total = sum(member.size_bytes for member in members)
    if total > limits.unpacked_bytes or (
        total > limits.ratio_from_bytes and total > limits.ratio * size_bytes
    ):
        _refuse(f"would unpack {size_bytes} bytes to {total}; that looks like a bomb")
    return [member for member in members if not member.name.endswith("/")]


def _directory(read_at: ReadAt, size: int) -> tuple[int, int, int]:
    """Find the central directory: its offset, length in bytes and number of members."""
    tail_bytes = min(size, _END.size + _SHORT)
    tail = read_at(size - tail_bytes, tail_bytes)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        _refuse("is not a zip archive, or its end is missing")
    _, disk, first_disk, here, count, length, start, comment = _END.unpack_from(tail, at)
    end = size - tail_bytes + at
    if at + _END.size + comment != len(tail):
        _refuse("has data after its end")
    _check_single_end(tail, at)
    if disk or first_disk or here != count:
        _refuse("is one part of several")
    if end >= _LOCATOR64.size:
        magic, _, end64, _ = _LOCATOR64.unpack(read_at(end - _LOCATOR64.size, _LOCATOR64.size))
        if magic == b"PK\x06\x07":
            return _directory64(read_at, end - _LOCATOR64.size, end64, (start, length, count))
    if start + length != end:
        _refuse("has data between its directory and its end")
    return start, length, count


def _check_single_end(tail: bytes, last: int) -> None:
    """Refuse an earlier end record that also ends with the file.

    The signature alone proves nothing: a stored archive inside the archive has one, too.
    """
    at = tail.find(b"PK\x05\x06")
    while at < last:
        comment = tail[at + _END.size - 2 : at + _END.size]
        if at + _END.size + int.from_bytes(comment, "little") == len(tail):
            _refuse("has two end records; tools would disagree on its content")
        at = tail.find(b"PK\x05\x06", at + 1)


def _directory64(
    read_at: ReadAt, locator: int, offset: int, small: tuple[int, int, int]
) -> tuple[int, int, int]:
    if offset + _END64.size != locator:
        _refuse("has a ZIP64 end record in the wrong place")
    record = read_at(offset, _END64.size)
    magic, rest, _, _, disk, first_disk, here, count, length, start = _END64.unpack(record)
    if magic != b"PK\x06\x06" or rest != _END64.size - 12 or disk or first_disk or here != count:
        _refuse("has a malformed ZIP64 end record")
    for short, full, limit in zip(
        small, (start, length, count), (_SMALL, _SMALL, _SHORT), strict=True
    ):
        if short not in (limit, full):
            _refuse("says one thing in its end record and another in the ZIP64 one")
    if start + length != offset:
        _refuse("has data between its directory and its end")
    return start, length, count


def _central(directory: bytes, count: int) -> list[Member]:
    rows: list[Member] = []
    at = 0
    for _ in range(count):
        if len(directory) - at < _CENTRAL.size:
            _refuse("has a directory shorter than its end record says")
        fields = _CENTRAL.unpack_from(directory, at)
        magic, _, _, flags, method, _, _, crc, packed, size = fields[:10]
        name_bytes, extra_bytes, comment_bytes, disk, _, attributes, offset = fields[10:]
        at += _CENTRAL.size
        name = _name(directory[at : at + name_bytes], flags)
        extra = directory[at + name_bytes : at + name_bytes + extra_bytes]
        at += name_bytes + extra_bytes + comment_bytes
        if magic != b"PK\x01\x02" or at > len(directory):
            _refuse("has a damaged directory", name)
        if method not in (_STORED, _DEFLATED) or flags & ~_FLAGS_KNOWN:
            _refuse(f"is encrypted or uses compression method {method}", name)
        size, packed, offset, disk = _wide(extra, (size, packed, offset, disk), name)
        if disk:
            _refuse("lies in another part of the archive", name)
        if method == _STORED and size != packed:
            _refuse("is stored, yet has two different sizes", name)
        rows.append(
            Member(
                name=name,
                mode=_mode(attributes, name),
                method=method,
                crc32=crc,
                compressed_bytes=packed,
                size_bytes=size,
                flags=flags,
                header_offset=offset,
            )
        )
    if at != len(directory):
        _refuse("has a directory longer than its end record says")
    return rows


def _locate(read_at: ReadAt, rows: list[Member], directory: int) -> list[Member]:
    """Read each local header, compare it and check that members touch without gap or overlap."""
    located: list[Member] = []
    expected = 0
    for position, row in enumerate(rows):
        after = rows[position + 1].header_offset if position + 1 < len(rows) else directory
        if row.header_offset != expected:
            _refuse("overlaps another member, or leaves a gap before itself", row.name)
        raw_name = row.name.encode()
        head = read_at(row.header_offset, _LOCAL.size + len(raw_name))
        if len(head) != _LOCAL.size + len(raw_name):
            _refuse("lies outside the archive", row.name)
        magic, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = (
            _LOCAL.unpack_from(head)
        )
        if magic != b"PK\x03\x04" or name_bytes != len(raw_name) or head[_LOCAL.size :] != raw_name:
            _refuse("has another name in its local header", row.name)
        start = row.header_offset + _LOCAL.size + name_bytes
        extra = read_at(start, extra_bytes) if extra_bytes else b""
        start += extra_bytes
        if method != row.method or flags != row.flags:
            _refuse("has another method or other flags in its local header", row.name)
        local = (crc, *_wide(extra, (size, packed, 0, 0), row.name)[:2])
        central = (row.crc32, row.size_bytes, row.compressed_bytes)
        deferred = bool(flags & _FLAG_DESCRIPTOR)
        # With a descriptor these are zeros (APPNOTE 4.4.4); Info-ZIP fills in the size it knows.
        if not all(
            one == right or (deferred and one == 0)
            for one, right in zip(local, central, strict=True)
        ):
            _refuse("has another size or CRC-32 in its local header", row.name)
        expected = start + row.compressed_bytes
        if deferred:
            expected = _descriptor(read_at, expected, after, row)
        if expected > after:
            _refuse("overlaps what follows it", row.name)
        located.append(replace(row, data_offset=start))
    if expected != directory:
        _refuse("has data between its last member and its directory")
    return located


def _descriptor(read_at: ReadAt, at: int, after: int, row: Member) -> int:
    """Check the data descriptor (APPNOTE 4.3.9) that fills the space up to the next header."""
    found = read_at(at, after - at) if at <= after <= at + 24 else b""
    values = (row.crc32, row.compressed_bytes, row.size_bytes)
    forms = [struct.pack("<LQQ", *values)]
    if max(values) <= _SMALL:
        forms.append(struct.pack("<LLL", *values))
    if found not in forms and found not in [b"PK\x07\x08" + form for form in forms]:
        _refuse("is followed by a data descriptor that contradicts the directory", row.name)
    return after


def _wide(extra: bytes, values: tuple[int, int, int, int], name: str) -> tuple[int, int, int, int]:
    """Apply the ZIP64 extra field to ``(size, packed, offset, disk)``; refuse tricks with it."""
    size, packed, offset, disk = values
    seen = False
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if len(body) != length:
            _refuse("has a truncated extra field", name)
        if kind == _UNICODE_PATH_EXTRA:
            _refuse("carries a second name in an extra field", name)
        if kind != _ZIP64_EXTRA:
            continue
        if seen:
            _refuse("has two ZIP64 fields", name)
        seen = True
        size, packed, offset = _wide64(body, (size, packed, offset), name)
    if not seen and _SMALL in (size, packed, offset):
        _refuse("lacks its ZIP64 field", name)
    return size, packed, offset, disk


def _wide64(body: bytes, values: tuple[int, int, int], name: str) -> tuple[int, int, int]:
    """Replace the marked ones of ``(size, packed, offset)`` (APPNOTE 4.5.3).

    Some writers add numbers that are not marked, and some readers believe those: they must agree.
    """
    wanted = [value == _SMALL for value in values]
    if len(body) % 8:
        _refuse("has a ZIP64 field of an odd length", name)
    numbers = struct.unpack_from(f"<{len(body) // 8}Q", body)
    if len(numbers) < sum(wanted):
        _refuse("has a ZIP64 field that is too short", name)
    rest = iter(numbers)
    size, packed, offset = (
        next(rest) if wide else value for wide, value in zip(wanted, values, strict=True)
    )
    if len(numbers) > sum(wanted) and numbers != (size, packed, offset)[: len(numbers)]:
        _refuse("says one thing in its header and another in its ZIP64 field", name)
    return size, packed, offset


def _name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & _FLAG_UTF8 else "ascii")
    except UnicodeDecodeError:
        _refuse("has a name that is neither ASCII nor marked as UTF-8", raw.decode("latin-1"))


def _mode(attributes: int, name: str) -> int:
    # Python on Windows writes a Unix mode and says that MS-DOS did; pip and uv believe the mode.
    mode = attributes >> 16
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        _refuse("is a link or a device", name)
    return mode


def _check_names(members: list[Member]) -> None:
    """Refuse names that could mean two things.

    Names that differ in case or in their spelling of Unicode are two names on Linux, and honest
    wheels have such.
    """
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        name = member.name.removesuffix("/")
        _check_name(name, member.name)
        if member.name.endswith("/"):
            if member.size_bytes:
                _refuse("is a directory with content", member.name)
            folders.add(name)
            continue
        if name in files:
            _refuse("stands in the archive twice", member.name)
        if stat.S_ISDIR(member.mode):
            _refuse("is a file by its name and a directory by its mode", member.name)
        files.add(name)
        at = name.find("/")
        while at >= 0:
            folders.add(name[:at])
            at = name.find("/", at + 1)
    for name in sorted(files & folders):
        _refuse("is both a file and a directory", name)


def _check_name(name: str, shown: str) -> None:
    parts = name.split("/")
    unplain = _UNPRINTABLE.search(name) or _DRIVE.match(name)
    if unplain or any(part in ("", ".", "..") for part in parts):
        _refuse("is no plain relative path", shown)
    if max(map(len, map(str.encode, parts))) > _NAME_BYTES:
        _refuse(f"has a name longer than {_NAME_BYTES} bytes", shown)
    if len(name.encode()) > _PATH_BYTES:
        _refuse(f"has a path longer than {_PATH_BYTES} bytes", shown)
    if any(part.startswith(".wh.") for part in parts):
        _refuse("would delete files when the image is unpacked (whiteout)", shown)


def _stored(
    member: Member, read_at: ReadAt, expected_hash: tuple[str, str] | None
) -> Iterator[bytes]:
    crc = 0
    digest = hashlib.new(expected_hash[0]) if expected_hash else None
    at, left = member.data_offset, member.size_bytes
    while left:
        data = read_at(at, min(_PIECE_BYTES, left))
        if not data:
            raise ContentMismatch("ends before its promised size", where=member.name)
        at += len(data)
        left -= len(data)
        crc = zlib_ng.crc32(data, crc)
        if digest is not None:
            digest.update(data)
        yield data
    if crc != member.crc32:
        raise ContentMismatch(f"its CRC-32 is {crc:08x}, not {member.crc32:08x}", where=member.name)
    if digest is not None and expected_hash and digest.hexdigest() != expected_hash[1]:
        raise ContentMismatch(
            f"its {expected_hash[0]} is {digest.hexdigest()}, promised was {expected_hash[1]}",
            where=member.name,
        )


def _refuse(why: str, name: str | None = None) -> NoReturn:
    raise InvalidZip(why, where=name)
