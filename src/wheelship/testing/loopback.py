# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that runs while it is entered: what made indexes and registries stand on."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

__all__ = ["LoopbackServer"]


class LoopbackServer:
    """A context manager; ``handler`` answers, one thread for each connection."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """Host and port, as references and proxies name it."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Address of the server, without a slash at the end."""
        return f"http://{self.host}"


class _Server(ThreadingHTTPServer):
    """Says nothing about clients that hang up."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Show what is no broken connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
