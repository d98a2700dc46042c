# SPDX-License-Identifier: Apache-2.0
"""One blob into a registry: found there, mounted, sent in one request or in chunks.

distribution-spec, "Pushing blobs". Files stream from disk and are hashed on the way; the last piece
is only sent when the hash is right, so that damaged bytes never complete an upload.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Event
from typing import BinaryIO, Literal
from urllib.parse import quote

from wheelship.errors import NetworkError
from wheelship.events import Advanced, Emit, Finished, Started
from wheelship.fetch.errors import Cancelled, Transient
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest
from wheelship.registry.address import upload_target
from wheelship.registry.errors import (
    DigestMismatch,
    ImageNotFound,
    RegistryDenied,
    RegistryRefused,
)
from wheelship.registry.session import Session
from wheelship.store.errors import DamagedStore

__all__ = ["BlobSource", "Pace", "Placed", "Uploader", "push_scope"]

_PIECE_BYTES = 256 * 1024
_MIB = 1024 * 1024
# None is one request for all. GHCR takes 4 MiB a chunk, a proxy nginx without settings 1 MiB.
_STEPS = (None, 16 * _MIB, 4 * _MIB, _MIB)
# What refuses the way a blob is sent, not the blob.
_TOO_MUCH = (400, 405, 411, 413, 415, 416, 501)
_BREAKS = 2
_RESUMES = 3
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")
_OCTETS = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSource:
    """A blob to be there.

    Attributes:
        open: opens its bytes; called only when they must be sent, and may fetch them first.
        title: what it is called in events.
        origins: repositories of the same registry that have it, to mount it from.
    """

    descriptor: Descriptor
    open: Callable[[], BinaryIO]
    title: str = ""
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A blob that is in the registry now; ``sent_bytes`` counts every try."""

    digest: Digest
    size_bytes: int
    how: Literal["sent", "existing", "mounted"]
    sent_bytes: int


@dataclass(slots=True)
class Pace:
    """How much the registry takes in one request: learnt from its refusals, for all blobs."""

    level: int = 0
    minimum: int = 0
    breaks: int = 0

    @property
    def chunk_bytes(self) -> int | None:
        """Size of a chunk, None for one request for all."""
        step = _STEPS[self.level]
        if step is None and not self.minimum:
            return None
        return max(step or _STEPS[1] or 0, self.minimum)

    def slower(self, level: int) -> bool:
        """Note that ``level`` is too much; return whether there is another way."""
        if level + 1 < len(_STEPS):
            self.level = max(self.level, level + 1)
        return self.level > level


def push_scope(repository: str, *origins: str) -> frozenset[str]:
    """Return the token scopes that writing to ``repository`` needs, and reading ``origins``."""
    wanted = {f"repository:{one}:pull" for one in origins if one != repository}
    return frozenset({f"repository:{repository}:pull,push", *wanted})


