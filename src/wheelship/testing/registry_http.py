# SPDX-License-Identifier: Apache-2.0
"""The HTTP side of the fake registry: what goes wrong on the line, on request."""

from __future__ import annotations

import gzip
import re
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Answer", "RegistryFault", "RegistryRequest", "handler_of"]

_RANGE = re.compile(r"bytes=(\d+)-\d*")
_NO_CONTENT = 204

# Status, headers, body.
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFault:
    """What goes wrong with the next ``times`` requests (None: all) that it is for.

    Attributes:
        method / path: which requests: the method, and a regular expression found in the path.
        status: answer so, without doing what was asked.
        headers: further headers; they replace the right ones of the same name.
        omit: headers that are left out.
        body: send this instead of the right body.
        truncate: stop after so many bytes of the body and close the connection.
        reset: close by RST instead of answering, after doing what was asked.
        break_upload: close by RST after so many bytes of the request's body, doing nothing.
        early: with ``status``: answer and close before the request's body was read.
        compress: send the body gzipped, with a Content-Encoding nobody asked for.
        ignore_range: answer 200 with everything although a part was asked for.
        shift_range: answer a range that begins so many bytes later than was asked for.
        loop: redirect (307) to where the request went.
        delay_seconds: wait before the answer.
    """

    method: str = ""
    path: str = ""
    times: int | None = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    omit: frozenset[str] = frozenset()
    body: bytes | None = None
    truncate: int | None = None
    reset: bool = False
    break_upload: int | None = None
    early: bool = False
    compress: bool = False
    ignore_range: bool = False
    shift_range: int = 0
    loop: bool = False
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRequest:
    """A request as it arrived; names of headers are in lower case, ``size`` is the body's."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    size: int = 0


class Answers(Protocol):
    """What the handler wants of the registry."""

    def fault_for(self, request: RegistryRequest) -> RegistryFault:
        """Remember a request and return the fault it meets."""
        ...

    def answer(self, request: RegistryRequest, body: bytes) -> Answer:
        """Do what was asked."""
        ...


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    registry: Answers

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = RegistryRequest(
            method=self.command,
            path=parts.path,
            query=_query(parts.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            size=length,
        )
        fault = self.registry.fault_for(request)
        time.sleep(fault.delay_seconds)
        if fault.break_upload is not None:
            self.rfile.read(min(fault.break_upload, length))
            self._hang_up(reset=True)
            return
        body = b"" if fault.early else self.rfile.read(length)
        headers: dict[str, str]
        if fault.loop:
            status, headers, content = 307, {"Location": self.path}, b""
        elif fault.status is not None:
            status, headers, content = fault.status, {}, b""
        else:
            status, headers, content = self._right(request, body, fault)
        if fault.reset and fault.truncate is None:
            self._hang_up(reset=True)
            return
        if fault.body is not None:
            content = fault.body
        if fault.compress:
            content, headers = gzip.compress(content), {**headers, "Content-Encoding": "gzip"}
        self._send(status, {"Content-Length": str(len(content)), **headers}, content, fault)

    def _right(self, request: RegistryRequest, body: bytes, fault: RegistryFault) -> Answer:
        headers = dict(request.headers)
        if fault.ignore_range:
            headers.pop("range", None)
        if fault.shift_range and (asked := _RANGE.fullmatch(headers.get("range", ""))):
            headers["range"] = f"bytes={int(asked[1]) + fault.shift_range}-"
        return self.registry.answer(replace(request, headers=headers), body)

    def _send(
        self, status: int, headers: dict[str, str], content: bytes, fault: RegistryFault
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, **fault.headers}.items():
            if name not in fault.omit and (status != _NO_CONTENT or name != "Content-Length"):
                self.send_header(name, value)
        if fault.early:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: fault.truncate])
        if fault.truncate is not None or fault.early:
            self._hang_up(reset=fault.reset)

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_WR)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 - as in the base


def _query(text: str) -> dict[str, str]:
    """Return the query; scopes may be given several times."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(text):
        query[name] = f"{query[name]} {value}" if name in query else value
    return query


def handler_of(registry: Answers) -> type[_Handler]:
    """Return the handler of ``registry``'s requests."""
    return type("Handler", (_Handler,), {"registry": registry})
