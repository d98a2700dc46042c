# SPDX-License-Identifier: Apache-2.0
"""What lies where in the archive around an image, found by its headers alone.

Nothing is ever extracted: a blob is read at its offset, gigabytes are skipped, and a name is only a
key to look up. That leaves path traversal nothing to reach. The headers are read here and not by
``tarfile``, which would hold a claimed header of gigabytes, follow a chain of extended headers by
recursion and take damage for the end.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wheelship.source.errors import InvalidImage, shown
from wheelship.source.extent import Extent

__all__ = ["Member", "Members", "read_members"]

_BLOCK_BYTES = 512
_EXTENDED_BYTES = 64 * 1024  # a name, or a few attributes
_EXTENDED_MAX = 8
_MEMBERS_MAX = 20_000  # an image has some four for each layer
_NAME_CHARACTERS = 1024
_HOPS_MAX = 8
_DIGITS_MAX = 19
_END = bytes(_BLOCK_BYTES)
_HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s 1s 100s 8s 32s 32s 8s 8s 155s 12x")
_CHECKSUM = slice(148, 156)
_FILES = (b"0", b"\0", b"7")
_LINKS = (b"1", b"2")
_EMPTY = (b"1", b"2", b"3", b"4", b"5", b"6")  # whatever their size says, nothing follows
_SPARSE = b"S"


@dataclass(frozen=True, slots=True)
class Member:
    """A member: ``extent`` of its content, ``target`` of a link (empty: it is a file)."""

    extent: Extent
    target: str = ""


@dataclass(frozen=True, slots=True)
class Members:
    """Files and links of an archive by their plain names; those that lead outside are not there."""

    by_name: dict[str, Member]
    twice: frozenset[str]
    where: str

    def find(self, name: str) -> Extent | None:
        """Return the content of the file called ``name``, through links inside of the archive.

        Raises:
            InvalidImage: there are two of that name, or a link leads out or nowhere.
        """
        at = _plain(name)
        for _ in range(_HOPS_MAX):
            if at is None or at not in self.by_name:
                return None
            if at in self.twice:
                raise InvalidImage(f"holds {shown(at)} twice", where=self.where)
            member = self.by_name[at]
            if not member.target:
                return member.extent
            at = _plain(member.target)
        raise InvalidImage(f"{shown(name)} is a link that leads nowhere", where=self.where)


def read_members(archive: Extent, where: str) -> Members:
    """Read all headers of ``archive``.

    Raises:
        InvalidImage: it is no tar archive, a damaged one, or one that no image is kept in.
    """
    found: dict[str, Member] = {}
    twice = set()
    for number, (name, member) in enumerate(_Walk(archive, where).members()):
        if number >= _MEMBERS_MAX:
            raise InvalidImage(f"has more than {_MEMBERS_MAX} members", where=where)
        plain = _plain(name)
        if plain is None:
            continue
        if plain in found:
            twice.add(plain)
        found[plain] = member
    return Members(found, frozenset(twice), where)


def _plain(name: str) -> str | None:
    """Return ``name`` without ``.`` and ``..``; None when it leads outside or is absurdly long."""
    if len(name) > _NAME_CHARACTERS or name.startswith("/"):
        return None
    plain = posixpath.normpath(name)
    return None if plain == ".." or plain.startswith("../") else plain


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    kind: bytes
    size_bytes: int
    target: str


class _Walk:
    """Goes through the headers of one archive."""

    def __init__(self, archive: Extent, where: str) -> None:
        self._archive = archive
        self._where = where
        self._at = 0

    def members(self) -> Iterator[tuple[str, Member]]:
        """Yield files and links in the archive's order."""
        extended: dict[str, str] = {}
        count = 0
        while (header := self._header()) is not None:
            if header.kind in (b"x", b"g", b"L", b"K"):
                count += 1
                if count > _EXTENDED_MAX:
                    raise self._refusal("has a chain of extended headers")
                extended |= self._extended(header)
                continue
            if "size" in extended:
                header = replace(header, size_bytes=self._decimal(extended["size"]))
            name = extended.get("path", header.name)
            target = extended.get("linkpath", header.target)
            if header.kind == _SPARSE or any(one.startswith("GNU.sparse") for one in extended):
                raise self._refusal(f"holds a sparse file, {shown(name)}, as no image's does")
            extended, count = {}, 0
            extent = self._content(header, name)
            if header.kind in _LINKS:
                if header.kind == b"2":  # a symlink's target is relative to where it lies
                    target = posixpath.join(posixpath.dirname(name), target)
                yield name, Member(extent, target or ".")
            elif header.kind in _FILES and not name.endswith("/"):
                yield name, Member(extent)

    def _header(self) -> _Header | None:
        block = self._read(_BLOCK_BYTES)
        if len(block) < _BLOCK_BYTES:
            what = "is no tar archive" if not self._at else "ends without a tar archive's end"
            raise self._refusal(what + (", and empty" if not block and not self._at else ""))
        if block == _END:
            return None
        fields = _HEADER.unpack(block)
        told = _octal(fields[6])
        signed = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
        if told != sum(signed):
            first = not self._at
            raise self._refusal("is no tar archive" if first else f"is damaged at byte {self._at}")
        self._at += _BLOCK_BYTES
        name, target, prefix = (_text(fields[one]) for one in (0, 8, 14))
        if fields[9] == b"ustar\x0000" and prefix:
            name = f"{prefix}/{name}"
        size = _number(fields[4])
        if size is None or size < 0:
            raise self._refusal(f"claims an impossible size for {shown(name)}")
        return _Header(name, fields[7], size, target)

    def _content(self, header: _Header, name: str) -> Extent:
        size = 0 if header.kind in _EMPTY else header.size_bytes
        start = self._at
        if size > self._archive.size_bytes - start:
            raise self._refusal(
                f"is cut short, or claims {size} bytes for {shown(name)} and has "
                f"{self._archive.size_bytes - start}"
            )
        self._at += -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
        return Extent(self._archive.descriptor, self._archive.offset + start, size)

    def _extended(self, header: _Header) -> dict[str, str]:
        if header.size_bytes > _EXTENDED_BYTES:
            raise self._refusal(f"has an extended header of {header.size_bytes} bytes")
        extent = self._content(header, "an extended header")
        data = extent.stream().read(extent.size_bytes)
        if header.kind in (b"L", b"K"):
            return {"path" if header.kind == b"L" else "linkpath": _text(data)}
        records = dict(self._records(data))
        if header.kind == b"g":  # git writes a comment; what would rename all members is no use
            return {key: value for key, value in records.items() if key.startswith("GNU.sparse")}
        return records

    def _records(self, data: bytes) -> Iterator[tuple[str, str]]:
        """Read the records of a pax header: a length, key=value, a line end (POSIX.1-2008, pax)."""
        while data.strip(b"\0"):
            length, space, _ = data[:20].partition(b" ")
            end = int(length) if length.isdigit() else 0
            record = data[len(length) + 1 : end]
            key, equals, value = record.partition(b"=")
            if not space or not equals or end > len(data) or not value.endswith(b"\n"):
                raise self._refusal("has a malformed extended header")
            yield _text(key), _text(value[:-1])
            data = data[end:]

    def _decimal(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
            raise self._refusal("has an extended header with an impossible size")
        return int(text)

    def _read(self, size: int) -> bytes:
        left = self._archive.size_bytes - self._at
        at = self._archive.offset + self._at
        return Extent(self._archive.descriptor, at, max(left, 0)).stream().read(size)

    def _refusal(self, what: str) -> InvalidImage:
        return InvalidImage(what, where=self._where)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _octal(field: bytes) -> int | None:
    text = field.replace(b"\0", b" ").strip()
    if not text:
        return 0
    return int(text, 8) if text.isdigit() and not set(text) & set(b"89") else None


def _number(field: bytes) -> int | None:
    """Read a size: octal, or GNU's binary form for what octal has no room for."""
    if field[0] in (0x80, 0xFF):
        return int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)  # noqa: PLR2004
    return _octal(field)
