# SPDX-License-Identifier: Apache-2.0
"""Zip archives: what ``zipfile`` writes is read the same; what is damaged is never misread."""

from __future__ import annotations

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from wheelship.archive.entry import Deflated, Streamed
from wheelship.archive.errors import ContentMismatch, InvalidZip
from wheelship.archive.inflate import inflate_all
from wheelship.archive.zip import read_zip

NAMES = st.text("abcdefü-_.", min_size=1, max_size=10).filter(
    lambda name: name not in (".", "..") and not name.startswith(".wh.")
)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), max_size=6
).filter(lambda files: not any(a != b and b.startswith(a + "/") for a in files for b in files))


def write(files: dict[str, bytes], methods: list[int], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = comment
        for number, (name, data) in enumerate(files.items()):
            archive.writestr(name, data, methods[number % len(methods)])
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    def read_at(offset: int, length: int) -> bytes:
        assert 0 <= offset < 2**63
        return data[offset : offset + length]

    found: dict[str, bytes] = {}
    for member in read_zip(read_at, len(data)):
        content = member.content(read_at)
        if isinstance(content, Deflated):
            found[member.name] = inflate_all(content, member.name)
        else:
            assert isinstance(content, Streamed)
            found[member.name] = b"".join(content.open())
    return found


METHODS = st.lists(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), min_size=1)


@given(FILES, METHODS, st.binary(max_size=30).filter(lambda comment: b"PK" not in comment))
def test_what_zipfile_writes_is_read(
    files: dict[str, bytes], methods: list[int], comment: bytes
) -> None:
    assert read(write(files, methods, comment)) == files


@given(
    FILES,
    METHODS,
    st.lists(st.tuples(st.integers(0, 100_000), st.binary(min_size=1, max_size=4)), min_size=1),
)
def test_a_damaged_archive_is_never_misread(
    files: dict[str, bytes], methods: list[int], patches: list[tuple[int, bytes]]
) -> None:
    """Either a clear refusal, or names that changed on both sides; never other content."""
    data = bytearray(write(files, methods))
    for at, patch in patches:
        start = at % len(data)
        data[start : start + len(patch)] = patch[: len(data) - start]
    try:
        found = read(bytes(data))
    except (InvalidZip, ContentMismatch):
        return
    assert sorted(found.values()) == sorted(files.values())


@given(st.binary(max_size=400))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    """Anything may be called ``.whl``."""
    try:
        read(data)
    except (InvalidZip, ContentMismatch):
        return
    assert data[-22:].startswith(b"PK\x05\x06") or b"PK\x05\x06" in data
