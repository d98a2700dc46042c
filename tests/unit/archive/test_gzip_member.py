# SPDX-License-Identifier: Apache-2.0
"""Gzip members: valid, free of time and machine, by exactly the pinned compressor."""

from __future__ import annotations

import gzip as standard
import hashlib
import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from wheelship.archive import gzip
from wheelship.archive.result import CODEC


def test_the_header_says_nothing_about_when_or_where() -> None:
    """RFC 1952, 2.3: no flags, MTIME 0, OS 255 (unknown); ten bytes (traps §2)."""
    assert b"\x1f\x8b\x08" + bytes(6) + b"\xff" == gzip.HEADER
    assert gzip.member(b"data").startswith(gzip.HEADER)


@pytest.mark.parametrize("data", [b"", b"x", b"words " * 100_000, bytes(1 << 20)])
def test_a_member_reads_back(data: bytes) -> None:
    assert standard.decompress(gzip.member(data)) == data


def test_members_concatenate() -> None:
    """RFC 1952, 2.2: members simply appear one after another."""
    assert standard.decompress(gzip.member(b"one ") + gzip.member(b"two")) == b"one two"


def test_the_trailer_counts_modulo_2_to_the_32() -> None:
    """RFC 1952, 2.3.1: ISIZE is the size modulo 2^32."""
    assert gzip.trailer(0x01020304, 2**32 + 5) == b"\x04\x03\x02\x01" + b"\x05\0\0\0"


def test_compressed_bytes_are_pinned() -> None:
    """Layer digests depend on them (traps §2); a change must raise WRITER_VERSION or CODEC."""
    data = b"".join(b"line %d of many\n" % number for number in range(5000))
    assert hashlib.sha256(gzip.member(data)).hexdigest() == (
        "e4ad0d8ef9a589dc17b592fa2e2d2d7aa94fd1d523affdd1be487f1d560ccbb8"
    )


def test_the_codec_names_the_version_that_is_required() -> None:
    """The key's codec, the pin in pyproject.toml and the check are one version."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    pins = [one for one in project["project"]["dependencies"] if one.startswith("deflate")]
    version = importlib.metadata.version("deflate")
    assert pins == [f"deflate=={version}"]
    assert f"splice-gzip/deflate-{version}-6" == CODEC


def test_another_compressor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal keys must mean equal bytes, so another version may not write a single layer."""
    gzip.require_codec.cache_clear()
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "0.8.1")
    with pytest.raises(gzip.CodecMismatch, match=r"0\.8\.1 is installed") as caught:
        gzip.require_codec()
    assert caught.value.hint == "python -m pip install deflate==0.9.0"
    monkeypatch.undo()
    gzip.require_codec()
