# SPDX-License-Identifier: Apache-2.0
"""What a program or library says about itself, read from its bytes while they stream past."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from wheelship.elf import ELF, INTERPRETER, Header, header_of, segments_in

__all__ = ["Binary", "BinaryReader"]

_HEAD_BYTES = 64 * 1024
_OVERLAP_BYTES = 256  # longer than anything that is searched for

_VERSION = re.compile(rb"(?<![\w.])3\.\d{1,2}\.\d{1,3}(?:(?:a|b|rc)\d{1,2})?\+?(?=\0)")
_NEEDED = re.compile(rb"libpython3\.\d{1,2}\.so(?:\.\d{1,3}){0,2}(?=\0)")
_GLIBC = re.compile(rb"GNU C Library [^\0]{0,120}? release version (\d\.\d{1,3})(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Facts about one ELF file; every text stands in it as it is.

    Attributes:
        machine: ``amd64`` or ``arm64``; another number as ``machine 40``; empty for no 64-bit ELF.
        loader: path of the dynamic loader that it asks for; empty for libraries.
        versions: texts that could be the version of a Python 3.
        libraries: names of Python's own shared library in it.
        glibc: ``2.36`` for glibc's own library, else empty.
    """

    machine: str
    loader: str
    versions: frozenset[str]
    libraries: frozenset[str]
    glibc: str


@dataclass(slots=True)
class BinaryReader:
    """Collects the facts of one file that is fed to it piece by piece, in bounded memory."""

    _head: bytearray = field(default_factory=bytearray)
    _tail: bytes = b""
    _versions: set[str] = field(default_factory=set)
    _libraries: set[str] = field(default_factory=set)
    _glibc: str = ""

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        if len(self._head) < _HEAD_BYTES:
            self._head += piece[: _HEAD_BYTES - len(self._head)]
        window = self._tail + piece
        self._versions.update(one.decode() for one in _VERSION.findall(window))
        self._libraries.update(one.decode() for one in _NEEDED.findall(window))
        if found := _GLIBC.search(window):
            self._glibc = found[1].decode()
        self._tail = window[-_OVERLAP_BYTES:]

    def finish(self) -> Binary:
        """Return what was found."""
        head = bytes(self._head)
        machine = loader = ""
        if head.startswith(ELF):
            try:
                header = header_of(head)
                machine, loader = header.machine, _loader(head, header)
            except struct.error:
                machine = ""
        return Binary(
            machine=machine,
            loader=loader,
            versions=frozenset(self._versions),
            libraries=frozenset(self._libraries),
            glibc=self._glibc,
        )


def _loader(head: bytes, header: Header) -> str:
    for one in segments_in(head, header):
        if one.kind == INTERPRETER:
            path = head[one.offset : one.offset + one.size]
            return path.rstrip(b"\0").decode("utf-8", "replace")
    return ""
