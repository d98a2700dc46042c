# SPDX-License-Identifier: Apache-2.0
"""Reads one .deb (deb(5)) strictly: what it is, what it holds, which scripts it brings.

The data of a package can only be inflated as a stream, while an image needs files in another order.
So it is inflated once into a work file, which the content of the entries is then read from.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from wheelship.debian.ar import ArMember, deb_members
from wheelship.debian.control import paragraph
from wheelship.debian.errors import InvalidDeb, PackageMismatch
from wheelship.debian.lock import LockedPackage
from wheelship.debian.member import Limits, Member, read_members

__all__ = ["DebPackage", "open_package"]

_REPORT = "report it to the package's maintainers, and leave it out of `system-packages`"
_CHUNK_BYTES = 256 * 1024
_LZMA_MEMORY_BYTES = 256 * 1024 * 1024
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config", "triggers")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebPackage:
    """An opened package.

    Attributes:
        control: its fields, as text and parsed.
        scripts: its maintainer scripts and ``triggers``, and whatever else is executable, by name.
        md5sums: the file of that name, empty if there is none.
        members: what it installs, in its own order, without the root directory.
        data: the work file with the inflated data.
    """

    locked: LockedPackage
    control_text: str
    control: dict[str, str]
    scripts: dict[str, str]
    md5sums: bytes
    members: tuple[Member, ...]
    data: Path

    def read(self, member: Member) -> Iterator[bytes]:
        """Yield the content of a file, in pieces of 256 KiB at most."""
        with self.data.open("rb") as stream:
            stream.seek(member.offset)
            left = member.size_bytes
            while left:
                piece = stream.read(min(_CHUNK_BYTES, left))
                assert piece, "the work file was cut off"  # noqa: S101 - nobody else writes it
                left -= len(piece)
                yield piece


def open_package(
    locked: LockedPackage, path: Path, work: Path, limits: Limits | None = None
) -> DebPackage:
    """Verify the .deb at ``path`` and open it; ``work`` is a directory for its inflated data.

    Raises:
        PackageMismatch: it is not the locked package.
        InvalidDeb: it breaks a rule of the format, or holds something that no image may get.
    """
    # The store keeps it under its hash, which tells nobody anything.
    where = locked.filename.rpartition("/")[2]
    with path.open("rb") as stream:
        _verify(stream, locked, where)
    try:
        return _open(locked, path, work, limits or Limits(), where)
    except InvalidDeb as error:
        raise InvalidDeb(error.message, where=where, hint=error.hint or _REPORT) from error


def _open(locked: LockedPackage, path: Path, work: Path, limits: Limits, where: str) -> DebPackage:
    with path.open("rb") as stream:
        control, data = deb_members(stream, locked.size_bytes, where=where)
        files = _control(control, work / f"{locked.name}.control", limits, where)
        inflated = work / f"{locked.name}.data"
        _inflate(data, inflated, limits.data_bytes, where)
    text = _control_text(files, locked, where)
    return DebPackage(
        locked=locked,
        control_text=text,
        control=paragraph(text),
        scripts={
            name: content.decode("utf-8", "surrogateescape")
            for name, (mode, content) in files.items()
            if mode & 0o111 or name in _SCRIPTS
        },
        md5sums=files.get("md5sums", (0, b""))[1],
        members=read_members(inflated, limits, where),
        data=inflated,
    )


def _verify(stream: BufferedReader, locked: LockedPackage, where: str) -> None:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size == locked.size_bytes:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found == locked.sha256:
            return
        what = f"its SHA-256 is {found}, the lock says {locked.sha256}"
    else:
        what = f"it has {size} bytes, the lock says {locked.size_bytes}"
    raise PackageMismatch(
        f"not the locked package {locked.name} {locked.version}: {what}",
        where=where,
        hint="remove it, so that it is downloaded again: wheelship cache verify",
    )


def _control(
    member: ArMember, work: Path, limits: Limits, where: str
) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of the files in the control archive; it is flat and small."""
    _inflate(member, work, limits.control_bytes, where)
    files: dict[str, tuple[int, bytes]] = {}
    with work.open("rb") as stream:
        for one in read_members(work, limits, where):
            if one.kind != "file" or "/" in one.path:
                raise InvalidDeb(f"control archive with the {one.kind} {one.path}", where=where)
            stream.seek(one.offset)
            files[one.path] = (one.mode, stream.read(one.size_bytes))
    work.unlink()
    return files


def _control_text(files: dict[str, tuple[int, bytes]], locked: LockedPackage, where: str) -> str:
    if "control" not in files:
        raise InvalidDeb("no control file", where=where)
    text = files["control"][1].decode("utf-8", "replace")
    fields = paragraph(text)
    found = (fields.get("Package"), fields.get("Version"), fields.get("Architecture"))
    if found != (locked.name, locked.version, locked.architecture):
        raise InvalidDeb(
            f"the package calls itself {' '.join(map(str, found))}, the archive's index"
            f" {locked.name} {locked.version} {locked.architecture}",
            where=where,
        )
    return text


def _inflate(member: ArMember, target: Path, limit_bytes: int, where: str) -> None:
    """Write the inflated member to ``target``; exactly one compressed stream is accepted."""
    inflate = {"xz": _xz, "gz": _gz}.get(member.compression, iter)
    written = 0
    try:
        with target.open("xb") as output:
            for piece in inflate(member.chunks(_CHUNK_BYTES)):
                written += len(piece)
                if written > limit_bytes:
                    raise InvalidDeb(f"unpacks to more than {limit_bytes} bytes", where=where)
                output.write(piece)
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise InvalidDeb(f"cannot be inflated: {error}", where=where) from error


def _xz(chunks: Iterator[bytes]) -> Iterator[bytes]:
    inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES)
    for data in chunks:
        if inflater.eof:
            raise EOFError("data after the end of the compressed stream")
        yield inflater.decompress(data, _CHUNK_BYTES)
        while not inflater.needs_input and not inflater.eof:
            yield inflater.decompress(b"", _CHUNK_BYTES)
    _require_end(inflater.eof, inflater.unused_data)


def _gz(chunks: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    for data in chunks:
        if inflater.eof:
            raise EOFError("data after the end of the compressed stream")
        left = data
        # zlib may hold output back although it has taken all input, so it is asked until it is dry.
        while piece := inflater.decompress(left, _CHUNK_BYTES):
            left = inflater.unconsumed_tail
            yield piece
    _require_end(inflater.eof, inflater.unused_data)


def _require_end(eof: bool, unused: bytes) -> None:  # noqa: FBT001 - what the inflaters say
    if not eof:
        raise EOFError("the compressed stream is incomplete")
    if unused:
        raise EOFError("data after the end of the compressed stream")
