# SPDX-License-Identifier: Apache-2.0
"""Promised DEFLATE streams: exactly as promised, or refused, with bounded memory (DESIGN §2)."""

from __future__ import annotations

import os
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any

import pytest

from wheelship.archive.errors import ContentMismatch
from wheelship.archive.inflate import inflate, inflate_all
from wheelship.testing.deflate import dynamic_block
from wheelship.testing.layer import deflated
from wheelship.testing.raw_zip import deflate_raw

MIB = 1024 * 1024
TEXT = b"the same words again and again, %d times\n" * 40_000


@pytest.mark.parametrize(
    "size", [0, 1, 65_535, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 5], ids=lambda size: f"{size}B"
)
@pytest.mark.parametrize("kind", ["zeros", "noise", "text"])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_content_and_stream_come_back_whole(size: int, kind: str, level: int) -> None:
    """Both halves of the pieces, joined, are the content and the untouched stream."""
    data = {"zeros": bytes(size), "noise": os.urandom(size), "text": (TEXT * 2)[:size]}[kind]
    raw = deflate_raw(data, level)
    pieces = list(inflate(deflated(data, stream=raw), "x"))
    assert b"".join(piece for piece, _ in pieces) == raw
    assert b"".join(piece for _, piece in pieces) == data


def test_pieces_are_bounded() -> None:
    """At most 256 KiB in and 1 MiB out at a time, whatever the file."""
    data = bytes(64 * MIB) + os.urandom(2 * MIB)
    pieces = list(inflate(deflated(data), "x"))
    assert max(len(raw) for raw, _ in pieces) <= 256 * 1024
    assert max(len(out) for _, out in pieces) <= MIB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stream": deflate_raw(TEXT)[:-1]}, "does not end where"),
        ({"stream": deflate_raw(TEXT)[:100]}, "does not end where"),
        ({"stream": b""}, "does not end where"),
        ({"stream": deflate_raw(TEXT) + b"x"}, "does not end where"),
        ({"stream": deflate_raw(TEXT) + deflate_raw(TEXT)}, "does not end where|ends before"),
        ({"stream": deflate_raw(TEXT) + os.urandom(MIB)}, "ends before its member|not end where"),
        ({"stream": b"\x07" + deflate_raw(TEXT)}, "damaged DEFLATE stream"),
        ({"size_bytes": len(TEXT) - 1}, "inflates to more than the promised"),
        ({"size_bytes": 0}, "inflates to more than the promised 0 bytes"),
        ({"size_bytes": len(TEXT) + 1}, "promised were"),
        ({"crc32": 0}, "promised were"),
    ],
    ids=[
        "last byte missing",
        "truncated",
        "empty",
        "one byte behind the final block",
        "a second stream behind the final block",
        "much behind the final block",
        "no such block type",
        "one byte more than promised",
        "content where none was promised",
        "one byte less than promised",
        "wrong CRC-32",
    ],
)
def test_a_broken_promise_is_refused(change: dict[str, int | bytes], message: str) -> None:
    """DESIGN §2: one final block, ending where the member ends, with the stated size and CRC-32."""
    content = deflated(TEXT, **change)  # type: ignore[arg-type]
    with pytest.raises(ContentMismatch, match=message) as caught:
        inflate_all(content, "pkg/data.bin")
    assert caught.value.where == "pkg/data.bin"


def test_a_stream_that_is_cut_off_while_it_is_read_is_refused() -> None:
    """The file may have been truncated after its directory was read."""
    raw = deflate_raw(os.urandom(600_000))
    content = replace(
        deflated(b"", stream=raw, size_bytes=600_000),
        read_at=lambda offset, length: raw[: len(raw) // 2][offset : offset + length],
    )
    with pytest.raises(ContentMismatch, match="ends before its member does"):
        inflate_all(content, "x")


def test_a_bomb_stops_at_its_promise() -> None:
    """Memory is bounded by the promise, not by what the stream would inflate to."""
    bomb = deflate_raw(bytes(96 * MIB), 9)
    assert len(bomb) < MIB
    seen = 0
    tracemalloc.start()
    try:
        with pytest.raises(ContentMismatch, match="inflates to more"):
            for _, data in inflate(deflated(b"", stream=bomb, size_bytes=2 * MIB), "x"):
                seen += len(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen <= 2 * MIB
    assert peak < 8 * MIB


A = ord("a")
CODES = {
    "a complete code": {"literals": {A: 1, 256: 1}},
    "one code of one bit": {"literals": {256: 1}, "symbols": [256]},
    "an incomplete literal code": {"literals": {A: 2, 256: 2}},
    "an oversubscribed literal code": {"literals": {A: 1, 98: 1, 256: 1}},
    "no end of block": {"literals": {A: 1, 98: 1}, "symbols": [A, A]},
    "an incomplete distance code": {"literals": {A: 1, 256: 1}, "distances": {0: 2, 1: 2}},
    "an oversubscribed distance code": {
        "literals": {A: 1, 256: 1},
        "distances": {0: 1, 1: 1, 2: 1},
    },
    "an incomplete code of code lengths": {
        "literals": {A: 1, 256: 1},
        "meta": {0: 2, 1: 2},
    },
    "more literals than there are": {"literals": {A: 1, 256: 1}, "literal_count": 288},
    "more distances than there are": {"literals": {A: 1, 256: 1}, "distance_count": 32},
}
ACCEPTED = ("a complete code", "one code of one bit")


@pytest.mark.parametrize("name", CODES)
def test_what_zlib_refuses_is_refused(name: str) -> None:
    """What engines cannot inflate must not be spliced into a layer; isal takes some of these."""
    code: dict[str, Any] = {"symbols": [A, A, A, A, 256], **CODES[name]}
    stream = dynamic_block(code.pop("symbols"), **code)
    data = b"" if name == "one code of one bit" else b"aaaa"
    if name in ACCEPTED:
        assert zlib.decompress(stream, -15) == data
        assert inflate_all(deflated(data, stream=stream), "x") == data
        return
    with pytest.raises(zlib.error):
        zlib.decompress(stream, -15)
    with pytest.raises(ContentMismatch, match="damaged DEFLATE stream"):
        inflate_all(deflated(data, stream=stream), "x")
