# SPDX-License-Identifier: Apache-2.0
"""One request over a connection that somebody else made; no network is involved."""

from __future__ import annotations

import email.parser
import email.policy
import socket
import threading
from pathlib import Path

import pytest

from wheelship.engine.check.exchange import Message, NoAnswer, RequestFileMissing, ask, message_of
from wheelship.request.model import CheckRequest


class Server:
    """The far end of a socket pair: keeps what it is sent and answers with fixed bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.received = b""
        self.near, self._far = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)

    def dial(self, port: int) -> socket.socket:
        assert port == 8000
        self._thread.start()
        return self.near

    def _serve(self) -> None:
        with self._far:
            while b"\r\n\r\n" not in self.received:
                self.received += self._far.recv(65536)
            head, _, body = self.received.partition(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length: "):
                    while len(body) < int(line.partition(b": ")[2]):
                        body += self._far.recv(65536)
            self.received = head + b"\r\n\r\n" + body
            self._far.sendall(self.answer)

    def join(self) -> bytes:
        self._thread.join()
        return self.received


def test_get_is_answered() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    message = Message(method="GET", path="/healthz?full=1")
    response = ask(server.dial, 8000, message, timeout_seconds=5)
    assert (response.status, response.body) == (200, b"ok")
    head = server.join().decode()
    assert head.startswith("GET /healthz?full=1 HTTP/1.1\r\nHost: localhost:8000\r\n")
    assert "connection: close" in head.lower()


def test_json_body_is_sent() -> None:
    server = Server(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
    request = CheckRequest(path="/v1/x", method="PUT", json={"a": [1, None]})
    response = ask(server.dial, 8000, message_of(request, Path("/")), timeout_seconds=5)
    assert response.status == 201
    head, _, body = server.join().partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert body == b'{"a": [1, null]}'


@pytest.mark.parametrize("name", ["plain.wav", 'with "quotes".wav', "two\nlines.wav", "ünï.wav"])
def test_file_arrives_as_a_form_field(tmp_path: Path, name: str) -> None:
    """Read back by the standard library's own parser of MIME (RFC 7578)."""
    content = b"\r\n--wheelship\r\n\x00\xff" * 100
    (tmp_path / name).write_bytes(content)
    message = message_of(CheckRequest(path="/", file=name, field="audio"), tmp_path)
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + message.headers["Content-Type"].encode() + b"\r\n\r\n" + message.body
    )
    (part,) = parsed.iter_parts()
    assert part.get_payload(decode=True) == content
    assert part.get_param("name", header="content-disposition") == "audio"
    escaped = name.replace('"', "%22").replace("\n", "%0A")
    assert f'filename="{escaped}"'.encode() in message.body
    assert part.get_content_type() == "audio/x-wav"


def test_form_is_the_same_every_time(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    request = CheckRequest(path="/", file="a.bin")
    assert message_of(request, tmp_path) == message_of(request, tmp_path)


@pytest.mark.parametrize(("file", "says"), [("gone", "No such file"), ("../x", "outside")])
def test_file_that_cannot_be_sent(tmp_path: Path, file: str, says: str) -> None:
    (tmp_path / "x").touch()
    project = tmp_path / "project"
    project.mkdir()
    with pytest.raises(RequestFileMissing, match=says):
        message_of(CheckRequest(path="/", file=file), project)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200\r\nContent-Length: 9\r\n\r\ncut"]
)
def test_what_is_no_http_is_no_answer(answer: bytes) -> None:
    server = Server(answer)
    with pytest.raises(NoAnswer):
        ask(server.dial, 8000, Message(method="GET", path="/"), timeout_seconds=5)
    server.join()


def test_silence_is_no_answer() -> None:
    near, far = socket.socketpair()
    with far, pytest.raises(NoAnswer, match="timed out"):
        ask(lambda _: near, 8000, Message(method="GET", path="/"), timeout_seconds=0.01)


def test_refused_connection_is_no_answer() -> None:
    def refuse(_: int) -> socket.socket:
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(NoAnswer, match="refused"):
        ask(refuse, 8000, Message(method="GET", path="/"), timeout_seconds=1)