class Uploader:
    """Brings blobs into ``repository``. Safe for several threads; ``cancelled`` ends them all."""

    def __init__(self, session: Session, repository: str, emit: Emit, cancelled: Event) -> None:
        self._session = session
        self._repository = repository
        self._emit = emit
        self._cancelled = cancelled
        self._pace = Pace()
        self._blobs = f"/v2/{repository}/blobs"
        self._scope = push_scope(repository)

    def place(self, blob: BlobSource) -> Placed:
        """Make the registry have ``blob``.

        Raises:
            DamagedStore: its bytes are not what its digest says; the registry has not got it.
            NetworkError: the registry does not take it.
        """
        subject = blob.title or str(blob.descriptor.digest)[:19]
        self._emit(Started("push", subject, blob.descriptor.size_bytes))
        transfer = _Transfer(blob, subject, self._emit, self._cancelled)
        try:
            how = self._session.repeat(
                lambda: self._attempt(blob, transfer), cancelled=self._cancelled
            )
        except BaseException:
            self._emit(Finished("push", subject, "failed"))
            raise
        detail = {"existing": "already there", "mounted": "mounted", "sent": ""}[how]
        self._emit(Finished("push", subject, "done" if how == "sent" else "reused", detail))
        return Placed(
            digest=blob.descriptor.digest,
            size_bytes=blob.descriptor.size_bytes,
            how=how,
            sent_bytes=transfer.sent_bytes,
        )

    def _attempt(
        self, blob: BlobSource, transfer: _Transfer
    ) -> Literal["sent", "existing", "mounted"]:
        # Asked in every try: the last one may have been completed, and only its answer was lost.
        if self._exists(blob.descriptor):
            return "existing"
        location = self._mount(blob)
        if location is None:
            return "mounted"
        while True:
            level = self._pace.level
            try:
                with _opened(blob) as file:
                    self._send(location, transfer, file)
            except RegistryRefused as error:
                if error.status not in _TOO_MUCH or not self._pace.slower(level):
                    raise
            except Transient:
                # Some proxies hang up on large requests instead of refusing them.
                self._pace.breaks += transfer.offset > 0
                if self._pace.breaks >= _BREAKS and level == 0:
                    self._pace.slower(level)
                raise
            else:
                return "sent"
            location = self._begin()

    def _exists(self, blob: Descriptor) -> bool:
        try:
            answer = self._session.ask("HEAD", f"{self._blobs}/{blob.digest}", self._scope)
        except ImageNotFound:
            return False
        except RegistryRefused as error:
            if error.status in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED):
                return False
            raise
        _check_digest(answer.headers, blob.digest, self._repository)
        length = answer.headers.get("Content-Length", "")
        return not length.isdecimal() or int(length) == blob.size_bytes

    def _mount(self, blob: BlobSource) -> str | None:
        """Return where to upload, None when the registry took it from another repository."""
        for origin in blob.origins:
            if origin == self._repository:
                continue
            query = f"?mount={quote(str(blob.descriptor.digest))}&from={quote(origin, safe='')}"
            scope = push_scope(self._repository, origin)
            # No permission to read there, or no such thing as mounting: then it is sent.
            with suppress(RegistryDenied, RegistryRefused, ImageNotFound):
                answer = self._session.ask(
                    "POST", f"{self._blobs}/uploads/{query}", scope, expected=(201, 202)
                )
                if answer.status == HTTPStatus.CREATED:
                    return None
                self._learn(answer.headers)
                return upload_target(answer.url, answer.headers.get("Location"))
        return self._begin()

    def _begin(self) -> str:
        answer = self._session.ask(
            "POST", f"{self._blobs}/uploads/", self._scope, expected=(HTTPStatus.ACCEPTED,)
        )
        self._learn(answer.headers)
        return upload_target(answer.url, answer.headers.get("Location"))

    def _learn(self, headers: Mapping[str, str]) -> None:
        text = headers.get("OCI-Chunk-Min-Length", "")
        if text.isdecimal():
            self._pace.minimum = max(self._pace.minimum, min(int(text), 1024 * _MIB))

    def _send(self, location: str, transfer: _Transfer, file: BinaryIO) -> None:
        transfer.begin(file)
        size, chunk = transfer.size, self._pace.chunk_bytes
        start = 0
        if chunk is not None:
            while start < size:
                end = min(start + chunk, size)
                location, start = self._patch(location, transfer, start, end)
        length = size - start
        query = f"digest={quote(str(transfer.digest))}"
        with _lost_session():
            answer = self._session.ask(
                "PUT",
                location + ("&" if "?" in location else "?") + query,
                self._scope,
                headers={**_OCTETS, "Content-Length": str(length)},
                body=lambda: transfer.pieces(start, size),
                expected=(HTTPStatus.CREATED,),
            )
        _check_digest(answer.headers, transfer.digest, self._repository)

    def _patch(self, location: str, transfer: _Transfer, start: int, end: int) -> tuple[str, int]:
        """Send a chunk; return where the upload goes on, and from which offset."""
        headers = {
            **_OCTETS,
            "Content-Length": str(end - start),
            "Content-Range": f"{start}-{end - 1}",
        }
        try:
            with _lost_session():
                answer = self._session.ask(
                    "PATCH",
                    location,
                    self._scope,
                    headers=headers,
                    body=lambda: transfer.pieces(start, end),
                    expected=(HTTPStatus.ACCEPTED,),
                )
        except Transient:
            resumed = self._resume(location, transfer)
            if resumed is None:
                raise
            return resumed
        # Some registries' Range stands still although they have all (traps §6): ours is counted,
        # and the digest at the end proves it.
        return upload_target(location, answer.headers.get("Location") or location), end

    def _resume(self, location: str, transfer: _Transfer) -> tuple[str, int] | None:
        """Return where an upload that broke off goes on, None when the registry does not know."""
        if transfer.resumes == _RESUMES:
            return None
        transfer.resumes += 1
        try:
            answer = self._session.ask(
                "GET", location, self._scope, expected=(HTTPStatus.NO_CONTENT,)
            )
        except NetworkError:
            return None
        match = _RANGE.fullmatch(answer.headers.get("Range", ""))
        start = int(match[1]) + 1 if match else 0
        # "0-0" is said of one byte and of none.
        if not 1 < start <= transfer.offset:
            return None
        target = upload_target(location, answer.headers.get("Location") or location)
        return target, start


