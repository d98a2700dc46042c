# SPDX-License-Identifier: Apache-2.0
"""Sums of an inspected layer against its blob and archive; entries against the standard library."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from wheelship.inspect.scan.kept import pack, unpack
from wheelship.inspect.scan.read import Limits, read_layer
from wheelship.oci.descriptor import LAYER_TAR, Descriptor
from wheelship.oci.digest import Digest
from wheelship.source.model import SourceLayer
from wheelship.testing.source import TarMember, tar_member, tar_of_members

LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="/\0")
NAMES = st.text(LETTERS, min_size=1, max_size=120).filter(
    lambda name: name not in (".", "..") and not name.startswith(".wh.")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
CONTENTS = st.one_of(
    st.binary(max_size=2000),
    st.integers(0, 300_000).map(lambda size: hashlib.sha256(b"%d" % size).digest() * (size // 32)),
    st.integers(0, 300_000).map(bytes),
)
TIMES = st.one_of(
    st.integers(-(2**33), 2**34), st.integers(0, 2**35).map(lambda quarters: quarters / 4)
)
KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.FIFOTYPE: "device",
}


@st.composite
def members(draw: st.DrawFn) -> TarMember:
    kind = draw(st.sampled_from([tarfile.REGTYPE] * 4 + list(KINDS)))
    target = draw(PATHS) if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    data = draw(CONTENTS) if kind == tarfile.REGTYPE else b""
    return tar_member(
        draw(PATHS),
        data,
        kind=kind,
        target=target,
        mode=draw(st.integers(0, 0o7777)),
        mtime=draw(TIMES),
    )


def split(draw: st.DrawFn, tar: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(tar)), max_size=5)))
    return [tar[a:b] for a, b in zip([0, *cuts], [*cuts, len(tar)], strict=True)]


def packed(draw: st.DrawFn, tar: bytes) -> bytes:
    parts = split(draw, tar)
    match draw(st.sampled_from(["plain", "gzip", "zstd"])):
        case "gzip":
            level = draw(st.integers(0, 6))
            zeros = bytes(draw(st.sampled_from([0, 0, 1, 700])))
            return b"".join(gzip.compress(part, level) + zeros for part in parts)
        case "zstd":
            compressor = zstandard.ZstdCompressor(write_checksum=draw(st.booleans()))
            skipped = draw(st.sampled_from([b"", b"\x5a\x2a\x4d\x18\3\0\0\0abc"]))
            return b"".join(compressor.compress(part) + skipped for part in parts)
        case _:
            return tar


@settings(max_examples=50, deadline=None)
@given(st.lists(members(), max_size=8), st.sampled_from([0, 1, 2]), st.data())
def test_sums_are_exact_and_entries_are_those_of_tarfile(
    rows: list[TarMember], form: int, data: st.DataObject
) -> None:
    draw = data.draw
    try:
        tar = tar_of_members(rows, form)
    except ValueError:  # ustar cannot say it
        tar = tar_of_members(rows)
    blob = packed(draw, tar)  # type: ignore[arg-type]
    layer = SourceLayer(
        descriptor=Descriptor(media_type=LAYER_TAR, digest=Digest.of(blob), size_bytes=len(blob)),
        diff_id=Digest.of(tar),
    )
    found = read_layer(
        io.BytesIO(blob),
        layer,
        limits=Limits(),
        advance=lambda _: None,
        emit=lambda _: None,
        where="made",
    )
    assert sum(one.transfer_bytes for one in found.entries) == found.transfer_bytes == len(blob)
    assert sum(one.unpacked_bytes for one in found.entries) == found.unpacked_bytes == len(tar)
    assert min(one.transfer_bytes for one in found.entries) >= 0
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:", encoding="utf-8") as archive:
        expected = [
            (
                "/".join(part for part in one.name.split("/") if part not in ("", ".")),
                KINDS.get(one.type, "file"),
                one.size,
                one.mode,
                int(one.mtime // 1),
                hashlib.sha256(archive.extractfile(one).read()).digest() if one.isreg() else b"",  # type: ignore[union-attr]
            )
            for one in archive
        ]
    assert [
        (one.path, one.kind, one.size_bytes, one.mode, one.mtime, one.sha256)
        for one in found.entries[:-1]
    ] == expected
    assert unpack(pack(found)) == found
