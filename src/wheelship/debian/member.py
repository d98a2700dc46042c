# SPDX-License-Identifier: Apache-2.0
"""The tar archives in a package: their members, and refusal of what no image may get."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from wheelship.debian.errors import InvalidDeb

__all__ = ["Limits", "Member", "read_members"]

_CHUNK_BYTES = 256 * 1024
_EXTENDED_HEADER_BYTES = 64 * 1024
_BLOCK_BYTES = 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KINDS: dict[bytes, Literal["file", "directory", "symlink", "hardlink"]] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}
_EXTENDED_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one package may unpack to. The largest of Debian's own are below 3 GiB."""

    data_bytes: int = 4 * 1024**3
    control_bytes: int = 32 * 1024**2
    members: int = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A path of the package, relative and without ``./``; ``target`` is that of a link."""

    path: str
    kind: Literal["file", "directory", "symlink", "hardlink"]
    mode: int
    uid: int
    gid: int
    size_bytes: int
    target: str
    offset: int


class _Header(tarfile.TarInfo):
    """A tar header that refuses oversized extended headers before ``tarfile`` holds them whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        extended = header.type in _EXTENDED_HEADERS and header.size > _EXTENDED_HEADER_BYTES
        if header.size < 0 or extended:
            raise InvalidDeb(f"a tar header that claims {header.size} bytes")
        return header


def read_members(path: Path, limits: Limits, where: str) -> tuple[Member, ...]:
    """Read the headers of the tar archive at ``path``, and see that they describe all of it."""
    members: list[Member] = []
    seen: set[str] = set()
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            archive = tarfile.TarFile(
                fileobj=stream, tarinfo=_Header, encoding="utf-8", errors="surrogateescape"
            )
            end = 0
            while (header := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # it remembers all headers
                member = _member(header, where)
                end = header.offset_data + (-(-header.size // _BLOCK_BYTES)) * _BLOCK_BYTES
                if end > size or len(seen) >= limits.members:
                    raise InvalidDeb("truncated, or too many members", where=where)
                if member is None:
                    continue
                if member.path in seen:
                    raise InvalidDeb(f"holds {member.path} twice", where=where)
                seen.add(member.path)
                members.append(member)
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise InvalidDeb(f"no readable tar archive: {error}", where=where) from error
        except InvalidDeb as error:
            raise InvalidDeb(error.message, where=where) from error
        # tarfile takes a damaged header for the end of the archive.
        stream.seek(end)
        while rest := stream.read(_CHUNK_BYTES):
            if rest.strip(b"\0"):
                raise InvalidDeb("data after the end of its tar archive", where=where)
    return tuple(members)


def _member(header: tarfile.TarInfo, where: str) -> Member | None:
    """Return the member of ``header``; None for the root directory itself."""
    if header.type not in _KINDS or header.issparse():
        raise InvalidDeb(
            f"{header.name!r} is a device, pipe or something else that no image may get",
            where=where,
        )
    kind = _KINDS[header.type]
    if kind != "file" and header.size:
        raise InvalidDeb(f"{header.name!r} is a {kind} with content", where=where)
    path = _clean(header.name, where)
    if not path:
        if kind != "directory":
            raise InvalidDeb(f"its root is a {kind}", where=where)
        return None
    target = ""
    if kind == "hardlink":
        target = _clean(header.linkname, where)
    elif kind == "symlink":
        target = _link_target(path, header.linkname, where)
    return Member(
        path=path,
        kind=kind,
        mode=header.mode & 0o7777,
        uid=header.uid,
        gid=header.gid,
        size_bytes=header.size if kind == "file" else 0,
        target=target,
        offset=header.offset_data,
    )


def _clean(name: str, where: str) -> str:
    """Return a path as entries spell it; empty for the root."""
    path = name.removeprefix("./").rstrip("/")
    if path in ("", "."):
        return ""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.startswith(".wh.") for part in parts):
        raise InvalidDeb(f"the path {name!r} is not allowed", where=where)
    _printable(path, where)
    return path


def _link_target(path: str, target: str, where: str) -> str:
    """Return ``target``; a relative one may climb to the root of the image, not beyond."""
    _printable(target, where)
    depth = 0 if target.startswith("/") else path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            raise InvalidDeb(f"the link {path!r} leads out, to {target!r}", where=where)
    if not target:
        raise InvalidDeb(f"the link {path!r} leads nowhere", where=where)
    return target


def _printable(path: str, where: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidDeb(f"the path {path!r} is not UTF-8", where=where) from error
    if _CONTROL.search(path):
        raise InvalidDeb(f"the path {path!r} holds control characters", where=where)
