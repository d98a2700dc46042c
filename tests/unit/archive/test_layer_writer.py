# SPDX-License-Identifier: Apache-2.0
"""Layers: valid gzip of valid tar, spliced streams untouched, and nothing that was not promised."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelship.archive import layer as module
from wheelship.archive.entry import (
    Content,
    Directory,
    Entry,
    File,
    Hardlink,
    InMemory,
    Streamed,
    Symlink,
)
from wheelship.archive.errors import ContentMismatch, DuplicatePath, WhiteoutName
from wheelship.archive.layer import LayerWriter, with_parents
from wheelship.archive.result import IndexRow
from wheelship.oci.digest import Digest
from wheelship.testing.deflate import dynamic_block
from wheelship.testing.layer import deflated, gzip_members, read_layer, write_layer
from wheelship.testing.raw_zip import deflate_raw

MIB = 1024 * 1024
SPLICE_MIN = module.SPLICE_MIN_BYTES
NOISE = os.urandom(SPLICE_MIN)


def streamed(*pieces: bytes, size: int | None = None) -> Streamed:
    total = sum(map(len, pieces)) if size is None else size
    return Streamed(total, lambda: iter(pieces))


def sample() -> list[Entry]:
    return [
        Directory(path="opt"),
        File(path="opt/small", content=deflated(b"small\n")),
        File(path="opt/large.so", mode=0o755, content=deflated(NOISE * 3)),
        File(path="opt/made", uid=65532, gid=65532, content=InMemory(b"made here")),
        File(path="opt/stored", content=streamed(b"in ", b"pieces")),
        File(path="opt/empty", content=deflated(b"")),
        Symlink(path="opt/link", target="small"),
        Hardlink(path="opt/hard", target="opt/small"),
    ]


def test_every_entry_reads_back_with_the_standard_library() -> None:
    blob, _ = write_layer(sample())
    found = read_layer(blob)
    assert list(found) == [entry.path for entry in sample()]
    assert found["opt/small"].data == b"small\n"
    assert found["opt/large.so"].data == NOISE * 3
    assert found["opt/large.so"].mode == 0o755
    assert (found["opt/made"].uid, found["opt/made"].gid) == (65532, 65532)
    assert found["opt/stored"].data == b"in pieces"
    assert found["opt/empty"].data == b""
    assert found["opt/link"].target == "small"
    assert (found["opt/hard"].kind, found["opt/hard"].target) == (tarfile.LNKTYPE, "opt/small")


def test_digests_and_sizes_are_of_the_bytes_written() -> None:
    """image-spec: ``digest`` is of the compressed blob, ``diff_id`` of the tar inside."""
    blob, told = write_layer(sample())
    tar = gzip.decompress(blob)
    assert told.digest == Digest.of(blob)
    assert told.diff_id == Digest.of(tar)
    assert (told.size_bytes, told.unpacked_bytes) == (len(blob), len(tar))
    assert tar.endswith(bytes(1024))
    assert len(tar) % 512 == 0


def test_gzip_itself_accepts_the_layer(tool: Callable[[str], str], tmp_path: Path) -> None:
    """RFC 1952, 2.2: a file of several members is valid; ``gzip -t`` checks each trailer."""
    path = tmp_path / "layer.gz"
    path.write_bytes(write_layer(sample())[0])
    assert subprocess.run([tool("gzip"), "-t", str(path)], check=False).returncode == 0
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    result = subprocess.run([tool("gzip"), "-t", str(path)], check=False, capture_output=True)
    assert result.returncode == 1


def test_the_index_lists_every_path_with_its_hash() -> None:
    _, told = write_layer(sample())
    rows = {row.path: row for row in told.index}
    assert list(rows) == [entry.path for entry in sample()]
    large = hashlib.sha256(NOISE * 3).hexdigest()
    assert rows["opt/large.so"] == IndexRow("opt/large.so", 0o755, len(NOISE) * 3, large)
    assert rows["opt/empty"].sha256 == hashlib.sha256(b"").hexdigest()
    assert rows["opt/stored"].sha256 == hashlib.sha256(b"in pieces").hexdigest()
    assert (rows["opt"].sha256, rows["opt/link"].sha256, rows["opt/hard"].sha256) == ("", "", "")


def test_a_large_deflated_file_is_spliced_verbatim() -> None:
    """DESIGN §2: the stream is one gzip member, byte for byte as it lay in the wheel."""
    data = NOISE + b"tail"
    for level in (1, 6, 9):
        stream = deflate_raw(data, level)
        entry = File(path="a.so", content=deflated(data, stream=stream))
        members = gzip_members(write_layer([entry])[0])
        assert (stream, data) in members
        assert len(members) == 3


@pytest.mark.parametrize(
    ("size", "spliced"), [(SPLICE_MIN - 1, False), (SPLICE_MIN, True), (SPLICE_MIN + 1, True)]
)
def test_only_files_from_the_limit_on_are_spliced(size: int, spliced: bool) -> None:  # noqa: FBT001
    """Smaller files are cheaper recompressed together."""
    data = os.urandom(size)
    stream = deflate_raw(data, 1)
    entry = File(path="a", content=deflated(data, stream=stream))
    blob, _ = write_layer([entry])
    assert (stream in [raw for raw, _ in gzip_members(blob)]) is spliced
    assert read_layer(blob)["a"].data == data


@pytest.mark.parametrize("delta", [-513, -512, -1, 0, 1, 511, 512])
def test_files_around_the_size_of_a_run(delta: int) -> None:
    """Whatever is left over when a run is full begins the next one."""
    data = os.urandom(MIB + delta)
    entries = [
        File(path="a", content=InMemory(data)),
        File(path="b", content=streamed(data)),
        File(path="c", content=deflated(data)),
        File(path="d", content=InMemory(b"end")),
    ]
    blob, told = write_layer(entries)
    found = read_layer(blob)
    assert [one.data for one in found.values()] == [data, data, data, b"end"]
    assert told.diff_id == Digest.of(gzip.decompress(blob))
    plain = [len(out) for raw, out in gzip_members(blob) if raw != deflate_raw(data)]
    assert max(plain) == MIB


def test_equal_entries_give_equal_bytes() -> None:
    """DESIGN §3: equal keys give equal bytes; nothing of time, machine or order of calls."""
    assert write_layer(sample()) == write_layer(sample())
    assert write_layer(sample())[0] != write_layer(list(reversed(sample())))[0]


@pytest.mark.parametrize("cut", [1, 7, 4096, MIB - 1, MIB, MIB + 1])
def test_how_content_is_cut_into_pieces_does_not_change_the_bytes(cut: int) -> None:
    """A short read of a slow disk must not give another digest."""
    data = os.urandom(1000) * (1 if cut == 1 else 3000)
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    one = write_layer([File(path="a", content=streamed(*pieces))])
    other = write_layer([File(path="a", content=InMemory(data))])
    assert one == other


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("size", [100, SPLICE_MIN + 100])
def test_a_promised_hash_is_checked(algorithm: str, size: int) -> None:
    """Binary distribution format: files must match RECORD; sha384 and sha512 count, too."""
    data = os.urandom(size)
    right = (algorithm, hashlib.new(algorithm, data).hexdigest())
    _, told = write_layer([File(path="a", content=deflated(data, expected_hash=right))])
    assert told.index[0].sha256 == hashlib.sha256(data).hexdigest()
    wrong = (algorithm, hashlib.new(algorithm, data + b"x").hexdigest())
    with pytest.raises(ContentMismatch, match=f"its {algorithm} is") as caught:
        write_layer([File(path="a", content=deflated(data, expected_hash=wrong))])
    assert caught.value.where == "a"
    assert wrong[1] in caught.value.message


@pytest.mark.parametrize("size", [100, SPLICE_MIN + 100])
@pytest.mark.parametrize(
    "lie",
    [
        {"crc32": 1},
        {"size_bytes": -1},
        {"size_bytes": 1},
        {"cut": 3},
        {"tail": b"junk"},
        {"tail": deflate_raw(b"second stream")},
    ],
    ids=["crc", "more than promised", "less than promised", "truncated", "junk", "second stream"],
)
def test_a_stream_that_is_not_as_promised_is_refused(size: int, lie: dict[str, int]) -> None:
    """DESIGN §2: anything else is refused, spliced or not."""
    data = os.urandom(size)
    raw = deflate_raw(data)
    content = deflated(
        data,
        stream=raw[: len(raw) - lie.get("cut", 0)] + bytes(lie.get("tail", b"")),
        size_bytes=size + lie.get("size_bytes", 0),
        crc32=lie.get("crc32"),
    )
    with pytest.raises(ContentMismatch):
        write_layer([File(path="a", content=content)])
    write_layer([File(path="a", content=deflated(data, stream=raw))])


@pytest.mark.parametrize("size", [3, 8])
def test_streamed_content_must_have_its_promised_size(size: int) -> None:
    """A wrong size would shift every header behind it."""
    with pytest.raises(ContentMismatch, match=f"promised {size} bytes, got 5"):
        write_layer([File(path="a", content=streamed(b"12", b"345", size=size))])


def test_a_path_stands_in_a_layer_once() -> None:
    """image-spec, layer.md: no duplicate paths; Docker and podman refuse to load them."""
    for second in (File(path="a", content=InMemory(b"")), Directory(path="a")):
        with pytest.raises(DuplicatePath, match="two files claim /a"):
            write_layer([File(path="a", content=InMemory(b"")), second])


def test_progress_adds_up_to_the_blob() -> None:
    counts: list[int] = []
    out = io.BytesIO()
    writer = LayerWriter(out, counts.append)
    for entry in sample():
        writer.add(entry)
    told = writer.finish()
    assert sum(counts) == told.size_bytes == len(out.getvalue())


class _Nowhere(io.RawIOBase):
    def write(self, data: object) -> int:
        return len(memoryview(data))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["deflated", "streamed", "many"])
def test_memory_is_bounded(kind: str) -> None:
    """DESIGN §9: peak memory does not grow with the wheel."""

    def pieces() -> Iterator[bytes]:
        for _ in range(96):
            yield bytes(MIB)

    contents: dict[str, list[Content]] = {
        "deflated": [deflated(bytes(96 * MIB))],
        "streamed": [Streamed(96 * MIB, pieces)],
        "many": [deflated(bytes(SPLICE_MIN - 1))] * 1500,
    }
    tracemalloc.start()
    try:
        writer = LayerWriter(_Nowhere())  # type: ignore[arg-type]
        for number, content in enumerate(contents[kind]):
            writer.add(File(path=f"{number}", content=content))
        assert writer.finish().unpacked_bytes > 90 * MIB
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * MIB


def test_parents_come_first_and_once() -> None:
    """Traps §1.1: a layer without them unpacks to directories of any mode."""
    entries = [
        File(path="a/b/c/x", content=InMemory(b"")),
        File(path="a/b/y", content=InMemory(b"")),
        Symlink(path="a/d/z", target="x"),
        File(path="top", content=InMemory(b"")),
    ]
    paths = [entry.path for entry in with_parents(entries)]
    assert paths == ["a", "a/b", "a/b/c", "a/b/c/x", "a/b/y", "a/d", "a/d/z", "top"]


def test_made_parents_have_one_mode_and_owner() -> None:
    """Peers §8: a parent's entry must not depend on what other layers hold."""
    made = [one for one in with_parents(sample()) if isinstance(one, Directory)]
    assert made == [Directory(path="opt", mode=0o755, uid=0, gid=0)]


