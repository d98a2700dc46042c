# SPDX-License-Identifier: Apache-2.0
"""Opens a wheel, checks its name, structure and RECORD, and gives access to its files.

Binary distribution format 1.0. RECORD must name every file and nothing else; the hashes it
promises travel with each file's content and are checked by whoever reads it, so that a layer is
verified in the same pass that writes it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wheelship.archive.entry import Content, Deflated, Streamed
from wheelship.archive.errors import ContentMismatch, InvalidZip
from wheelship.archive.inflate import inflate, inflate_all
from wheelship.archive.zip import Member, ReadAt, read_zip
from wheelship.wheel.errors import InvalidWheel, RecordMismatch, WrongWheel
from wheelship.wheel.name import normalized
from wheelship.wheel.record import Row, parse_record

__all__ = ["Wheel", "open_wheel"]

_TEXT_BYTES = 32 * 1024 * 1024
_UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_HASH_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """An open wheel; usable only inside :func:`open_wheel`.

    Attributes:
        filename: as the lock names it.
        name / version: as the file name says, unnormalised.
        dist_info / data_dir: the two special directories, without a slash.
        purelib: whether the root goes to purelib (``Root-Is-Purelib``).
        members: files by name in archive order.
        record: RECORD's rows by path.
        waived: what a waiver made acceptable about RECORD; empty when there was no need.
    """

    filename: str
    name: str
    version: str
    dist_info: str
    data_dir: str
    purelib: bool
    members: dict[str, Member]
    record: dict[str, Row]
    read_at: ReadAt
    waived: str = ""

    def content(self, name: str) -> Content:
        """Return the content of a file together with the hash that RECORD promises."""
        row = self.record.get(name)
        return self.members[name].content(self.read_at, row.hash if row else None)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file of any size.

        Raises:
            ContentMismatch: it is not what the archive or RECORD promise; what came before is
                then worthless.
        """
        content = self.content(name)
        try:
            if isinstance(content, Deflated):
                yield from (data for _, data in inflate(content, name))
            elif isinstance(content, Streamed):
                yield from content.open()
        except ContentMismatch as error:
            raise _mismatch(error, self.filename, name) from error

    def read(self, name: str) -> bytes:
        """Return the verified bytes of a file of at most 32 MiB.

        Raises:
            InvalidWheel: there is no such file, or it is larger.
            ContentMismatch: it is not what the archive or RECORD promise.
        """
        member = self.members.get(name)
        if member is None:
            raise InvalidWheel(f"has no {name}", where=self.filename)
        row = self.record.get(name)
        return _read(member, self.read_at, row.hash if row else None, self.filename)


@contextmanager
def open_wheel(
    path: Path, filename: str, *, sha256: str, waive_record: bool = False
) -> Iterator[Wheel]:
    """Open the wheel at ``path`` after checking that it is the locked one.

    ``waive_record`` accepts files that RECORD does not list, rows without a file and hashes that
    are weak or malformed (DESIGN §6); a hash that can be checked must still be right.

    Raises:
        WrongWheel: its SHA-256 is not ``sha256``.
        InvalidWheel: it breaks the wheel or the zip format.
        RecordMismatch: RECORD and the archive disagree.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size

        def read_at(offset: int, length: int) -> bytes:
            return os.pread(descriptor, length, offset)

        _check_digest(read_at, size, sha256, filename)
        yield _parse(read_at, size, filename, waive_record=waive_record)
    finally:
        os.close(descriptor)


def _check_digest(read_at: ReadAt, size: int, sha256: str, filename: str) -> None:
    found = hashlib.sha256()
    at = 0
    while at < size and (piece := read_at(at, _HASH_PIECE_BYTES)):
        found.update(piece)
        at += len(piece)
    if found.hexdigest() != sha256:
        raise WrongWheel(
            f"its sha256 is {found.hexdigest()}, the lock says {sha256}",
            where=filename,
            hint="if the wheel was replaced on purpose, run `wheelship lock`",
        )


def _parse(read_at: ReadAt, size: int, filename: str, *, waive_record: bool) -> Wheel:
    try:
        members = {member.name: member for member in read_zip(read_at, size)}
    except InvalidZip as error:
        at = f"{filename}: {error.where}" if error.where else filename
        raise InvalidWheel(error.message, where=at, hint=_REPORT) from error
    name, version = _split_filename(filename)
    dist_info = _special_dir(members, name, version, filename)
    data_dir = dist_info.removesuffix(".dist-info") + ".data"
    about = _member_bytes(members, f"{dist_info}/METADATA", read_at, filename)
    _check_identity(about.decode("utf-8", "replace").replace("\r\n", "\n"), name, version, filename)
    metadata = _member_text(members, f"{dist_info}/WHEEL", read_at, filename)
    record_text = _member_text(members, f"{dist_info}/RECORD", read_at, filename)
    unusable: dict[str, str] = {}
    record = parse_record(record_text, filename, unusable)
    problems = _problems(members, record, unusable, dist_info)
    if problems and not waive_record:
        line = f'waive-record = [{{ package = "{name}", version = "{version}", reason = "…" }}]'
        raise RecordMismatch(
            problems,
            where=filename,
            hint=f"choose another version, or accept it in [tool.wheelship] with\n{line}",
        )
    unlisted = {f"{dist_info}/{one}" for one in _UNLISTED}
    record = {path: row for path, row in record.items() if path in members and path not in unlisted}
    return Wheel(
        filename=filename,
        name=name,
        version=version,
        dist_info=dist_info,
        data_dir=data_dir,
        purelib=_wheel_metadata(metadata, filename),
        members=members,
        record=record,
        read_at=read_at,
        waived=problems,
    )


_REPORT = "the file is malformed: report it to its maintainers and choose another version"


def _split_filename(filename: str) -> tuple[str, str]:
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        raise InvalidWheel("is no valid wheel file name", where=filename, hint=_REPORT)
    return parts[0], parts[1]


def _special_dir(members: dict[str, Member], name: str, version: str, filename: str) -> str:
    found = {first for first in (one.partition("/")[0] for one in members) if _is_info(first)}
    if len(found) != 1 or not min(found).endswith(".dist-info"):
        listing = ", ".join(sorted(found)) or "none"
        raise InvalidWheel(
            f"must hold one .dist-info directory, has {listing}", where=filename, hint=_REPORT
        )
    (directory,) = found
    inside = directory.removesuffix(".dist-info").partition("-")
    same_version = _same_version(inside[2], version)
    if normalized(inside[0]) != normalized(name) or not same_version:
        raise InvalidWheel(
            f"holds {directory}, which is another package", where=filename, hint=_REPORT
        )
    return directory


def _check_identity(text: str, name: str, version: str, filename: str) -> None:
    """Refuse METADATA of another package: pip and scanners believe it, not the file name."""
    found = _headers(text.partition("\n\n")[0], ("Name", "Version"), filename)
    said = (found.get("Name", ""), found.get("Version", ""))
    if normalized(said[0]) != normalized(name) or not _same_version(said[1], version):
        raise InvalidWheel(
            f"calls itself {' '.join(said).strip() or 'nothing'} in METADATA",
            where=filename,
            hint=_REPORT,
        )


def _headers(text: str, names: tuple[str, ...], filename: str) -> dict[str, str]:
    """Return those of the fields that are there; each may stand there once (core metadata)."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"(?m)^([\w-]+)[ \t]*:[ \t]*(.*?)[ \t\r]*$", text):
        for wanted in names:
            if name.lower() == wanted.lower():
                if wanted in found:
                    raise InvalidWheel(f"says {wanted} twice", where=filename, hint=_REPORT)
                found[wanted] = value
    return found


