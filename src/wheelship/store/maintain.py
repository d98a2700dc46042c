# SPDX-License-Identifier: Apache-2.0
"""Looking after the store: what it holds, whether it is whole, and making it smaller."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wheelship.files.digest import file_digest
from wheelship.oci.digest import Digest, InvalidDigest
from wheelship.store.store import Store, discard

__all__ = ["Damage", "Usage", "prune", "usage", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Files and bytes of one part of the store."""

    part: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A file whose content is not what its name says; it was removed."""

    path: Path
    bytes: int


def usage(store: Store) -> tuple[Usage, ...]:
    """Return what each part of the store takes; a blob hard-linked elsewhere counts in full."""
    parts = (
        ("layers", "blobs"),
        ("downloads", "downloads"),
        ("interpreters", "roots"),
        ("records", "layers"),
        ("inspections", "contents"),
        ("unfinished", "tmp"),
    )
    return tuple(_usage(name, store.root / folder) for name, folder in parts)


def verify(store: Store, advance: Callable[[int], None] | None = None) -> tuple[Damage, ...]:
    """Hash all that was made or read, and remove what is damaged; who needs it makes it anew."""
    damaged: list[Damage] = []
    folders = (store.root / "blobs" / "sha256", store.root / "downloads")
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        if path.suffix:
            continue  # unfinished downloads have a suffix and are checked when they are resumed
        size = path.lstat().st_size
        if path.is_symlink() or not path.is_file() or file_digest(path).hex != path.name:
            damaged.append(Damage(path, size))
            discard(path)
        if advance is not None:
            advance(size)
    for path in sorted((store.root / "contents").iterdir()):
        size = path.lstat().st_size
        if path.is_symlink() or not store.is_whole(path):
            damaged.append(Damage(path, size))
            discard(path)
        if advance is not None:
            advance(size)
    return tuple(damaged)


def prune(store: Store, keep_bytes: int, waiting: Callable[[], None] = lambda: None) -> int:
    """Remove what was not used for longest until at most ``keep_bytes`` remain; returns freed.

    Builds that use the store are waited for, which ``waiting`` is told: nothing is taken from them.
    """
    with store.unused(waiting):
        return _prune(store, keep_bytes)


def _prune(store: Store, keep_bytes: int) -> int:
    total = sum(one.bytes for one in usage(store))
    freed = 0
    for path in _oldest_first(store):
        if total - freed <= keep_bytes:
            break
        freed += _remove(store, path)
    if keep_bytes == 0:
        shutil.rmtree(store.root / "marks", ignore_errors=True)
        (store.root / "marks").mkdir()
    return freed


def _oldest_first(store: Store) -> list[Path]:
    """Return what can be removed: records (with their blobs), blobs no record names, the rest."""
    records = list((store.root / "layers").glob("*.json"))
    named = {_blob_of(store, path) for path in records}
    lost = [path for path in (store.root / "blobs" / "sha256").iterdir() if path not in named]
    others = [
        path
        for name in ("downloads", "roots", "contents")
        for path in (store.root / name).iterdir()
    ]
    return [path for _, path in sorted(_dated([*records, *lost, *others]))]


def _dated(paths: list[Path]) -> Iterator[tuple[float, Path]]:
    for path in paths:
        with suppress(OSError):  # another process was faster
            yield path.lstat().st_mtime, path


def _remove(store: Store, path: Path) -> int:
    paths: list[Path | None] = [path]
    if path.parent.name == "layers":
        paths = [_blob_of(store, path), path.with_suffix(".index"), path]
    size = 0
    for one in paths:
        if one is None or not os.path.lexists(one):
            continue
        folder = one.is_dir() and not one.is_symlink()
        size += _usage("", one).bytes if folder else one.lstat().st_size
        discard(one)
    return size


def _blob_of(store: Store, record_path: Path) -> Path | None:
    try:
        record = store.find_record(Digest(record_path.stem))
    except InvalidDigest:  # a foreign file
        return None
    return None if record is None or record.digest is None else store.blob(record.digest)


def _usage(part: str, folder: Path) -> Usage:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return Usage(part=part, files=len(files), bytes=sum(path.stat().st_size for path in files))
