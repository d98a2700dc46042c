# SPDX-License-Identifier: Apache-2.0
"""Finds out for which AMD GPUs a library holds device code, while its bytes pass by.

HIP's compiler puts device code into bundles (clang documentation, "Clang Offload Bundler", "Bundled
Code Object Layout"): a magic, how many entries there are, and for each where its code is and for
which target. What is compressed (magic ``CCOB``) does not tell its targets.
"""

from __future__ import annotations

import re
import struct

__all__ = ["OffloadReader"]

_MAGIC = b"__CLANG_OFFLOAD_BUNDLE__"
_COMPRESSED = re.compile(rb"CCOB[\x01-\x03]\x00[\x00-\x03]\x00")
_COUNT = struct.Struct("<Q")
_ENTRY = struct.Struct("<QQQ")  # offset and size of the code, bytes of the target's name
_ENTRIES_MAX = 256
_NAME_BYTES_MAX = 256
_TARGET = re.compile(rb"hip(?:v4)?-amdgcn-amd-amdhsa-(?:-|[^-]*-)(gfx[0-9a-f]+)(?::.*)?", re.ASCII)


class OffloadReader:
    """Takes a library's bytes in pieces of any size.

    ``code_bytes`` is how much it holds for which target (``gfx942``); ``hidden`` tells that some is
    compressed. At most one header is kept between pieces.
    """

    def __init__(self) -> None:
        self.code_bytes: dict[str, int] = {}
        self.hidden = False
        self._buffer = b""

    @property
    def found(self) -> set[str]:
        """The targets."""
        return set(self.code_bytes)

    @property
    def device_bytes(self) -> int:
        """How much device code there is in all."""
        return sum(self.code_bytes.values())

    def feed(self, data: bytes) -> None:
        """Look through the next piece."""
        self._buffer += data
        self.hidden = self.hidden or _COMPRESSED.search(self._buffer) is not None
        at = 0
        while (at := self._buffer.find(_MAGIC, at)) >= 0:
            entries = self._entries(at + len(_MAGIC))
            if entries is None:  # the header goes on in the next piece
                self._buffer = self._buffer[at:]
                return
            for written, size in entries:
                if target := _TARGET.fullmatch(written):
                    name = target[1].decode()
                    self.code_bytes[name] = self.code_bytes.get(name, 0) + size
            at += len(_MAGIC)
        self._buffer = self._buffer[-len(_MAGIC) + 1 :]

    def _entries(self, at: int) -> list[tuple[bytes, int]] | None:
        """Return names and sizes of the entries; none for what only looks like a bundle."""
        buffer = self._buffer
        if len(buffer) < at + _COUNT.size:
            return None
        (count,) = _COUNT.unpack_from(buffer, at)
        at += _COUNT.size
        if count > _ENTRIES_MAX:
            return []
        entries: list[tuple[bytes, int]] = []
        for _ in range(count):
            if len(buffer) < at + _ENTRY.size:
                return None
            _, size, length = _ENTRY.unpack_from(buffer, at)
            at += _ENTRY.size
            if length > _NAME_BYTES_MAX:
                return []
            if len(buffer) < at + length:
                return None
            entries.append((buffer[at : at + length], size))
            at += length
        return entries
