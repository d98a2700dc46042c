# SPDX-License-Identifier: Apache-2.0
"""Our reader of DEFLATE streams and zlib's agree on every damaged stream."""

from __future__ import annotations

import zlib

from hypothesis import example, given
from hypothesis import strategies as st

from wheelship.archive.errors import ContentMismatch
from wheelship.archive.inflate import inflate_all
from wheelship.testing.layer import deflated
from wheelship.testing.raw_zip import deflate_raw

CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.binary(min_size=1, max_size=20).map(lambda data: data * 200),
    st.integers(0, 100_000).map(bytes),
)


def by_zlib(stream: bytes) -> bytes | None:
    decoder = zlib.decompressobj(-15)
    try:
        data = decoder.decompress(stream)
    except zlib.error:
        return None
    return data if decoder.eof and not decoder.unused_data else None


def by_us(stream: bytes, promised: bytes) -> bytes | None:
    try:
        return inflate_all(deflated(promised, stream=stream), "x")
    except ContentMismatch:
        return None


@given(CONTENTS, st.integers(0, 9))
def test_what_zlib_writes_is_accepted(data: bytes, level: int) -> None:
    stream = deflate_raw(data, level)
    assert by_us(stream, data) == data


@given(
    CONTENTS,
    st.integers(0, 9),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=3),
    st.integers(0, 40),
    st.binary(max_size=20),
)
@example(data=b"a", level=6, flips=[(0, 1)], cut=0, tail=b"")
def test_a_damaged_stream_is_accepted_only_with_the_promised_content(
    data: bytes, level: int, flips: list[tuple[int, int]], cut: int, tail: bytes
) -> None:
    """Accepted exactly when another reader inflates it to the promised bytes, to its last byte."""
    damaged = bytearray(deflate_raw(data, level))
    for at, mask in flips:
        damaged[at % len(damaged)] ^= mask
    stream = bytes(damaged[: len(damaged) - cut]) + tail
    expected = by_zlib(stream)
    assert by_us(stream, data) == (expected if expected == data else None)