def test_a_directory_that_was_given_keeps_its_mode() -> None:
    entries: list[Entry] = [
        Directory(path="data", mode=0o775, uid=65532),
        File(path="data/x", content=InMemory(b"")),
        Directory(path="data", mode=0o700),
    ]
    assert list(with_parents(entries)) == entries[:2]


@pytest.mark.parametrize("path", [".wh.a", "opt/.wh.python", "opt/.wh..wh..opq", "opt/.wh.d/a"])
def test_no_name_deletes_files_of_other_layers(path: str) -> None:
    """image-spec, layer.md: whoever made the entry did not mean a whiteout."""
    for entry in (File(path=path, content=InMemory(b"")), Directory(path=path)):
        with pytest.raises(WhiteoutName, match="would delete") as caught:
            write_layer([entry])
        assert caught.value.where == path
    assert write_layer([File(path="opt/a.wh.b", content=InMemory(b""))])


def test_a_stream_that_engines_refuse_never_gets_into_a_layer() -> None:
    """Spliced as it is, so it has to be refused here (an incomplete Huffman code)."""
    size = 2 * SPLICE_MIN
    a, end = ord("a"), 256
    stream = dynamic_block([*[a] * size, end], literals={a: 2, end: 2})
    content = deflated(b"a" * size, stream=stream)
    with pytest.raises(ContentMismatch, match="damaged DEFLATE stream"):
        write_layer([File(path="opt/large.so", content=content)])
    right = dynamic_block([*[a] * size, end], literals={a: 1, end: 1})
    blob, _ = write_layer([File(path="opt/large.so", content=deflated(b"a" * size, stream=right))])
    assert right in blob
    assert read_layer(blob)["opt/large.so"].data == b"a" * size
