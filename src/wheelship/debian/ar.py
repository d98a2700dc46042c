# SPDX-License-Identifier: Apache-2.0
"""The outer container of a .deb (deb(5), ar(5)): three members, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from wheelship.debian.errors import InvalidDeb

__all__ = ["ArMember", "deb_members"]

_MAGIC = b"!<arch>\n"
_HEADER = re.compile(
    rb"(?P<name>[ -~]{16})[0-9 ]{12}[0-9 ]{6}[0-9 ]{6}[0-7 ]{8}(?P<size>[0-9]{1,10} {0,9})`\n"
)
_HEADER_BYTES = 60
_VERSION_BYTES = 64
_COMPRESSIONS = ("xz", "gz", "")


class ArMember:
    """A member of the container; ``compression`` is ``xz``, ``gz`` or empty."""

    def __init__(self, stream: BinaryIO, offset: int, size_bytes: int, compression: str) -> None:
        self._stream = stream
        self._offset = offset
        self._left = size_bytes
        self.compression = compression

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the content in pieces of ``size`` bytes."""
        self._stream.seek(self._offset)
        while self._left:
            data = self._stream.read(min(size, self._left))
            if not data:
                return  # cannot be: the container's size was checked
            self._left -= len(data)
            yield data


def deb_members(stream: BinaryIO, size_bytes: int, *, where: str) -> tuple[ArMember, ArMember]:
    """Return the control and the data member of the .deb in ``stream``.

    Raises:
        InvalidDeb: the file is anything else than exactly ``debian-binary``, control and data.
    """
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise InvalidDeb("not a Debian package: it is no ar archive", where=where)
    headers = list(_headers(stream, size_bytes, where))
    names = [name for name, _, _ in headers]
    if len(names) != 3 or names[0] != "debian-binary":  # noqa: PLR2004 - see the docstring
        raise InvalidDeb(f"unexpected members {names}", where=where)
    _, offset, size = headers[0]
    stream.seek(offset)
    if size > _VERSION_BYTES or not re.fullmatch(rb"2\.[0-9]+\n", stream.read(size)):
        raise InvalidDeb("not version 2 of the package format", where=where)
    control = _tar(headers[1], "control", stream, where)
    return control, _tar(headers[2], "data", stream, where)


def _headers(stream: BinaryIO, size_bytes: int, where: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, offset and size of each member; they fill the file to its last byte."""
    at = len(_MAGIC)
    while at < size_bytes:
        stream.seek(at)
        header = _HEADER.fullmatch(stream.read(_HEADER_BYTES))
        if header is None:
            raise InvalidDeb(f"no ar member begins at byte {at}", where=where)
        size = int(header["size"])
        at += _HEADER_BYTES
        if at + size > size_bytes:
            raise InvalidDeb("truncated: its last member is incomplete", where=where)
        yield header["name"].decode().rstrip(" ").removesuffix("/"), at, size
        at += size + size % 2
    if at != size_bytes:
        raise InvalidDeb("truncated", where=where)


def _tar(header: tuple[str, int, int], kind: str, stream: BinaryIO, where: str) -> ArMember:
    name, offset, size = header
    base, _, compression = name.removesuffix(".tar").partition(".tar.")
    if base == kind and compression == "zst":
        raise InvalidDeb(
            f"{name}: packages compressed with zstd cannot be read",
            where=where,
            hint="Debian compresses with xz: is this a package of another distribution?",
        )
    if base != kind or compression not in _COMPRESSIONS or ".tar" not in name:
        raise InvalidDeb(f"unexpected member {name!r}, expected {kind}.tar.xz", where=where)
    return ArMember(stream, offset, size, compression)
