# SPDX-License-Identifier: Apache-2.0
"""Finds out for which GPUs a library holds device code, while its bytes pass by.

NVIDIA's compiler puts device code into fat binaries: a container (16-byte header with the size of
what follows) holds entries back to back, each with a header that says what it is, for which
architecture, and how long it is. The format is not documented by NVIDIA; what is read here was
checked on every library of torch 2.13 and 2.15 and of the CUDA 13 wheels they need. Whatever does
not look exactly like a container is passed over.
"""

from __future__ import annotations

import struct
from typing import Literal

from wheelship.variant.gpu import DeviceCode

__all__ = ["FatbinReader"]

_MAGIC = b"\x50\xed\x55\xba"
_CONTAINER = struct.Struct("<4sHHQ")
_ENTRY = struct.Struct("<H2xIQ12xI8xQ16x")
"""Kind, bytes of this header, bytes of the data; architecture at 28, flags at 40."""

_HEADER_BYTES_MAX = 4096
_KINDS: dict[int, Literal["ptx", "cubin"]] = {1: "ptx", 2: "cubin"}
_SPECIFIC = 0x100000


class FatbinReader:
    """Takes a library's bytes in pieces of any size; ``code_bytes`` is how much it holds of what.

    At most one header is kept between pieces.
    """

    def __init__(self) -> None:
        self.code_bytes: dict[DeviceCode, int] = {}
        self._buffer = b""
        self._at = 0  # beyond the buffer while code is skipped
        self._left = 0  # bytes of the present container still to come

    @property
    def found(self) -> set[DeviceCode]:
        """What the library holds."""
        return set(self.code_bytes)

    @property
    def device_bytes(self) -> int:
        """How much device code there is in all."""
        return sum(self.code_bytes.values())

    def feed(self, data: bytes) -> None:
        """Look through the next piece."""
        rest = self._buffer[self._at :]
        at = max(0, self._at - len(self._buffer))
        if not rest and at >= len(data):
            self._buffer, self._at = b"", at - len(data)
            return
        short = not self._left and len(rest) < len(_MAGIC)
        # The common case copies nothing. Four bytes are found twice as fast from behind: CPython
        # then skips ahead by what it reads, and forward it stops at every last byte.
        if short and data.rfind(_MAGIC, at) < 0 and _MAGIC not in rest + data[: len(_MAGIC)]:
            self._buffer, self._at = (rest + data[max(at, len(data) - 3) :])[-3:], 0
            return
        self._at = at
        self._buffer = rest + data
        while self._at < len(self._buffer):
            if not (self._entry() if self._left else self._container()):
                return

    def _container(self) -> bool:
        """Go to behind the next container's header; False when more bytes are needed."""
        found = self._buffer.find(_MAGIC, self._at)
        if found < 0:
            self._at = max(self._at, len(self._buffer) - len(_MAGIC) + 1)
            return False
        self._at = found
        if len(self._buffer) - found < _CONTAINER.size:
            return False
        _, version, header_bytes, size = _CONTAINER.unpack_from(self._buffer, found)
        if (version, header_bytes) == (1, _CONTAINER.size):
            self._left = size
        self._at += _CONTAINER.size if self._left else len(_MAGIC)
        return True

    def _entry(self) -> bool:
        """Go to behind the next entry of the container; False when more bytes are needed."""
        if self._left < _ENTRY.size:
            self._at += self._left
            self._left = 0
            return True
        if len(self._buffer) - self._at < _ENTRY.size:
            return False
        kind, header_bytes, size, sm, flags = _ENTRY.unpack_from(self._buffer, self._at)
        if not _ENTRY.size <= header_bytes <= _HEADER_BYTES_MAX or header_bytes + size > self._left:
            self._left = 0  # it was no container after all
            return True
        if kind in _KINDS:
            code = DeviceCode(sm, _KINDS[kind], specific=bool(flags & _SPECIFIC))
            self.code_bytes[code] = self.code_bytes.get(code, 0) + size
        self._at += header_bytes + size
        self._left -= header_bytes + size
        return True
