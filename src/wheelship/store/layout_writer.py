# SPDX-License-Identifier: Apache-2.0
"""OCI image layouts (image-spec, image-layout.md), written by hard link."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wheelship.errors import InputError
from wheelship.files.digest import file_digest
from wheelship.files.write import is_unfinished, write_file
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.oci.index import Tagged
from wheelship.store.errors import DamagedStore, InvalidLayout, disk_errors
from wheelship.store.layout import REF_NAME, read_document, read_index, tag_of
from wheelship.store.store import discard

__all__ = ["write_layout"]

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_NEW = ".new-"


def write_layout(
    directory: Path, image: Tagged, tag: str, blob: Callable[[Digest], Path]
) -> frozenset[Digest]:
    """Put ``image`` into the layout under ``tag``; other tags stay, blobs nobody names go.

    Images of several platforms are one index under the tag, whatever it named before.

    The tag moves last, in one rename. Returns the digests of the blobs that were hard-linked now,
    whose change time this altered.

    Raises:
        InvalidLayout: ``directory`` holds something else.
        DiskFull, NotWritable: the disk refuses.
    """
    with disk_errors(directory, "--output oci:DIR"):
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            index = read_index(directory)
            blobs = directory / "blobs" / "sha256"
            blobs.mkdir(parents=True, exist_ok=True)
            _sweep(directory, blobs)
            linked = {
                layer.digest
                for layer in image.blobs
                if _place(blob(layer.digest), blobs / layer.digest.hex)
            }
            for data in image.documents:
                _write(blobs / Digest.of(data).hex, data)
            _write(directory / "oci-layout", _LAYOUT)
            entry = image.descriptor.to_json() | {"annotations": {REF_NAME: tag}}
            kept = [one for one in index["manifests"] if tag_of(one) != tag]
            index["manifests"] = sorted([*kept, entry], key=lambda one: tag_of(one) or "")
            _write(directory / "index.json", canonical_json(index))
            _collect(directory, index)
            return frozenset(linked)


def _place(source: Path, target: Path) -> bool:
    """Make ``target`` the same blob as ``source``; return whether a link was made."""
    if not source.is_file():
        raise DamagedStore(
            f"the store lost the blob {source.name} a moment ago",
            where=str(source),
            hint="run the same command again: the layer is made anew",
        )
    with suppress(OSError):
        if target.samefile(source) and not target.is_symlink():
            return False
    if not target.is_file() or target.is_symlink():
        discard(target)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=_NEW)) / "blob"
    try:
        try:
            work.hardlink_to(source)
            linked = True
        except OSError:  # another file system, or one without hard links
            linked = False
            if target.is_file() and file_digest(target).hex == target.name:
                return False  # reading is cheaper than writing gigabytes again
            shutil.copyfile(source, work)
        work.replace(target)
    finally:
        shutil.rmtree(work.parent, ignore_errors=True)
    return linked


def _write(path: Path, data: bytes) -> None:
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        return
    if path.is_dir() and not path.is_symlink():
        raise InvalidLayout(
            f"has a directory in the place of {path.name}",
            where=str(path),
            hint=f"remove it and build again\nrm -r {shlex.quote(str(path))}",
        )
    write_file(path, data)


def _sweep(*directories: Path) -> None:
    """Remove the unfinished work of a killed process; as we hold the lock, it is nobody's."""
    found = (one for directory in directories for one in directory.iterdir())
    for left in (one for one in found if is_unfinished(one.name)):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process at a time change the layout; builds of two variants share it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _collect(directory: Path, index: dict[str, Any]) -> None:
    """Remove blobs that no tag reaches any more; keep all when something cannot be read."""
    try:
        reached = _reached(directory, [one["digest"] for one in index["manifests"]])
    except (InputError, ValueError, KeyError, TypeError, AttributeError):
        return
    for blob in (directory / "blobs" / "sha256").iterdir():
        if blob.name not in reached:
            with suppress(OSError):
                blob.unlink()


def _reached(directory: Path, pending: list[str]) -> set[str]:
    """Return the file names of the blobs that the documents called ``pending`` lead to."""
    reached: set[str] = set()
    while pending:
        digest = pending.pop()
        reached.add(Digest.parse(digest).hex)
        document = json.loads(read_document(directory, digest))
        pending += [one["digest"] for one in document.get("manifests", ())]
        children = [*document.get("layers", ()), document.get("config") or {}]
        reached.update(Digest.parse(one["digest"]).hex for one in children if one)
    return reached
