# SPDX-License-Identifier: Apache-2.0
"""The compressed side of a layer: a forward stream with a look ahead, and what can be wrong."""

from __future__ import annotations

from typing import Protocol

__all__ = ["BlobInput", "ByteStream", "Undecodable", "UnknownPacking"]

_READ_BYTES = 512 * 1024


class Undecodable(ValueError):
    """The compressed data is not what it must be; who knows the layer's name says so to the user.

    The text goes on a sentence about the layer: "is damaged …", "ends inside …".
    """


class UnknownPacking(Undecodable):
    """The layer is compressed in a way that is not read here."""


class ByteStream(Protocol):
    """Bytes, forward only."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none only at the end."""


class BlobInput:
    """Looks ahead in a stream; ``offset`` is how much of it was skipped over."""

    def __init__(self, stream: ByteStream) -> None:
        self.offset = 0
        self._stream = stream
        self._view = memoryview(b"")
        self._ended = False

    def some(self, size: int) -> memoryview:
        """Return the next bytes: at least one, at most ``size``, none only at the end."""
        if not self._view:
            self._more()
        return self._view[:size]

    def peek(self, size: int) -> memoryview:
        """Return the next ``size`` bytes, fewer only at the end."""
        while len(self._view) < size and not self._ended:
            self._more()
        return self._view[:size]

    def need(self, size: int) -> memoryview:
        """Return the next ``size`` bytes.

        Raises:
            Undecodable: the stream ends before.
        """
        found = self.peek(size)
        if len(found) < size:
            raise Undecodable("ends inside its compressed data")
        return found

    def skip(self, size: int) -> None:
        """Go on by ``size`` bytes, which were looked at before."""
        self._view = self._view[size:]
        self.offset += size

    def _more(self) -> None:
        if self._ended:
            return
        data = self._stream.read(_READ_BYTES)
        self._ended = not data
        self._view = memoryview(bytes(self._view) + data if self._view else data)
