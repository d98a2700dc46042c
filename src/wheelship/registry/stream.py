# SPDX-License-Identifier: Apache-2.0
"""A blob read straight from its registry, without a file: joined where the line broke."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from wheelship.fetch.connection import translate
from wheelship.fetch.errors import Transient
from wheelship.fetch.url import display_url
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.reference import Reference
from wheelship.registry.errors import RegistryAnswer
from wheelship.registry.pull import pull_scope
from wheelship.registry.session import Session

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["RemoteStream", "stream_blob"]

_PIECE_BYTES = 1024 * 1024
_WHOLE = (HTTPStatus.OK,)
_RANGED = (*_WHOLE, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
_START = re.compile(r"bytes (\d+)-")


@contextmanager
def stream_blob(session: Session, reference: Reference, blob: Descriptor) -> Iterator[RemoteStream]:
    """Yield the bytes of a blob of ``reference``'s repository; nobody has verified them.

    Raises:
        NetworkError: while it is read: the registry did not answer usefully.
    """
    with ExitStack() as connection:
        yield RemoteStream(session, reference, blob, connection)


class RemoteStream:
    """Reads a blob forward; what breaks off is asked for again from there on.

    Pieces stem from one blob only if its digest says so: that is for the reader to prove.
    """

    def __init__(
        self, session: Session, reference: Reference, blob: Descriptor, connection: ExitStack
    ) -> None:
        self._session = session
        self._scopes = pull_scope(reference)
        self._url = f"{session.base}/v2/{reference.repository}/blobs/{blob.digest}"
        self._size_bytes = blob.size_bytes
        self._connection = connection
        self._response: BaseHTTPResponse | None = None
        self._arrived = 0
        self._pending = bytearray()

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none only at the end.

        One byte more than the blob's size is looked for, so that its reader can tell that there is
        more; beyond that nothing is read.

        Raises:
            NetworkError: the last of several tries failed.
        """
        wanted = min(size, _PIECE_BYTES)
        if wanted <= 0:
            return b""
        if len(self._pending) < wanted:
            self._session.repeat(lambda: self._fill(wanted), progress=lambda: self._arrived)
        piece = bytes(self._pending[:wanted])
        del self._pending[:wanted]
        return piece

    def _fill(self, wanted: int) -> None:
        """Try once to have ``wanted`` bytes, or all that are left."""
        if self._response is None and self._arrived >= self._size_bytes > 0:
            return  # a connection that was lost behind the last byte needs no other
        try:
            response = self._response or self._open()
            while len(self._pending) < wanted:
                piece = response.read(wanted - len(self._pending), decode_content=False)
                if not piece and self._arrived < self._size_bytes:
                    raise self._broken()
                if not piece:
                    return
                self._arrived += len(piece)
                self._pending += piece
        except self._http_error() as error:
            self._drop()
            if self._arrived >= self._size_bytes:
                return
            raise (self._broken() if self._arrived else translate(error, self._url)) from error
        except Transient:
            self._drop()
            raise

    def _broken(self) -> Transient:
        return Transient(
            f"the blob broke off after {self._arrived} of {self._size_bytes} bytes",
            where=display_url(self._url),
            hint="try again",
        )

    def _open(self) -> BaseHTTPResponse:
        headers = {"Range": f"bytes={self._arrived}-"} if self._arrived else {}
        response = self._connection.enter_context(
            self._session.open(
                "GET",
                self._url,
                self._scopes,
                headers=headers,
                expected=_RANGED if headers else _WHOLE,
            )
        )
        self._response = response
        if self._arrived:
            self._position(response)
        return response

    def _position(self, response: BaseHTTPResponse) -> None:
        """Go on where the last connection broke (RFC 9110, section 14)."""
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise RegistryAnswer(
                f"has no more than {self._arrived} of the {self._size_bytes} bytes of the blob",
                where=display_url(self._url),
            )
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            start = _START.match(response.headers.get("Content-Range", ""))
            if start is None or int(start[1]) != self._arrived:
                raise Transient(
                    "the registry did not send the part it was asked for",
                    where=display_url(self._url),
                )
            return
        left = self._arrived  # everything again: the beginning is known
        while left:
            piece = response.read(min(left, _PIECE_BYTES), decode_content=False)
            if not piece:
                raise Transient("the blob broke off again", where=display_url(self._url))
            left -= len(piece)

    def _drop(self) -> None:
        self._response = None
        self._connection.close()

    @staticmethod
    def _http_error() -> type[Exception]:
        from urllib3.exceptions import HTTPError

        return HTTPError
