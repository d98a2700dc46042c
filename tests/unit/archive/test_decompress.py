# SPDX-License-Identifier: Apache-2.0
"""Whatever a layer is packed with, its bytes come out whole, in small pieces, with their place."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
import zstandard

from wheelship.archive.blob import Undecodable, UnknownPacking
from wheelship.archive.decompress import Batch, batches
from wheelship.archive.unpacked import UnpackedStream

TEXT = b"".join(b"%d squared is %d\n" % (n, n * n) for n in range(40_000))
SKIPPED = b"\x53\x2a\x4d\x18" + (70_000).to_bytes(4, "little") + bytes(70_000)


class Dripping:
    """A stream that gives little at a time, as networks do."""

    def __init__(self, data: bytes, step: int) -> None:
        self._stream = io.BytesIO(data)
        self._step = step

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, self._step))


def unpacked(blob: bytes, step: int = 1 << 30) -> list[Batch]:
    return list(batches(Dripping(blob, step)))


def joined(found: list[Batch]) -> bytes:
    return b"".join(one.data for one in found)


def framed(data: bytes) -> bytes:
    """Compress in one frame, with the sizes and checksum that zstd(1) writes."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def streamed(data: bytes) -> bytes:
    """Compress in one frame of many blocks that does not tell its size."""
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    parts = [compressor.compress(data[at : at + 5000]) for at in range(0, len(data), 5000)]
    flushed = [compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)]
    return b"".join([*parts, *flushed, compressor.flush()])


@pytest.mark.parametrize("step", [1, 7, 1 << 30])
@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        lambda data: gzip.compress(data) + bytes(1000),
        lambda data: gzip.compress(data[:9]) + gzip.compress(b"") * 3 + gzip.compress(data[9:]),
        lambda data: gzip.compress(data[:9]) + bytes(512) + gzip.compress(data[9:]),
        framed,
        streamed,
        lambda data: SKIPPED + framed(data[:9]) + SKIPPED + streamed(data[9:]) + SKIPPED,
        lambda data: framed(b"") + framed(data),
    ],
    ids=[
        *("plain", "gzip", "padded", "members", "zeros between", "zstd", "blocks", "frames"),
        "empty frame",
    ],
)
def test_what_was_packed_comes_out(pack: Callable[[bytes], bytes], step: int) -> None:
    data = TEXT if step > 7 else TEXT[:30_000]
    blob = pack(data)
    found = unpacked(blob, step)
    assert joined(found) == data
    marks = [mark for one in found for mark in one.marks]
    assert marks == sorted(marks)
    assert marks[-1] == (len(data), len(blob))


def test_nothing_at_all_is_an_empty_layer() -> None:
    assert unpacked(b"") == []


def test_large_output_of_small_input_comes_in_small_pieces() -> None:
    """The output of one call is bounded, or a kilobyte could fill the memory."""
    zeros = 100_000_000
    for blob in (gzip.compress(bytes(zeros), 1), framed(bytes(zeros))):
        tracemalloc.start()
        largest = total = 0
        for one in batches(io.BytesIO(blob)):
            largest = max(largest, len(one.data))
            total += len(one.data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == zeros
        assert largest <= 768 * 1024
        assert peak < 8_000_000


def test_many_empty_members_are_remembered_by_few_marks() -> None:
    blob = gzip.compress(b"a") + gzip.compress(b"") * 50_000 + gzip.compress(b"b")
    found = unpacked(blob)
    assert joined(found) == b"ab"
    assert sum(len(one.marks) for one in found) < 10


PACKED = gzip.compress(TEXT)
FRAME = framed(TEXT)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (PACKED[:-9], "ends inside its gzip"),
        (PACKED[:5], "ends inside its gzip"),
        (PACKED + b"more", "something behind its gzip"),
        (PACKED[:-8] + bytes(8), "cannot be inflated"),
        (PACKED[:500] + bytes(50) + PACKED[550:], "cannot be inflated"),
        (FRAME[:-9], "ends inside"),
        (FRAME[:6], "ends inside"),
        (FRAME + b"more", "something behind its zstd"),
        (FRAME[:-4] + bytes(4), "cannot be unpacked"),
        (FRAME[:500] + bytes(50) + FRAME[550:], "cannot be unpacked|ends inside"),
        (SKIPPED[:-1], "ends inside"),
    ],
)
def test_what_is_damaged_is_refused(blob: bytes, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        unpacked(blob)


def test_a_window_that_would_fill_the_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    blob = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = blob.compress(TEXT) + blob.flush()
    with pytest.raises(Undecodable, match="too much memory"):
        unpacked(data)


@pytest.mark.parametrize(
    ("pack", "name"), [(bz2.compress, "bzip2"), (lzma.compress, "xz")], ids=["bzip2", "xz"]
)
def test_other_packings_are_named(pack: Callable[[bytes], bytes], name: str) -> None:
    with pytest.raises(UnknownPacking, match=f"compressed with {name}"):
        unpacked(pack(TEXT[:1000]))


@pytest.mark.parametrize(
    ("pack", "between"),
    [(gzip.compress, b""), (gzip.compress, bytes(77)), (framed, b""), (framed, SKIPPED)],
    ids=["gzip", "gzip with zeros", "zstd", "zstd with skipped frames"],
)
def test_a_place_is_exact_where_a_member_ends(
    pack: Callable[[bytes], bytes], between: bytes
) -> None:
    """What stands between two members is of what comes behind it."""
    cuts = [0, 100, 100_000, 100_001, len(TEXT)]
    parts = [pack(TEXT[a:b]) for a, b in pairwise(cuts)]
    expected, at = {0: 0}, 0
    for cut, part in zip(cuts[1:], parts, strict=True):
        at += len(part)
        expected[cut] = at
        at += len(between)
    with UnpackedStream(io.BytesIO(between.join(parts))) as stream:
        asked = sorted({*cuts, *range(0, len(TEXT), 999)})
        found = {}
        while stream.advance():
            while asked and asked[0] <= stream.end:
                place = asked.pop(0)
                found[place] = stream.blob_offset_of(place)
    assert not asked
    assert {cut: found[cut] for cut in cuts} == expected
    places = list(found.values())
    assert places == sorted(places)
    assert len(set(places)) > 20, "in between it goes on in proportion"


def test_unpacking_can_be_given_up() -> None:
    stream = UnpackedStream(io.BytesIO(gzip.compress(bytes(50_000_000))))
    with stream:
        assert stream.advance()
    assert stream._pool._shutdown
    assert not any(thread.is_alive() for thread in stream._pool._threads)
