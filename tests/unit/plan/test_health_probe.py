# SPDX-License-Identifier: Apache-2.0
"""The probe that images carry: 2xx or 3xx is healthy, everything else is not, and it ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from wheelship.plan.health import health_probe


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path.strip("/") or 200)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_port
        running.shutdown()
        thread.join()


def probe(folder: Path, port: int, path: str, timeout: str = "5") -> tuple[int, str]:
    script = folder / "health.py"
    script.write_bytes(health_probe())
    result = subprocess.run(
        [sys.executable, "-IS", str(script), str(port), path, timeout],
        capture_output=True,
        check=False,
        text=True,
        env={},
    )
    assert result.stderr == ""
    return result.returncode, result.stdout.strip()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, 0), (204, 0), (302, 0), (400, 1), (404, 1), (500, 1), (503, 1)],
)
def test_the_status_decides(tmp_path: Path, server: int, status: int, expected: int) -> None:
    """Docker: exit status 0 is healthy, 1 is unhealthy, others are reserved."""
    code, said = probe(tmp_path, server, f"/{status}")
    assert (code, str(status) in said) == (expected, True)


def test_nobody_listening_is_unhealthy_without_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        code, said = probe(tmp_path, reserved.getsockname()[1], "/")
    assert code == 1
    assert said.startswith("no answer: ")


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n", b"HTTP/1.0\r\n", b"x" * 10_000])
def test_what_is_no_answer_is_unhealthy(tmp_path: Path, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        code, _ = probe(tmp_path, listening.getsockname()[1], "/")
        thread.join()
    assert code == 1


def test_a_server_that_never_answers_is_unhealthy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        code, said = probe(tmp_path, listening.getsockname()[1], "/", "0.2")
    assert (code, said) == (1, "no answer: timed out")
