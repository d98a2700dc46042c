# SPDX-License-Identifier: Apache-2.0
"""What lies where in the archive around an image, found by its headers alone.

Nothing is ever extracted: a blob is read at its offset, gigabytes are skipped, and a name is only a
key to look up. That leaves path traversal nothing to reach. ``tarfile`` would hold a claimed header
of gigabytes, follow a chain of extended headers by recursion and take damage for the end.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from wheelship.archive.header import (
    BLOCK_BYTES,
    EXTENDED,
    SPARSE,
    Header,
    InvalidHeader,
    Override,
    extend,
    parse_header,
)
from wheelship.source.errors import InvalidImage, shown
from wheelship.source.extent import Extent, read_all

__all__ = ["Member", "Members", "read_members"]

_EXTENDED_BYTES = 64 * 1024  # a name, or a few attributes
_EXTENDED_MAX = 8
_MEMBERS_MAX = 20_000  # an image has some four for each layer
_NAME_CHARACTERS = 1024
_HOPS_MAX = 8
_END = bytes(BLOCK_BYTES)
_FILES = frozenset((0, *b"07"))
_SYMLINK = ord("2")
_LINKS = frozenset((ord("1"), _SYMLINK))


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


class _Walk:
    """Goes through the headers of one archive."""

    def __init__(self, archive: Extent, where: str) -> None:
        self._archive = archive
        self._where = where
        self._at = 0

    def members(self) -> Iterator[tuple[str, Member]]:
        """Yield files and links in the archive's order."""
        said, count = Override(), 0
        while (header := self._header()) is not None:
            if header.kind in EXTENDED:
                count += 1
                if count > _EXTENDED_MAX:
                    raise self._refusal("has a chain of extended headers")
                said = self._said(header, said)
                continue
            name = header.name if said.name is None else said.name
            target = header.target if said.target is None else said.target
            if header.kind == SPARSE or said.sparse:
                raise self._refusal(f"holds a sparse file, {shown(name)}, as no image's does")
            size = said.size if header.kind in _FILES and said.size is not None else header.size
            extent = self._content(size, name)
            said, count = Override(), 0
            if header.kind in _LINKS:
                if header.kind == _SYMLINK:  # its target is relative to where it lies
                    target = posixpath.join(posixpath.dirname(name), target)
                yield name, Member(extent, target or ".")
            elif header.kind in _FILES and not name.endswith("/"):
                yield name, Member(extent)

    def _header(self) -> Header | None:
        block = self._read(BLOCK_BYTES)
        if len(block) < BLOCK_BYTES:
            what = "is no tar archive" if not self._at else "ends without a tar archive's end"
            raise self._refusal(what + (", and empty" if not block and not self._at else ""))
        if block == _END:
            return None
        try:
            header = parse_header(block)
        except InvalidHeader as error:
            what = f"is damaged at byte {self._at}" if self._at else "is no tar archive"
            raise InvalidImage(f"{what}: it {error}", where=self._where) from error
        self._at += BLOCK_BYTES
        return header

    def _content(self, size: int, name: str) -> Extent:
        start = self._at
        if size > self._archive.size_bytes - start:
            raise self._refusal(
                f"is cut short, or claims {size} bytes for {shown(name)} and has "
                f"{self._archive.size_bytes - start}"
            )
        self._at += -(-size // BLOCK_BYTES) * BLOCK_BYTES
        return Extent(self._archive.descriptor, self._archive.offset + start, size)

    def _said(self, header: Header, said: Override) -> Override:
        """Return what is said of the next member; a global header is said of none."""
        if header.size > _EXTENDED_BYTES:
            raise self._refusal(f"has an extended header of {header.size} bytes")
        data = read_all(self._content(header.size, "an extended header").stream())
        try:
            return extend(header, data, said)
        except InvalidHeader as error:
            raise InvalidImage(str(error), where=self._where) from error

    def _read(self, size: int) -> bytes:
        left = self._archive.size_bytes - self._at
        at = self._archive.offset + self._at
        return Extent(self._archive.descriptor, at, max(left, 0)).stream().read(size)

    def _refusal(self, what: str) -> InvalidImage:
        return InvalidImage(what, where=self._where)
