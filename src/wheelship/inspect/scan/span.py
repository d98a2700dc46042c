# SPDX-License-Identifier: Apache-2.0
"""A layer's archive in the pieces that its reader asks for: blocks, headers, contents."""

from __future__ import annotations

from collections.abc import Callable

from wheelship.archive.header import BLOCK_BYTES
from wheelship.archive.unpacked import UnpackedStream

__all__ = ["Spans", "TooShort", "padding_of"]


class TooShort(ValueError):
    """The archive ends where something must follow."""


def padding_of(size_bytes: int) -> int:
    """Return what fills the last block of content of this size."""
    return -size_bytes % BLOCK_BYTES


class Spans:
    """Hands out an unpacked stream; ``advanced`` is called after each new piece of it."""

    def __init__(self, stream: UnpackedStream, advanced: Callable[[], None]) -> None:
        self._stream = stream
        self._advanced = advanced
        self._data = b""
        self._at = 0

    @property
    def offset(self) -> int:
        """How much of the archive was handed out."""
        return self._stream.begin + self._at

    def block(self) -> bytes:
        """Return the next block; nothing at the end.

        Raises:
            TooShort: the archive ends inside the block.
        """
        at = self._at
        end = at + BLOCK_BYTES
        if end <= len(self._data):
            self._at = end
            return self._data[at:end]
        if at == len(self._data) and not self._more():
            return b""
        return self.take(BLOCK_BYTES)

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes, which are few enough to be held.

        Raises:
            TooShort: the archive ends before.
        """
        parts = []
        while size:
            parts.append(self.first(size, 1))
            size -= len(parts[-1])
        return b"".join(parts)

    def first(self, size: int, least: int) -> bytes:
        """Return of the next ``size`` bytes, of which there are some, what is there already.

        It is at least ``least`` bytes, or all.

        Raises:
            TooShort: the archive ends before.
        """
        least = min(least, size)
        at = self._at
        piece = self._data[at : at + size]
        if len(piece) < least:
            if piece:
                return self.take(least)
            if not self._more():
                raise TooShort
            return self.first(size, least)
        self._at = at + len(piece)
        return piece

    def skip(self, size: int) -> None:
        """Pass over the next ``size`` bytes.

        Raises:
            TooShort: the archive ends before.
        """
        while size > (there := len(self._data) - self._at):
            size -= there
            if not self._more():
                raise TooShort
        self._at += size

    def rest_is_zero(self) -> bool:
        """Go to the end; tell whether nothing but zeros was there."""
        zero = True
        while True:
            zero = zero and not self._data[self._at :].strip(b"\0")
            if not self._more():
                return zero

    def _more(self) -> bool:
        found = self._stream.advance()
        self._data = self._stream.data
        self._at = 0
        self._advanced()
        return found
