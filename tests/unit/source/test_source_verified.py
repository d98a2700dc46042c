# SPDX-License-Identifier: Apache-2.0
"""Who reads a blob to its end has read the right one (image-spec, descriptor.md)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest
from wheelship.source.errors import InvalidImage
from wheelship.source.extent import MemoryStream
from wheelship.source.verified import VerifiedStream


def verified(data: bytes, promised: bytes, size: int | None = None) -> VerifiedStream:
    descriptor = Descriptor(
        media_type="x",
        digest=Digest.of(promised),
        size_bytes=len(promised) if size is None else size,
    )
    return VerifiedStream(MemoryStream(data), descriptor, where="somewhere")


@given(data=st.binary(max_size=300), pieces=st.lists(st.integers(1, 80), min_size=1))
def test_a_right_blob_comes_out_whole(data: bytes, pieces: list[int]) -> None:
    stream, found, turn = verified(data, data), b"", 0
    while piece := stream.read(pieces[turn % len(pieces)]):
        found, turn = found + piece, turn + 1
    assert found == data
    assert stream.read(10) == b""


@given(
    data=st.binary(min_size=1, max_size=300),
    change=st.sampled_from(
        [
            lambda one: one[:-1],
            lambda one: one + b"!",
            lambda one: bytes([one[0] ^ 1]) + one[1:],
            lambda _: b"",
        ]
    ),
    piece=st.integers(1, 400),
)
def test_no_wrong_blob_is_read_to_its_last_byte(
    data: bytes, change: Callable[[bytes], bytes], piece: int
) -> None:
    """Also by a reader that stops at the size it knows, and never sees the empty end."""
    stream, left = verified(change(data), data), len(data)
    with pytest.raises(InvalidImage) as caught:
        while left:
            left -= len(stream.read(min(piece, left)))
    assert caught.value.where == "somewhere"


def test_an_empty_blob_is_verified_too() -> None:
    assert verified(b"", b"").read(1) == b""
    with pytest.raises(InvalidImage, match="damaged"):
        verified(b"", b"x", size=0).read(1)
    with pytest.raises(InvalidImage, match="longer than the 0 bytes"):
        verified(b"x", b"").read(1)
