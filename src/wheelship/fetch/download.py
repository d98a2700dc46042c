# SPDX-License-Identifier: Apache-2.0
"""Downloads one file: joined where it broke off, under its final name only when it is right."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, Protocol

from wheelship.events import Advanced, Emit, Step
from wheelship.fetch.errors import (
    Cancelled,
    HashMismatch,
    MissingFile,
    ResponseTooLarge,
    SizeMismatch,
    Transient,
)
from wheelship.fetch.url import display_url, file_path

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["Download", "Opens", "Partial", "transfer", "unfinished"]

_PIECE_BYTES = 256 * 1024
_LOCK_SECONDS = 0.2
_LIMIT_BYTES = 64 * 1024**3
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to fetch.

    ``sha256`` is hexadecimal; ``size_bytes`` None where nobody knows it; ``subject`` names the
    file in events and messages, ``step`` is what its events call the work; ``hint`` is what to do
    when the server has another file.
    """

    url: str
    destination: Path
    sha256: str
    size_bytes: int | None = None
    subject: str
    step: Step = "download"
    hint: str = "if the index replaced the file on purpose, lock again: wheelship lock"


class Opens(Protocol):
    """Sends a GET and yields the answer: 200, or what answers a range (206, 416).

    Failures are raised as :class:`~wheelship.errors.NetworkError`, also inside the block.
    """

    def open(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> AbstractContextManager[BaseHTTPResponse]:
        """Open ``url``."""
        ...


class Partial:
    """The beginning of a file, hashed; this process alone may write to it.

    ``furthest`` is the longest it has been in this process; a restart does not take it back.
    ``joined`` says that it stems from more than one answer, ``receiving`` that the last try brought
    some of it.
    """

    def __init__(self, file: BinaryIO, job: Download, emit: Emit) -> None:
        self._file = file
        self._job = job
        self._emit = emit
        self._hash = hashlib.sha256()
        self.offset = 0
        self.furthest = 0
        self.joined = False
        self.receiving = False
        self.etag: str | None = None
        while piece := file.read(_PIECE_BYTES):
            self._count(piece)
        self.joined = self.offset > 0

    def write(self, piece: bytes) -> None:
        """Append ``piece``."""
        self._file.write(piece)
        self._count(piece)

    def restart(self) -> None:
        """Forget everything that is there."""
        self._file.seek(0)
        self._file.truncate()
        self._emit(Advanced(self._job.step, self._job.subject, -self.offset))
        self._hash = hashlib.sha256()
        self.offset = 0
        self.joined = False
        self.etag = None

    @property
    def is_right(self) -> bool:
        """Whether it is the promised file, whole."""
        return self._hash.hexdigest() == self._job.sha256

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of what is there."""
        return self._hash.hexdigest()

    def _count(self, piece: bytes) -> None:
        self._hash.update(piece)
        self.offset += len(piece)
        self.furthest = max(self.furthest, self.offset)
        self._emit(Advanced(self._job.step, self._job.subject, len(piece)))


@contextmanager
def unfinished(job: Download, emit: Emit, cancelled: Event) -> Iterator[Partial | None]:
    """Yield what is there of the file, or None when another process finished it meanwhile.

    When the block ends well, the file gets its final name; when it fails, its beginning stays for
    the next time, unless that is what was wrong.
    """
    path = job.destination.with_name(job.destination.name + ".partial")
    file = _locked(path, cancelled)
    with file:
        if job.destination.exists():
            path.unlink(missing_ok=True)
            yield None
            return
        try:
            yield Partial(file, job, emit)
        except (HashMismatch, SizeMismatch, ResponseTooLarge):
            path.unlink(missing_ok=True)
            raise
        file.flush()
        path.replace(job.destination)
        job.destination.chmod(0o444)


def _locked(path: Path, cancelled: Event) -> BinaryIO:
    """Open ``path`` so that no other thread or process has it open this way."""
    while True:
        if cancelled.is_set():
            raise Cancelled("given up because something else failed", where=path.name)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had the lock before may have renamed the file: then this is another's.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BlockingIOError:
            cancelled.wait(_LOCK_SECONDS)
        file.close()


def transfer(job: Download, partial: Partial, transport: Opens, cancelled: Event) -> None:
    """Try once to complete ``partial``.

    Raises:
        Transient: another try may help; ``partial`` keeps what is worth keeping.
        NetworkError: it would not.
    """
    if job.size_bytes is not None and partial.offset > job.size_bytes:
        partial.restart()
    if partial.offset != job.size_bytes:
        local = file_path(job.url)
        if local is not None:
            partial.restart()
            _copy(job, partial, local)
        else:
            _receive(job, partial, transport, cancelled)
    if partial.is_right:
        return
    if partial.joined:
        # The parts may stem from different files under the same address.
        partial.restart()
        raise Transient(f"{job.subject} changed on the server while it was downloaded")
    raise HashMismatch(
        f"{job.subject} is not the file that was promised:\n"
        f"  expected sha256 {job.sha256}\n  received sha256 {partial.sha256}",
        where=display_url(job.url),
        hint=job.hint,
    )


def _copy(job: Download, partial: Partial, path: Path) -> None:
    try:
        with path.open("rb") as source:
            _check_size(job, os.fstat(source.fileno()).st_size)
            while piece := source.read(_PIECE_BYTES):
                partial.write(piece)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=str(path)) from error


def _receive(job: Download, partial: Partial, transport: Opens, cancelled: Event) -> None:
    headers = {}
    if partial.offset:
        headers["Range"] = f"bytes={partial.offset}-"
        if partial.etag is not None:
            headers["If-Range"] = partial.etag
    try:
        _read_body(job, partial, transport, headers, cancelled)
    except Transient as error:
        if not partial.receiving:
            raise
        raise _broken_off(job, partial, error.retry_after_seconds) from error
    if job.size_bytes is not None and partial.offset < job.size_bytes:
        raise _broken_off(job, partial)


def _read_body(
    job: Download,
    partial: Partial,
    transport: Opens,
    headers: dict[str, str],
    cancelled: Event,
) -> None:
    limit = _LIMIT_BYTES if job.size_bytes is None else job.size_bytes
    partial.receiving = False
    with transport.open(job.url, headers) as response:
        _position(job, partial, response)
        while piece := response.read(_PIECE_BYTES, decode_content=False):
            if partial.offset + len(piece) > limit:
                raise ResponseTooLarge(
                    f"{job.subject}: the server sends more than {limit} bytes",
                    where=display_url(job.url),
                )
            partial.write(piece)
            partial.receiving = True
            if cancelled.is_set():
                raise Cancelled("given up because something else failed", where=job.subject)


def _broken_off(
    job: Download, partial: Partial, retry_after_seconds: float | None = None
) -> Transient:
    total = f" of {job.size_bytes}" if job.size_bytes is not None else ""
    return Transient(
        f"{job.subject} broke off after {partial.offset}{total} bytes",
        where=display_url(job.url),
        hint="run the command again: the download goes on where it broke off",
        retry_after_seconds=retry_after_seconds,
    )


def _position(job: Download, partial: Partial, response: BaseHTTPResponse) -> None:
    """Make ``partial`` end where the body of ``response`` begins (RFC 9110, section 14)."""
    start, total = _extent(response)
    if start != partial.offset:
        partial.restart()
        if start != 0:
            raise Transient(f"{job.subject}: the server did not send the part it was asked for")
    partial.joined = start > 0
    etag = response.headers.get("ETag", "")
    partial.etag = etag if etag.startswith('"') else None
    if total.isdecimal() and "Content-Encoding" not in response.headers:
        _check_size(job, int(total))


def _extent(response: BaseHTTPResponse) -> tuple[int | None, str]:
    """Return where in the file the body begins and how long the file is, as far as it is said."""
    if response.status == HTTPStatus.OK:
        return 0, response.headers.get("Content-Length", "")
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status != HTTPStatus.PARTIAL_CONTENT or match is None:
        return None, ""
    return int(match[1]), match[2]


def _check_size(job: Download, size: int) -> None:
    if job.size_bytes is not None and size != job.size_bytes:
        raise SizeMismatch(
            f"{job.subject} has {size} bytes, promised were {job.size_bytes}",
            where=display_url(job.url),
            hint=job.hint,
        )
