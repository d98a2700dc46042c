# SPDX-License-Identifier: Apache-2.0
"""What reading a layer told, kept in the store by the digest of its blob.

The form is columns, one after the other: hundreds of thousands of entries are read back in less
than a second that way, and equal neighbours compress well. Who reads it may trust it: the store
seals it.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import Any, get_args

import zstandard

from wheelship.errors import MachineError
from wheelship.inspect.model import (
    DebugFacts,
    DeviceFacts,
    Entry,
    EntryKind,
    Facts,
    LayerContent,
    PycFacts,
)
from wheelship.inspect.scan.read import READER_VERSION
from wheelship.oci.digest import Digest
from wheelship.store.store import Store

__all__ = ["KeptContents", "pack", "unpack"]

_FORM = 1
_LEVEL = 1
_KINDS: tuple[EntryKind, ...] = get_args(EntryKind)
_HASH_BYTES = 32
_HEAD_LENGTH = 8


class KeptContents:
    """The part of ``store`` that keeps what was read; safe for any number of processes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, digest: Digest) -> LayerContent | None:
        """Return what the blob ``digest`` holds, if this version of the reader has seen it."""
        data = self._store.find_content(digest)
        if data is None:
            return None
        try:
            content = unpack(data)
        except (ValueError, KeyError, TypeError, IndexError, zstandard.ZstdError):
            return None  # of another version: read anew, and written over
        return content if content.digest == digest else None

    def put(self, content: LayerContent) -> None:
        """Keep ``content``; a store that cannot be written to still serves."""
        with suppress(MachineError):
            self._store.put_content(content.digest, pack(content))


def pack(content: LayerContent) -> bytes:
    """Return the compact form of ``content``; no more than one column is held besides."""
    compressor = zstandard.ZstdCompressor(_LEVEL).compressobj()
    packed: list[bytes] = []
    lengths: list[int] = []
    for column in _columns(content):
        lengths.append(len(column))
        packed.append(compressor.compress(column))
    head = json.dumps(
        {
            "version": _version(),
            "digest": content.digest.hex,
            "diff_id": content.diff_id.hex,
            "transfer_bytes": content.transfer_bytes,
            "unpacked_bytes": content.unpacked_bytes,
            "facts": [
                [at, *map(_fact, one.facts)] for at, one in enumerate(content.entries) if one.facts
            ],
            "documents": [len(document) for _, document in content.documents],
            "columns": lengths,
        }
    ).encode()
    packed += [compressor.compress(head + len(head).to_bytes(_HEAD_LENGTH)), compressor.flush()]
    return b"".join(packed)


def _columns(content: LayerContent) -> Iterator[bytes]:
    entries = content.entries
    yield bytes(_KINDS.index(one.kind) for one in entries)
    yield _numbers(one.size_bytes for one in entries)
    yield _numbers(one.unpacked_bytes for one in entries)
    yield _numbers(one.transfer_bytes for one in entries)
    yield _numbers(one.mode for one in entries)
    yield _numbers(one.mtime for one in entries)
    yield _texts(one.path for one in entries)
    yield _texts(one.target for one in entries)
    yield b"".join(one.sha256 for one in entries)
    yield _texts(path for path, _ in content.documents)
    yield b"".join(document for _, document in content.documents)


def unpack(data: bytes) -> LayerContent:
    """Read the compact form.

    Raises:
        ValueError, KeyError, TypeError, IndexError, zstandard.ZstdError: it is none, or one of
            another version.
    """
    body = memoryview(zstandard.ZstdDecompressor().decompressobj().decompress(data))
    end = len(body) - _HEAD_LENGTH
    head = json.loads(bytes(body[end - int.from_bytes(body[end:]) : end]))
    if head["version"] != _version():
        raise ValueError("another version")
    places = accumulate(head["columns"], initial=0)
    columns = [body[begin:end] for begin, end in pairwise(places)]
    kinds, sizes, unpacked, transfer, modes, mtimes, paths, targets, hashes, names, documents = (
        columns
    )
    facts = {row[0]: tuple(map(_read_fact, row[1:])) for row in head["facts"]}
    shared: dict[int, int] = {}
    entries = tuple(
        map(
            Entry,
            _read_texts(paths),
            map(_KINDS.__getitem__, kinds),
            _read_numbers(sizes, shared),
            _read_numbers(unpacked, shared),
            _read_numbers(transfer, shared),
            _read_numbers(modes, shared),
            _read_numbers(mtimes, shared),
            _read_hashes(kinds, bytes(hashes)),
            _read_texts(targets),
            (facts.get(at, ()) for at in range(len(kinds))),
        )
    )
    if len(entries) != len(kinds):
        raise ValueError("columns of different lengths")
    ends = pairwise(accumulate(head["documents"], initial=0))
    return LayerContent(
        digest=Digest(head["digest"]),
        diff_id=Digest(head["diff_id"]),
        transfer_bytes=head["transfer_bytes"],
        unpacked_bytes=head["unpacked_bytes"],
        entries=entries,
        documents=tuple(
            (path, bytes(documents[begin:end]))
            for path, (begin, end) in zip(_read_texts(names), ends, strict=True)
        ),
    )


def _version() -> list[int | str]:
    return [_FORM, READER_VERSION, sys.byteorder]


def _numbers(values: Iterable[int]) -> bytes:
    return array("q", values).tobytes()


def _read_numbers(column: memoryview, shared: dict[int, int]) -> Iterator[int]:
    """Yield the numbers; equal ones are one object, since there are many of few."""
    numbers = column.cast("q")
    return map(shared.setdefault, numbers, numbers)


def _texts(texts: Iterable[str]) -> bytes:
    # No path holds a NUL, and what is no UTF-8 is in there as surrogates.
    return "\0".join((*texts, "")).encode("utf-8", "surrogateescape")


def _read_texts(column: memoryview) -> list[str]:
    return bytes(column).decode("utf-8", "surrogateescape").split("\0")[:-1]


def _read_hashes(kinds: memoryview, hashes: bytes) -> Iterator[bytes]:
    file = _KINDS.index("file")
    at = 0
    for kind in kinds:
        if kind == file:
            yield hashes[at : at + _HASH_BYTES]
            at += _HASH_BYTES
        else:
            yield b""


def _fact(fact: Facts) -> list[Any]:
    match fact:
        case PycFacts():
            return ["pyc", fact.magic, fact.hashed, fact.mtime, fact.size]
        case DebugFacts():
            return ["debug", fact.debug_bytes]
        case DeviceFacts():
            return ["device", fact.targets, fact.hidden]


def _read_fact(row: list[Any]) -> Facts:
    kind, *rest = row
    if kind == "pyc":
        return PycFacts(*rest)
    if kind == "debug":
        return DebugFacts(*rest)
    targets, hidden = rest
    return DeviceFacts(tuple((name, size) for name, size in targets), hidden)
