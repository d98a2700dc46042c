# SPDX-License-Identifier: Apache-2.0
"""Makes a port of a service without a network of its own reachable on a port of this machine.

For ``run``; ``check`` needs none, it dials the service directly.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from wheelship.engine.port import refuse_taken_port

__all__ = ["Forward"]

_CHUNK_BYTES = 64 * 1024
_LOOK_SECONDS = 0.2


class Forward:
    """Listens on ``127.0.0.1:port`` (0 = any free one) while the context is open.

    Raises:
        PortTaken: something listens there.
    """

    def __init__(self, port: int, dial: Callable[[], socket.socket]) -> None:
        if port:
            refuse_taken_port(port)
        self._dial = dial
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(_LOOK_SECONDS)
        self._ends: set[socket.socket] = set()
        self._closing = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._pairs: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """The port that is listened on."""
        number: int = self._listener.getsockname()[1]
        return number

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._acceptor.join()
        self._listener.close()
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for pair in self._pairs:
            pair.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                far = self._dial()
            except OSError:  # nothing listens yet; the caller sees a closed connection
                near.close()
                continue
            pair = threading.Thread(target=self._connect, args=(near, far), daemon=True)
            self._pairs = [one for one in self._pairs if one.is_alive()]
            self._pairs.append(pair)
            pair.start()

    def _connect(self, near: socket.socket, far: socket.socket) -> None:
        self._ends |= {near, far}
        if self._closing.is_set():  # after the others were shut down
            near.close()
            far.close()
            return
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        _copy(near, far)
        back.join()
        self._ends -= {near, far}
        near.close()
        far.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
    with suppress(OSError):  # the other direction may have more to say
        target.shutdown(socket.SHUT_WR)