@dataclass(slots=True)
class _Transfer:
    """The bytes of one blob on their way: counted, hashed once, held back when they are wrong."""

    blob: BlobSource
    subject: str
    emit: Emit
    cancelled: Event
    sent_bytes: int = 0
    offset: int = 0
    resumes: int = 0
    _shown: int = 0
    _hashed: int = 0
    _file: BinaryIO | None = None
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def size(self) -> int:
        """Size of the blob in bytes."""
        return self.blob.descriptor.size_bytes

    @property
    def digest(self) -> Digest:
        """Digest of the blob."""
        return self.blob.descriptor.digest

    def begin(self, file: BinaryIO) -> None:
        """Begin a try with ``file``, which starts with the blob's first byte."""
        self._file = file
        self._hash = hashlib.sha256()
        self._hashed = self.offset = 0

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``end``, which were read before or come next."""
        self._advance(start - self._shown)
        self.offset = start
        assert self._file is not None  # noqa: S101 - begin() comes first
        try:
            self._file.seek(start)
        except OSError as error:
            raise _damaged(self.blob, self.subject, str(error.strerror)) from error
        if end == start == self.size:
            self._check()
        while self.offset < end:
            if self.cancelled.is_set():
                raise Cancelled("given up because something else failed", where=self.subject)
            piece = self._read(min(_PIECE_BYTES, end - self.offset))
            yield piece
            self.offset += len(piece)
            self.sent_bytes += len(piece)
            self._advance(len(piece))

    def _read(self, wanted: int) -> bytes:
        assert self._file is not None  # noqa: S101 - begin() comes first
        try:
            piece = self._file.read(wanted)
        except OSError as error:
            raise _damaged(self.blob, self.subject, str(error.strerror)) from error
        if not piece:
            raise _damaged(
                self.blob, self.subject, f"it ends after {self.offset} of {self.size} bytes"
            )
        after = self.offset + len(piece)
        if after > self._hashed:
            self._hash.update(piece[self._hashed - self.offset :])
            self._hashed = after
        if after == self.size:
            self._check()
        return piece

    def _check(self) -> None:
        if self._hash.hexdigest() != self.digest.hex:
            raise _damaged(self.blob, self.subject, "its content is not what its digest says")

    def _advance(self, count: int) -> None:
        self._shown += count
        if count:
            self.emit(Advanced("push", self.subject, count))


def _opened(blob: BlobSource) -> BinaryIO:
    try:
        return blob.open()
    except OSError as error:
        raise _damaged(blob, blob.title, str(error.strerror)) from error


def _damaged(blob: BlobSource, subject: str, why: str) -> DamagedStore:
    return DamagedStore(
        f"the blob {blob.descriptor.digest} is damaged: {why}; no tag was moved",
        where=subject,
        hint="wheelship cache verify, then build again: the layer is made anew",
    )


class _lost_session:  # noqa: N801 - reads as the with statement it is
    """Turns the registry's forgetting of an upload into something to try again from the start."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ImageNotFound):
            raise Transient(
                f"the registry lost the upload: {error.message}",
                where=error.where,
                hint="try again",
            ) from error


def _check_digest(headers: Mapping[str, str], digest: Digest, where: str) -> None:
    told = headers.get("Docker-Content-Digest", "")
    if told.startswith("sha256:") and told != str(digest):
        raise DigestMismatch(
            f"the registry says that it has {told[:80]} where it was sent {digest}",
            where=where,
            hint="a proxy between here and the registry may change what is sent",
        )
