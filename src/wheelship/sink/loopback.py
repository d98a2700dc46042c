# SPDX-License-Identifier: Apache-2.0
"""One image as a read-only registry on loopback, for as long as an engine pulls it.

Speaks the part of the distribution specification that pulling by digest needs. The repository's
name is a secret made for the occasion: other users of this machine can reach the port, but not the
image.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer
from threading import Lock, Thread
from typing import BinaryIO, ClassVar, Self

from wheelship.errors import WheelshipError
from wheelship.oci.digest import Digest
from wheelship.oci.image import Documents

__all__ = ["LoopbackRegistry"]

_THREADS = 8  # podman fetches six layers at a time, docker three
_PIECE_BYTES = 1024 * 1024
_ASK_SECONDS = 10  # an engine that has connected says at once what it wants
_SEND_SECONDS = 300  # one that unpacks on a slow disk may not read for long
_HELLO_BYTES = 16 * 1024
_BLOB = "application/octet-stream"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class LoopbackRegistry:
    """Serves ``image`` while it is entered.

    ``blob`` returns the file of a layer and is asked only when an engine wants that layer;
    ``advance`` is told what was sent. Both are called from several threads.
    """

    def __init__(
        self, image: Documents, blob: Callable[[Digest], Path], advance: Callable[[int], None]
    ) -> None:
        self.digest = image.descriptor.digest
        self._media_type = image.descriptor.media_type
        self.failure: WheelshipError | None = None
        self.sent_bytes = 0
        self.asked = 0
        self._blob = blob
        self._advance = advance
        self._lock = Lock()
        self._documents = {
            self.digest: image.manifest_bytes,
            Digest.of(image.config_bytes): image.config_bytes,
        }
        self._sizes = {one.digest: one.size_bytes for one in image.blobs}
        self._sizes |= {digest: len(data) for digest, data in self._documents.items()}
        self._repository = f"wheelship/{secrets.token_hex(16)}"
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def reference(self) -> str:
        """How an engine of this machine pulls the image."""
        port = self._server.server_address[1]
        return f"127.0.0.1:{port}/{self._repository}@{self.digest}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def find(self, path: str) -> tuple[Digest, str] | None:
        """Return which blob ``path`` names, and its media type; None for anything else."""
        parts = path.removeprefix(f"/v2/{self._repository}/").split("/")
        if len(parts) != 2 or parts[0] not in ("manifests", "blobs"):  # noqa: PLR2004 - kind, digest
            return None
        known = {str(digest): digest for digest in self._sizes}
        digest = known.get(parts[1])
        if digest is None or (parts[0] == "manifests") != (digest == self.digest):
            return None
        return digest, self._media_type if digest == self.digest else _BLOB

    def size(self, digest: Digest) -> int:
        """Return the size of one of the image's blobs."""
        return self._sizes[digest]

    def open(self, digest: Digest) -> BinaryIO | None:
        """Open one of the image's blobs; None when it cannot be had (see ``failure``)."""
        if digest in self._documents:
            return BytesIO(self._documents[digest])
        try:
            return self._blob(digest).open("rb")
        except WheelshipError as error:
            self.failure = error
        except OSError:  # whoever streams the image finds out what is wrong with the store
            pass
        return None

    def count(self, *, asked: int = 0, sent: int = 0) -> None:
        """Note what happened."""
        with self._lock:
            self.asked += asked
            self.sent_bytes += sent
        if sent:
            self._advance(sent)


class _Server(TCPServer):
    """Answers each connection in one of a bounded number of threads."""

    request_queue_size = 64

    def __init__(self, registry: LoopbackRegistry) -> None:
        self.registry = registry
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="loopback-registry")
        self._open: set[socket.socket] = set()
        self._guard = Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)  # noqa: S101 - a TCPServer's requests are
        with self._guard:
            self._open.add(request)
        self._pool.submit(self._answer, request, client_address)

    def _answer(self, request: socket.socket, client_address: object) -> None:
        try:
            with suppress(OSError):  # the engine went away
                self.finish_request(request, client_address)
        finally:
            with self._guard:
                self._open.discard(request)
            self.shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._pool.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """One request on one connection: loopback connections cost nothing, idle threads do."""

    protocol_version = "HTTP/1.1"
    server_version = "wheelship"
    sys_version = ""
    timeout: ClassVar[float] = _ASK_SECONDS
    server: _Server

    def handle(self) -> None:
        # Engines try TLS first, and containerd's goes on without it only when the answer to its
        # handshake is HTTP. A handshake has no line end to wait for, so look at its first byte.
        if self.connection.recv(1, socket.MSG_PEEK).isalpha():
            self.handle_one_request()
        elif self.connection.recv(_HELLO_BYTES):
            self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\nplain HTTP is spoken here\n")

    def do_GET(self) -> None:
        self._reply(with_body=True)

    def do_HEAD(self) -> None:
        self._reply(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _reply(self, *, with_body: bool) -> None:
        registry = self.server.registry
        registry.count(asked=1)
        if self.path in ("/v2/", "/v2"):
            self._document(HTTPStatus.OK, {}, with_body=with_body)
            return
        found = registry.find(self.path)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN", with_body=with_body)
            return
        digest, media_type = found
        size = registry.size(digest)
        span = _span(self.headers.get("Range"), size)
        if span is None:
            self._refuse(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "RANGE_INVALID", with_body=with_body
            )
            return
        stream = registry.open(digest) if with_body else BytesIO()
        if stream is None:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN", with_body=with_body)
            return
        begin, end = span
        part = end - begin < size
        self.send_response(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK)
        self._headers(media_type, end - begin)
        self.send_header("Docker-Content-Digest", str(digest))
        self.send_header("Accept-Ranges", "bytes")
        if part:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.end_headers()
        with stream:
            if with_body:
                self._send(stream, begin, end)

    def _send(self, stream: BinaryIO, begin: int, end: int) -> None:
        self.connection.settimeout(_SEND_SECONDS)
        while begin < end:
            # The engine hashes what it gets; hashing here as well would find nothing more.
            sent = self.connection.sendfile(stream, begin, min(_PIECE_BYTES, end - begin))
            if not sent:  # the blob is shorter than it was: the engine misses the rest
                return
            self.server.registry.count(sent=sent)
            begin += sent

    def _refuse(self, status: HTTPStatus, code: str, *, with_body: bool) -> None:
        document = {"errors": [{"code": code, "message": status.phrase.lower()}]}
        self._document(status, document, with_body=with_body)

    def _document(self, status: HTTPStatus, document: object, *, with_body: bool) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self._headers("application/json", len(data))
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def _headers(self, media_type: str, size: int) -> None:
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(size))
        self.send_header("Connection", "close")


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the wanted bytes as a half-open range; None when there are none such (RFC 9110)."""
    matched = _RANGE.fullmatch(header or "")
    if matched is None or not any(matched.groups()):
        return 0, size  # what is not understood is ignored
    first, last = matched.groups()
    if not first:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(size, int(last) + 1 if last else size)
    return (begin, end) if begin < end else None
