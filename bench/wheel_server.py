# SPDX-License-Identifier: Apache-2.0
"""Serves wheels on loopback, as an index near by would."""

from __future__ import annotations

import html
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

__all__ = ["WheelServer"]


class WheelServer:
    """Serves the directories below ``root``, each a page of links; runs while entered.

    Attributes:
        url: its address, without a slash at the end.
    """

    def __init__(self, root: Path) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = root / unquote(self.path).strip("/")
                if path.parent == root and path.is_dir():
                    names = sorted(one.name for one in path.glob("*.whl"))
                    links = (
                        f'<a href="/{path.name}/{quote(one)}">{html.escape(one)}</a>'
                        for one in names
                    )
                    body = "\n".join(links).encode()
                    self._head(200, "text/html", len(body))
                    self.wfile.write(body)
                elif path.parent.parent == root and path.is_file():
                    with path.open("rb") as file:
                        self._head(200, "application/octet-stream", path.stat().st_size)
                        self.wfile.flush()
                        self.connection.sendfile(file)
                else:
                    self._head(404, "text/plain", 0)

            def _head(self, status: int, kind: str, size: int) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(size))
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
