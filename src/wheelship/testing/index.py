# SPDX-License-Identifier: Apache-2.0
"""A package index on loopback, right by default and faulty on request.

It serves a directory of wheels by the simple repository API (PEP 503, 629 and 691), their metadata
(PEP 658) and ranges (RFC 9110, section 14), and remembers what it was asked.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import socket
import struct
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Lock
from urllib.parse import quote, unquote

from wheelship.testing.loopback import LoopbackServer

__all__ = ["Fault", "PackageIndex", "Received"]

_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with the next ``times`` requests whose path ends in ``path``.

    Attributes:
        status: answer with this status and no body.
        headers: further headers; they replace the right ones of the same name.
        body: send this instead of the right body (the length is that of what is sent).
        promise: length to announce instead of the true one.
        truncate: stop after so many bytes of the body and close the connection.
        reset: close the connection by RST where it would otherwise be closed properly.
        ignore_range: answer 200 with everything although a part was asked for.
        delay_seconds: wait before the answer.
    """

    path: str = ""
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    promise: int | None = None
    truncate: int | None = None
    reset: bool = False
    ignore_range: bool = False
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it arrived; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class PackageIndex(LoopbackServer):
    """A context manager; the server runs while it is entered.

    Attributes:
        files: the directory whose ``*.whl`` files are served; they may change at any time.
        documents: further bodies, by path (``/`` first).
        redirects: paths that lead to another address.
        faults: what is to go wrong; used up in order.
        received: the requests so far.
        login: user and password that every request must bring (RFC 7617), or None.
        html_only: refuse PEP 691, as older servers do; HTML pages tell no sizes.
        hashes: whether pages tell the SHA-256 of files.
    """

    def __init__(self, files: Path, *, html_only: bool = False, hashes: bool = True) -> None:
        self.files = files
        self.html_only = html_only
        self.hashes = hashes
        self.documents: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.received: list[Received] = []
        self.login: tuple[str, str] | None = None
        self._lock = Lock()
        super().__init__(_handler_of(self))

    @property
    def simple_url(self) -> str:
        """Address of the index."""
        return f"{self.url}/simple"

    def file_url(self, filename: str) -> str:
        """Return the address of a wheel."""
        return f"{self.url}/files/{quote(filename)}"

    def paths(self, method: str = "GET") -> list[str]:
        """Return the paths asked for by ``method`` so far."""
        return [one.path for one in self.received if one.method == method]

    def record(self, received: Received) -> Fault | None:
        """Remember a request and return the fault it meets, which is used up thereby."""
        with self._lock:
            self.received.append(received)
            for position, fault in enumerate(self.faults):
                if received.path.endswith(fault.path):
                    left = fault.times - 1
                    self.faults[position : position + 1] = (
                        [replace(fault, times=left)] if left else []
                    )
                    return fault
        return None

    def content(self, path: str, accept: str) -> tuple[str, bytes] | None:
        """Return type and body of ``path``, None where there is nothing."""
        if path in self.documents:
            return "application/octet-stream", self.documents[path]
        match [part for part in path.split("/") if part]:
            case ["files", name] if name.endswith(".whl.metadata"):
                wheel = self.files / name.removesuffix(".metadata")
                return ("text/plain", _metadata(wheel)) if wheel.is_file() else None
            case ["files", name] if (self.files / name).is_file():
                return "application/octet-stream", (self.files / name).read_bytes()
            case ["simple", name] if found := self._files_of(name):
                if _JSON in accept and not self.html_only:
                    return _JSON, self._json_page(name, found)
                return "text/html", self._html_page(found)
            case _:
                return None

    def _files_of(self, project: str) -> list[Path]:
        return [
            path
            for path in sorted(self.files.iterdir())
            if path.suffix == ".whl" or path.name.endswith(".tar.gz")
            if _normalised(re.split(r"-(?=\d)", path.name, maxsplit=1)[0]) == project
        ]

    def _json_page(self, project: str, files: list[Path]) -> bytes:
        rows = [
            {
                "filename": path.name,
                "url": f"../../files/{quote(path.name)}",
                "hashes": {"sha256": _sha256(path)} if self.hashes else {},
                "size": path.stat().st_size,
                "core-metadata": path.suffix == ".whl",
            }
            for path in files
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": rows}).encode()

    def _html_page(self, files: list[Path]) -> bytes:
        rows = [
            f'<a href="../../files/{quote(path.name)}'
            + (f"#sha256={_sha256(path)}" if self.hashes else "")
            + f'">{html.escape(path.name)}</a><br>'
            for path in files
        ]
        return ("<!DOCTYPE html>\n" + "\n".join(rows)).encode()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    index: PackageIndex

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(self.path.partition("?")[0])
        received = Received(
            method=self.command,
            path=path,
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        fault = self.index.record(received) or Fault()
        time.sleep(fault.delay_seconds)
        status, headers, body = self._right(path, fault)
        if fault.status is not None:
            status, headers, body = fault.status, {}, b""
        if fault.body is not None:
            body = fault.body
        length = len(body) if fault.promise is None else fault.promise
        headers = {**headers, "Content-Length": str(length), **fault.headers}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body[: fault.truncate])
        if fault.truncate is not None or fault.reset or length != len(body):
            self._hang_up(reset=fault.reset)

    def _right(self, path: str, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of a server without faults."""
        if self.index.login is not None:
            wanted = base64.b64encode(":".join(self.index.login).encode()).decode()
            if self.headers.get("Authorization") != f"Basic {wanted}":
                return 401, {"WWW-Authenticate": 'Basic realm="index"'}, b""
        if path in self.index.redirects:
            return 302, {"Location": self.index.redirects[path]}, b""
        found = self.index.content(path, self.headers.get("Accept", ""))
        if found is None:
            return 404, {}, b""
        kind, body = found
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"Content-Type": kind, "ETag": etag, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None or fault.ignore_range or self.headers.get("If-Range", etag) != etag:
            return 200, headers, body
        start, end = int(asked[1]), min(int(asked[2] or len(body)), len(body) - 1)
        if start >= len(body):
            return 416, {**headers, "Content-Range": f"bytes */{len(body)}"}, b""
        headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
        return 206, headers, body[start : end + 1]

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _handler_of(index: PackageIndex) -> type[_Handler]:
    return type("Handler", (_Handler,), {"index": index})


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