def _is_info(directory: str) -> bool:
    # importlib.metadata finds it in any case.
    return directory.lower().endswith(".dist-info")


def _same_version(left: str, right: str) -> bool:
    if left.replace("_", "-") == right.replace("_", "-"):
        return True
    from packaging.version import InvalidVersion, Version

    try:
        return bool(Version(left.replace("_", "-")) == Version(right.replace("_", "-")))
    except InvalidVersion:
        return False


def _wheel_metadata(text: str, filename: str) -> bool:
    fields = _headers(text, ("Wheel-Version", "Root-Is-Purelib"), filename)
    if fields.get("Wheel-Version", "").partition(".")[0] != "1":
        version = fields.get("Wheel-Version", "none")
        raise InvalidWheel(
            f"has the wheel format version {version}, not 1", where=filename, hint=_REPORT
        )
    return fields.get("Root-Is-Purelib", "").lower() == "true"


def _problems(
    members: dict[str, Member], record: dict[str, Row], unusable: dict[str, str], dist_info: str
) -> str:
    """Return in words where RECORD and the archive disagree; empty when they do not."""
    unlisted = {f"{dist_info}/{one}" for one in _UNLISTED}
    rows = {path: row for path, row in record.items() if path not in unlisted}
    missing = sorted(name for name in members if name not in record and name not in unlisted)
    phantom = sorted(path for path in rows if path not in members)
    present = {path: row for path, row in rows.items() if path in members}
    unhashed = sorted(
        path for path, row in present.items() if row.hash is None and path not in unusable
    )
    wrong = sorted(
        path
        for path, row in present.items()
        if row.size_bytes not in (None, members[path].size_bytes)
    )
    found = [
        (f"{text} {paths[0]}", len(paths))
        for text, paths in (
            ("RECORD does not list", missing),
            ("RECORD lists what is not there:", phantom),
            ("RECORD gives no hash for", unhashed),
            ("RECORD gives another size for", wrong),
        )
        if paths
    ]
    if unusable:
        found.append((unusable[min(unusable)], len(unusable)))
    return "; ".join(
        text + (f" and {count - 1} more" if count > 1 else "") for text, count in found
    )


def _member_text(members: dict[str, Member], name: str, read_at: ReadAt, filename: str) -> str:
    try:
        return _member_bytes(members, name, read_at, filename).decode()
    except UnicodeDecodeError as error:
        raise InvalidWheel(f"{name} is not UTF-8", where=filename, hint=_REPORT) from error


def _member_bytes(members: dict[str, Member], name: str, read_at: ReadAt, filename: str) -> bytes:
    member = members.get(name)
    if member is None:
        raise InvalidWheel(f"has no {name}", where=filename, hint=_REPORT)
    return _read(member, read_at, None, filename)


def _read(
    member: Member, read_at: ReadAt, promised: tuple[str, str] | None, filename: str
) -> bytes:
    if member.size_bytes > _TEXT_BYTES:
        raise InvalidWheel(
            f"{member.name} has {member.size_bytes} bytes", where=filename, hint=_REPORT
        )
    content = member.content(read_at, promised)
    try:
        if isinstance(content, Deflated):
            data = inflate_all(content, member.name)
            if promised and hashlib.new(promised[0], data).hexdigest() != promised[1]:
                raise ContentMismatch(f"its {promised[0]} is not the promised one")
            return data
        assert isinstance(content, Streamed)  # noqa: S101 - a member has no other kind
        return b"".join(content.open())
    except ContentMismatch as error:
        raise _mismatch(error, filename, member.name) from error


def _mismatch(error: ContentMismatch, filename: str, name: str) -> ContentMismatch:
    return ContentMismatch(error.message, where=f"{filename}: {name}", hint=_REPORT)
