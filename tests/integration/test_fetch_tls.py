# SPDX-License-Identifier: Apache-2.0
"""A server with a certificate of an authority that nobody knows."""

from __future__ import annotations

import http.server
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from wheelship.fetch.errors import InsecureRedirect, UntrustedCertificate
from wheelship.fetch.fetcher import Fetcher
from wheelship.fetch.tls import system_context

pytestmark = pytest.mark.integration


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/down":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/x")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
        """Say nothing."""


@pytest.fixture
def certificate(tmp_path: Path, tool: Callable[[str], str]) -> tuple[Path, Path]:
    openssl = tool("openssl")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = (
        f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {key} -out {cert}"
    )
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([openssl, *command.split(), *names], check=True, capture_output=True)
    return key, cert


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[str]:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    running.socket = context.wrap_socket(running.socket, server_side=True)
    thread = Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    yield f"https://localhost:{running.server_port}"
    running.shutdown()
    running.server_close()
    thread.join()


def test_unknown_authority_is_refused_at_once(server: str) -> None:
    naps: list[float] = []
    fetcher = Fetcher(
        user_agent="test", context=system_context(), sleep=lambda seconds, _: naps.append(seconds)
    )
    with pytest.raises(UntrustedCertificate, match="localhost cannot be verified") as caught:
        fetcher.fetch_bytes(f"{server}/x", limit_bytes=9)
    assert "SSL_CERT_FILE" in str(caught.value.hint)
    assert naps == []


def test_named_authority_is_trusted(server: str, certificate: tuple[Path, Path]) -> None:
    context = system_context(cert_file=str(certificate[1]))
    fetcher = Fetcher(user_agent="test", context=context)
    assert fetcher.fetch_bytes(f"{server}/x", limit_bytes=9) == b""
    with pytest.raises(InsecureRedirect):
        fetcher.fetch_bytes(f"{server}/down", limit_bytes=9)
