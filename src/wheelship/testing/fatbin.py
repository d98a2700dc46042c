# SPDX-License-Identifier: Apache-2.0
"""Makes fat binaries as NVIDIA's compiler lays them out, with rubbish for code."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["MadeCode", "make_fatbin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCode:
    """One entry of a container; ``header_bytes`` varies between compilers."""

    sm: int
    kind: Literal["ptx", "cubin", "other"] = "cubin"
    specific: bool = False
    header_bytes: int = 64
    data: bytes = b"\xcc" * 120


def make_fatbin(entries: Iterable[MadeCode]) -> bytes:
    """Return one container with these entries."""
    body = b"".join(map(_entry, entries))
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def _entry(code: MadeCode) -> bytes:
    kind = {"ptx": 1, "cubin": 2, "other": 8}[code.kind]
    flags = 0x8011 | (0x100000 if code.specific else 0)
    head = struct.pack("<HHIQ", kind, 0x0101, code.header_bytes, len(code.data))
    head += struct.pack("<IIIIQQQ", 0, 0, 0, code.sm, 0, flags, 0)
    return head.ljust(code.header_bytes, b"\0") + code.data
