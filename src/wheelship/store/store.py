# SPDX-License-Identifier: Apache-2.0
"""The store: blobs by digest, and records of which layer key gave which blob.

    blobs/sha256/<hex>       layer blobs, read-only
    downloads/<hex>          wheels and Debian packages, by their own SHA-256
    layers/<key>.json        LayerRecord
    layers/<key>.index       the layer's paths (zlib, one row per line)
    roots/<key>/             unpacked interpreters for bytecode
    marks/<key>              facts established once (content-free, or a small JSON document)
    tmp/<token>/             unfinished work of one running process

A file appears under its final name by rename only, so readers never lock. Blobs are not synced to
disk one by one: after a power cut their size, change time or hash gives a loss away, and the next
build repairs it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wheelship.archive.layer import IndexRow, LayerBytes
from wheelship.oci.digest import Digest
from wheelship.store.errors import disk_errors

__all__ = ["LayerRecord", "Store", "file_digest"]

_PIECE_BYTES = 1024 * 1024
_FOLDERS = ("blobs/sha256", "downloads", "layers", "roots", "marks", "tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecord:
    """What a layer key gave. A layer without any entry has no blob: ``digest`` is None."""

    digest: Digest | None
    diff_id: Digest | None
    size_bytes: int
    unpacked_bytes: int


class Store:
    """The store below ``root``; safe for any number of processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._session: Path | None = None
        self._session_lock: int | None = None
        with disk_errors(root):
            for folder in _FOLDERS:
                (root / folder).mkdir(parents=True, exist_ok=True)

    def blob(self, digest: Digest) -> Path:
        """Return where the blob is, or would be."""
        return self.root / "blobs" / "sha256" / digest.hex

    def download(self, sha256: str) -> Path:
        """Return where the downloaded file with this SHA-256 is, or would be."""
        return self.root / "downloads" / sha256

    def interpreter_root(self, key: Digest) -> Path:
        """Return where the interpreter unpacked under ``key`` is, or would be."""
        return self.root / "roots" / key.hex

    def find_record(self, key: Digest) -> LayerRecord | None:
        """Return what ``key`` gave before, without a look at the blob."""
        try:
            return _record(json.loads((self.root / "layers" / f"{key.hex}.json").read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def find_layer(self, key: Digest) -> LayerRecord | None:
        """Return what ``key`` gave before, if its blob is still exactly that.

        A blob whose change time differs from the recorded one is hashed again; a damaged one is
        removed, so that it is built anew.
        """
        path = self.root / "layers" / f"{key.hex}.json"
        try:
            document = json.loads(path.read_bytes())
            record = _record(document)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if record.digest is None:
            return record
        blob = self.blob(record.digest)
        try:
            status = blob.stat()
        except OSError:
            return None
        if status.st_size == record.size_bytes and _stamp(status) == document.get("stamp"):
            with suppress(OSError):
                os.utime(path)  # what was used last is pruned last
            return record
        if status.st_size == record.size_bytes and file_digest(blob) == record.digest:
            self._write(path, _document(record, _stamp(status)))
            return record
        with suppress(OSError):
            blob.unlink()
        return None

    def put_layer(self, key: Digest, work: Path | None, layer: LayerBytes | None) -> LayerRecord:
        """Move the finished blob ``work`` into place and remember it under ``key``.

        ``None`` records that the key gives no layer at all.
        """
        record = LayerRecord(digest=None, diff_id=None, size_bytes=0, unpacked_bytes=0)
        stamp: list[int] = []
        rows: tuple[IndexRow, ...] = ()
        with disk_errors(self.root):
            if layer is not None and work is not None:
                record = LayerRecord(
                    digest=layer.digest,
                    diff_id=layer.diff_id,
                    size_bytes=layer.size_bytes,
                    unpacked_bytes=layer.unpacked_bytes,
                )
                rows = layer.index
                work.chmod(0o444)
                work.replace(self.blob(layer.digest))
                stamp = _stamp(self.blob(layer.digest).stat())
            self._write(self.root / "layers" / f"{key.hex}.index", _pack(rows))
            self._write(self.root / "layers" / f"{key.hex}.json", _document(record, stamp))
        return record

    def refresh(self, key: Digest, record: LayerRecord) -> None:
        """Note the blob's new change time after a hard link to it was made or removed by us."""
        if record.digest is not None:
            stamp = _stamp(self.blob(record.digest).stat())
            self._write(self.root / "layers" / f"{key.hex}.json", _document(record, stamp))

    def index(self, key: Digest) -> list[IndexRow]:
        """Return the paths of the layer that ``key`` gave."""
        data = zlib.decompress((self.root / "layers" / f"{key.hex}.index").read_bytes())
        return [_row(line) for line in data.decode().splitlines()]

    def mark(self, key: Digest, document: object = None) -> None:
        """Remember ``document`` under ``key``."""
        with disk_errors(self.root):
            self._write(self.root / "marks" / key.hex, json.dumps(document).encode())

    def marked(self, key: Digest) -> tuple[bool, Any]:
        """Return whether ``key`` was marked, and with what."""
        try:
            return True, json.loads((self.root / "marks" / key.hex).read_bytes())
        except (OSError, ValueError):
            return False, None

    @contextmanager
    def work_file(self) -> Iterator[tuple[BinaryIO, Path]]:
        """Open an unfinished file; whatever still has its name afterwards is removed."""
        with disk_errors(self.root):
            descriptor, name = tempfile.mkstemp(dir=self._own_session())
            path = Path(name)
            try:
                with os.fdopen(descriptor, "wb", buffering=_PIECE_BYTES) as stream:
                    yield stream, path
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def work_directory(self) -> Iterator[Path]:
        """Make an unfinished directory; whatever still has its name afterwards is removed."""
        with disk_errors(self.root):
            path = Path(tempfile.mkdtemp(dir=self._own_session()))
            try:
                yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Remove this process's unfinished work."""
        if self._session is not None and self._session_lock is not None:
            shutil.rmtree(self._session, ignore_errors=True)
            os.close(self._session_lock)
            self._session = self._session_lock = None

    def _own_session(self) -> Path:
        """Return this process's directory for unfinished work, made and locked on first use."""
        if self._session is None:
            self._sweep()
            session = Path(tempfile.mkdtemp(dir=self.root / "tmp"))
            self._session_lock = os.open(session, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._session_lock, fcntl.LOCK_EX)
            self._session = session
        return self._session

    def _sweep(self) -> None:
        """Remove what processes that were killed left behind: nobody holds their lock."""
        for left in (self.root / "tmp").iterdir():
            with suppress(OSError):
                lock = os.open(left, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
                finally:
                    os.close(lock)

    def _write(self, path: Path, data: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._own_session())
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(name).replace(path)


def file_digest(path: Path) -> Digest:
    """Return the digest of a file's bytes."""
    with path.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_ctime_ns, status.st_ino]


def _document(record: LayerRecord, stamp: list[int]) -> bytes:
    return json.dumps(
        {
            "digest": record.digest and record.digest.hex,
            "diff_id": record.diff_id and record.diff_id.hex,
            "size_bytes": record.size_bytes,
            "unpacked_bytes": record.unpacked_bytes,
            "stamp": stamp,
        }
    ).encode()


def _record(document: dict[str, Any]) -> LayerRecord:
    digest, diff_id = document["digest"], document["diff_id"]
    return LayerRecord(
        digest=Digest(digest) if digest else None,
        diff_id=Digest(diff_id) if diff_id else None,
        size_bytes=document["size_bytes"],
        unpacked_bytes=document["unpacked_bytes"],
    )


def _pack(rows: tuple[IndexRow, ...]) -> bytes:
    lines = (f"{row.mode:o} {row.size_bytes} {row.sha256 or '-'} {row.path}\n" for row in rows)
    return zlib.compress("".join(lines).encode(), 1)


def _row(line: str) -> IndexRow:
    mode, size, sha256, path = line.split(" ", 3)
    return IndexRow(path, int(mode, 8), int(size), "" if sha256 == "-" else sha256)
