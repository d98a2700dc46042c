# SPDX-License-Identifier: Apache-2.0
"""The store: blobs by digest, and records of which layer key gave which blob.

    blobs/sha256/<hex>       layer blobs, read-only
    downloads/<hex>          wheels and Debian packages, by their own SHA-256
    layers/<key>.json        LayerRecord
    layers/<key>.index       the layer's paths (zlib)
    roots/<key>/tree/        unpacked interpreters for bytecode, with a seal beside each
    marks/<key>              facts established once (content-free, or a small JSON document)
    contents/<hex>           what reading a layer blob told, by the blob's digest
    tmp/<token>/             unfinished work of one running process

A file appears under its final name by rename only, so readers never lock. Blobs are not synced to
disk one by one: after a power cut their size, change time or hash gives a loss away, and the next
build repairs it.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from wheelship.archive.result import IndexRow, LayerBytes
from wheelship.errors import MachineError
from wheelship.files.digest import file_digest, tree_digest
from wheelship.files.write import write_file
from wheelship.oci.digest import Digest
from wheelship.store.errors import DamagedStore, disk_errors

__all__ = ["LayerRecord", "Store", "discard"]

_PIECE_BYTES = 1024 * 1024
_BUFFER_BYTES = 64 * 1024  # what is larger goes to the file without being copied first
_FOLDERS = ("blobs/sha256", "downloads", "layers", "roots", "marks", "contents", "tmp")


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
        self._session_guard = Lock()
        with disk_errors(root):
            for folder in _FOLDERS:
                (root / folder).mkdir(parents=True, exist_ok=True)
            self._sweep()

    def blob(self, digest: Digest) -> Path:
        """Return where the blob is, or would be."""
        return self.root / "blobs" / "sha256" / digest.hex

    def download(self, sha256: str) -> Path:
        """Return where the downloaded file with this SHA-256 is, or would be."""
        return self.root / "downloads" / sha256

    def find_root(self, key: Digest) -> Path | None:
        """Return the directory kept under ``key``, if every file in it is still what it was.

        As with blobs, files whose change times differ from the recorded ones are read again.
        A damaged directory is removed.
        """
        kept = self.root / "roots" / key.hex
        try:
            stamp, digest = _unsealed((kept / "seal").read_bytes()).decode().split()
            if tree_digest(kept / "tree", times=True).hex == stamp:
                return kept / "tree"
            if tree_digest(kept / "tree").hex == digest:
                with suppress(MachineError):  # a store that cannot be written to still serves
                    self._seal(kept, digest)
                return kept / "tree"
        except (OSError, ValueError):
            pass
        if os.path.lexists(kept):
            # Renamed first: another process may be about to put a whole one here.
            with suppress(OSError, MachineError), self.work_directory() as work:
                kept.rename(work / "damaged")
        return None

    def put_root(self, key: Digest, tree: Path) -> Path:
        """Move the finished directory ``tree`` into place and remember it under ``key``."""
        kept = self.root / "roots" / key.hex
        with self.work_directory() as work:
            made = work / "kept"
            made.mkdir()
            tree.rename(made / "tree")
            self._seal(made, tree_digest(made / "tree").hex)
            try:
                made.rename(kept)
            except OSError:
                # Another process was first; its directory has the same content.
                if not (kept / "seal").is_file():
                    raise
        return kept / "tree"

    def _seal(self, kept: Path, digest: str) -> None:
        text = f"{tree_digest(kept / 'tree', times=True).hex} {digest}"
        self._write(kept / "seal", _seal(text.encode()))

    def find_record(self, key: Digest) -> LayerRecord | None:
        """Return what ``key`` gave before, without a look at the blob."""
        found = self._read_record(key)
        return None if found is None else found[0]

    def find_layer(self, key: Digest) -> LayerRecord | None:
        """Return what ``key`` gave before, if its blob is still exactly that.

        A blob whose change time differs from the recorded one is hashed again; a damaged one is
        removed, so that it is built anew.
        """
        found = self._read_record(key)
        if found is None:
            return None
        record, stamp = found
        if record.digest is None:
            return record
        path, blob = self._record_path(key), self.blob(record.digest)
        try:
            status = blob.lstat()
            whole = stat.S_ISREG(status.st_mode) and status.st_size == record.size_bytes
            if whole and _stamp(status) == stamp:
                with suppress(OSError):
                    os.utime(path)  # what was used last is pruned last
                return record
            if whole and file_digest(blob) == record.digest:
                with suppress(MachineError):  # a store that cannot be written to still serves
                    self._write(path, _document(record, _stamp(status)))
                return record
        except OSError:  # gone, or the disk cannot read it
            return None
        discard(blob)
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
                _make_room(self.blob(layer.digest))
                work.replace(self.blob(layer.digest))
                stamp = _stamp(self.blob(layer.digest).stat())
            self._write(self.root / "layers" / f"{key.hex}.index", _pack(rows))
            self._write(self._record_path(key), _document(record, stamp))
        return record

    def refresh(self, key: Digest, record: LayerRecord) -> None:
        """Note the blob's new change time after a hard link to it was made or removed by us."""
        if record.digest is not None:
            with disk_errors(self.root):
                stamp = _stamp(self.blob(record.digest).stat())
                self._write(self._record_path(key), _document(record, stamp))

    def index(self, key: Digest) -> list[IndexRow]:
        """Return the paths of the layer that ``key`` gave.

        Raises:
            DamagedStore: they cannot be read. The layer is forgotten, so that it is built anew.
        """
        path = self.root / "layers" / f"{key.hex}.index"
        try:
            return _unpack(path.read_bytes())
        except (OSError, ValueError, zlib.error) as error:
            with suppress(OSError):
                self._record_path(key).unlink()
            raise DamagedStore(
                "a list of files in the store is damaged; its layer was forgotten",
                where=str(path),
                hint="run the same command again: the layer is made anew",
            ) from error

    def mark(self, key: Digest, document: object = None) -> None:
        """Remember ``document`` under ``key``."""
        with disk_errors(self.root):
            self._write(self.root / "marks" / key.hex, _sealed(document))

    def marked(self, key: Digest) -> tuple[bool, Any]:
        """Return whether ``key`` was marked, and with what."""
        try:
            return True, json.loads(_unsealed((self.root / "marks" / key.hex).read_bytes()))
        except (OSError, ValueError):
            return False, None

    def content(self, digest: Digest) -> Path:
        """Return where what was read of the blob is kept, or would be."""
        return self.root / "contents" / digest.hex

    def put_content(self, digest: Digest, data: bytes) -> None:
        """Keep what reading the blob ``digest`` told, in a form that its reader knows."""
        with disk_errors(self.root):
            self._write(self.content(digest), _seal(data))

    def find_content(self, digest: Digest) -> bytes | None:
        """Return what was kept for the blob ``digest``; None if nothing was, or it is damaged."""
        path = self.content(digest)
        try:
            data = _unsealed(path.read_bytes())
        except (OSError, ValueError):
            return None
        with suppress(OSError):
            os.utime(path)  # what was used last is pruned last
        return data

    def is_whole(self, content: Path) -> bool:
        """Tell whether a file below ``contents`` is what was written there."""
        try:
            _unsealed(content.read_bytes())
        except (OSError, ValueError):
            return False
        return True

    @contextmanager
    def work_file(self) -> Iterator[tuple[BinaryIO, Path]]:
        """Open an unfinished file; whatever still has its name afterwards is removed."""
        with disk_errors(self.root):
            descriptor, name = tempfile.mkstemp(dir=self._own_session())
            path = Path(name)
            try:
                with os.fdopen(descriptor, "wb", buffering=_BUFFER_BYTES) as stream:
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
                discard(path)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep what is in the store there until the block ends: nobody prunes it meanwhile."""
        with self._root_lock() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextmanager
    def unused(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Enter the block when no process uses the store; ``waiting`` is called if one does."""
        with self._root_lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _root_lock(self) -> Iterator[int]:
        # The directory itself is locked: a store that is read-only has room for no other file.
        descriptor = os.open(self.root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Remove this process's unfinished work."""
        if self._session is not None and self._session_lock is not None:
            discard(self._session)
            os.close(self._session_lock)
            self._session = self._session_lock = None

    def _record_path(self, key: Digest) -> Path:
        return self.root / "layers" / f"{key.hex}.json"

    def _read_record(self, key: Digest) -> tuple[LayerRecord, object] | None:
        """Return what is recorded under ``key`` and the blob's stamp at that time."""
        try:
            document = json.loads(_unsealed(self._record_path(key).read_bytes()))
            return _record(document), document["stamp"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _own_session(self) -> Path:
        """Return this process's directory for unfinished work, made and locked on first use."""
        with self._session_guard:
            if self._session is None:
                self._session, self._session_lock = self._new_session()
            return self._session

    def _new_session(self) -> tuple[Path, int]:
        while True:
            session = Path(tempfile.mkdtemp(dir=self.root / "tmp"))
            with suppress(FileNotFoundError):
                lock = os.open(session, os.O_RDONLY | os.O_CLOEXEC)
                fcntl.flock(lock, fcntl.LOCK_EX)
                # Another process may have swept it before it was locked.
                if session.exists():
                    return session, lock
                os.close(lock)

    def _sweep(self) -> None:
        """Remove what processes that were killed left behind: nobody holds their lock."""
        for left in (self.root / "tmp").iterdir():
            with suppress(OSError):
                lock = os.open(left, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    discard(left)
                finally:
                    os.close(lock)

    def _write(self, path: Path, data: bytes) -> None:
        with disk_errors(self.root):
            _make_room(path)
            write_file(path, data, work=self._own_session())


def _sealed(document: object) -> bytes:
    """Encode ``document`` behind the digest of its bytes, which gives every damage away."""
    return _seal(json.dumps(document).encode())


def _seal(data: bytes) -> bytes:
    return b"%s\n%s" % (Digest.of(data).hex.encode(), data)


def _unsealed(data: bytes) -> bytes:
    """Return the bytes of a sealed document.

    Raises:
        ValueError: it is damaged.
    """
    seal, _, body = data.partition(b"\n")
    if seal != Digest.of(body).hex.encode():
        raise ValueError("damaged")
    return body


def discard(path: Path) -> None:
    """Remove whatever is there, if that can be done.

    An unpacked image may hold directories that even we may not write to.
    """
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            from wheelship.archive.unpack import remove_tree

            remove_tree(path)
        else:
            path.unlink()


def _make_room(path: Path) -> None:
    """Remove a directory that stands where the store wants a file: the name is the store's."""
    if path.is_dir() and not path.is_symlink():
        discard(path)


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_ctime_ns, status.st_ino]


def _document(record: LayerRecord, stamp: list[int]) -> bytes:
    return _sealed(
        {
            "digest": record.digest and record.digest.hex,
            "diff_id": record.diff_id and record.diff_id.hex,
            "size_bytes": record.size_bytes,
            "unpacked_bytes": record.unpacked_bytes,
            "stamp": stamp,
        }
    )


def _record(document: dict[str, Any]) -> LayerRecord:
    digest, diff_id = document["digest"], document["diff_id"]
    return LayerRecord(
        digest=Digest(digest) if digest else None,
        diff_id=Digest(diff_id) if diff_id else None,
        size_bytes=document["size_bytes"],
        unpacked_bytes=document["unpacked_bytes"],
    )


def _pack(rows: tuple[IndexRow, ...]) -> bytes:
    # A path may hold anything but this, line ends of all kinds included.
    lines = (f"{row.mode:o} {row.size_bytes} {row.sha256 or '-'} {row.path}\0" for row in rows)
    return zlib.compress("".join(lines).encode(), 1)


def _unpack(data: bytes) -> list[IndexRow]:
    return [_row(line) for line in zlib.decompress(data).decode().split("\0")[:-1]]


def _row(line: str) -> IndexRow:
    mode, size, sha256, path = line.split(" ", 3)
    return IndexRow(path, int(mode, 8), int(size), "" if sha256 == "-" else sha256)
