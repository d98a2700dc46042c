# SPDX-License-Identifier: Apache-2.0
"""One HTTP request over a connection that an engine made, and the bodies such requests carry."""

from __future__ import annotations

import hashlib
import http.client
import json
import mimetypes
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wheelship.errors import InputError
from wheelship.request.model import CheckRequest

__all__ = ["Message", "NoAnswer", "Response", "ask", "message_of"]

_BODY_BYTES = 16 * 1024 * 1024
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class NoAnswer(Exception):  # the caller waits, or reports it as a finding
    """The service did not answer, or not in HTTP."""


class RequestFileMissing(InputError):
    """The file that the check's request should send cannot be read."""

    code = "request-file-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request without its destination."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; at most 16 MiB of the body."""

    status: int
    body: bytes


def ask(
    dial: Callable[[int], socket.socket], port: int, message: Message, *, timeout_seconds: float
) -> Response:
    """Send ``message`` to ``port`` and return the response.

    Raises:
        NoAnswer: nothing listens, or what listens speaks no HTTP or takes too long.
    """
    try:
        connection = http.client.HTTPConnection("localhost", port, timeout=timeout_seconds)
        connection.sock = dial(port)
        try:
            connection.sock.settimeout(timeout_seconds)
            headers = {"Connection": "close", "User-Agent": "wheelship-check"} | message.headers
            connection.request(message.method, message.path, message.body or None, headers)
            response = connection.getresponse()
            body = response.read(_BODY_BYTES)
            # A bounded read does not complain about a body that is cut off.
            if response.length and len(body) < _BODY_BYTES:
                raise NoAnswer(f"the answer ends {response.length} bytes early")
            return Response(response.status, body)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error


def message_of(request: CheckRequest, project: Path) -> Message:
    """Build the message that ``request`` describes; its file is relative to ``project``.

    Raises:
        RequestFileMissing: the file cannot be read, or lies outside the project.
    """
    headers: dict[str, str] = {}
    body = b""
    if request.file is not None:
        path = project / request.file
        if not path.resolve().is_relative_to(project.resolve()):
            raise RequestFileMissing(
                f"the check's file {request.file} lies outside the project", where=str(path)
            )
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RequestFileMissing(
                f"cannot read the check's file: {error.strerror}",
                where=str(path),
                hint="correct check.request.file, which is relative to the project",
            ) from error
        headers["Content-Type"], body = _form(request.field, path.name, content)
    elif request.json is not None:
        headers["Content-Type"], body = "application/json", json.dumps(request.json).encode()
    return Message(method=request.method, path=request.path, headers=headers, body=body)


def _form(field_name: str, file_name: str, content: bytes) -> tuple[str, bytes]:
    """Encode one file as multipart/form-data (RFC 7578; names escaped as browsers do)."""
    # Deterministic, and as unlikely in the content as any random one.
    boundary = f"wheelship-{hashlib.sha256(content).hexdigest()}"
    # An instance of our own: the module's reads tables of this machine.
    kind = mimetypes.MimeTypes().guess_type(file_name)[0] or "application/octet-stream"
    disposition = (
        f'form-data; name="{field_name.translate(_ESCAPES)}"; '
        f'filename="{file_name.translate(_ESCAPES)}"'
    )
    head = (
        f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", head + content + tail
