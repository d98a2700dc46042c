# SPDX-License-Identifier: Apache-2.0
"""Checks one layer: its compression, its tar, and what the tar does to the layers below."""

from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import BinaryIO

import zstandard

from wheelship.oci.descriptor import LAYER_GZIP, LAYER_TAR, LAYER_ZSTD

__all__ = ["MEDIA_TYPES", "Tree", "problems_of_layer"]

MEDIA_TYPES = (LAYER_GZIP, LAYER_TAR, LAYER_ZSTD)
_PIECE_BYTES = 1024 * 1024
_END_BYTES = 2 * tarfile.BLOCKSIZE
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_PLAIN_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
_UNREADABLE = (
    *(OSError, EOFError, ValueError),
    *(tarfile.TarError, zlib.error, zstandard.ZstdError),
)
_PAX_KEYS = {"path", "linkpath", "size", "uid", "gid"}

Tree = dict[str, bytes]
"""What the layers so far give: path to tar's type flag."""


def problems_of_layer(
    name: str, media_type: str, diff_id: str, stream: BufferedReader, tree: Tree, *, ours: bool
) -> Iterator[str]:
    """Yield what is wrong with the layer called ``name``, and add its entries to ``tree``.

    ``ours`` holds it to the rules of our own layers, beyond those of the specification.
    """
    if media_type == LAYER_GZIP and ours:
        head = stream.peek(len(_PLAIN_GZIP))[: len(_PLAIN_GZIP)]
        if head[:2] == _PLAIN_GZIP[:2] and head != _PLAIN_GZIP:
            yield f"layer {name}: its gzip header holds a time, a name or flags"
    hashing = _Hashing(_opened(media_type, stream).read)
    try:
        with tarfile.open(fileobj=hashing, mode="r|") as archive:
            yield from _entries(f"layer {name}", archive, tree, ours=ours)
            end = _end(archive)
        hashing.drain()
    except _UNREADABLE as error:
        yield f"layer {name} cannot be read: {error}"
        return
    if hashing.last_data > end:
        yield f"layer {name} has data where its archive ends"
    if hashing.size_bytes < end + _END_BYTES:
        yield f"layer {name} lacks the end of its archive"
    if f"sha256:{hashing.hash.hexdigest()}" != diff_id:
        yield f"layer {name} unpacks to another diff_id than {diff_id}"


def _opened(media_type: str, stream: BufferedReader) -> BinaryIO:
    """Return the tar inside."""
    if media_type == LAYER_GZIP:
        return gzip.open(stream)  # type: ignore[return-value]
    if media_type == LAYER_TAR:
        return stream
    opened: BinaryIO = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return opened


def _entries(where: str, archive: tarfile.TarFile, tree: Tree, *, ours: bool) -> Iterator[str]:
    seen: dict[str, bytes] = {}
    times: set[float] = set()
    for member in archive:
        if not ours:
            # `tar -c .` writes every name so, and every engine takes it.
            member.name = member.name.removeprefix("./")
            member.linkname = member.linkname.removeprefix("./")
        path = member.name
        if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) != path:
            yield f"{where}: {path!r} is no plain relative path"
            continue
        if path in seen:
            yield f"{where}: {path} stands in it twice"
        yield from _whiteout(where, member, seen)
        if member.islnk() and member.linkname not in seen:
            yield f"{where}: {path} links to {member.linkname}, which is not in the layer"
        if ours:
            yield from _house_rules(where, member, seen, tree)
            times.add(member.mtime)
        seen[path] = member.type
        _apply(member, tree)
    if len(times) > 1:
        yield f"{where}: its entries have {len(times)} different times"


def _whiteout(where: str, member: tarfile.TarInfo, seen: dict[str, bytes]) -> Iterator[str]:
    """Check a whiteout (image-spec, layer.md): empty, of one name, before what it does not hide."""
    folder, name = posixpath.split(member.name)
    if any(part.startswith(_WHITEOUT) for part in folder.split("/")):
        yield f"{where}: {member.name} lies below a whiteout"
    if not name.startswith(_WHITEOUT):
        return
    hidden = name.removeprefix(_WHITEOUT)
    if not member.isreg() or member.size or not hidden:
        yield f"{where}: {member.name} looks like a whiteout and is none"
    elif name != _OPAQUE and posixpath.join(folder, hidden) in seen:
        yield f"{where}: {member.name} hides what the layer itself holds"
    elif name == _OPAQUE and any(one.startswith(f"{folder}/") for one in seen):
        yield f"{where}: {member.name} comes after what it would hide"


def _house_rules(
    where: str, member: tarfile.TarInfo, seen: dict[str, bytes], tree: Tree
) -> Iterator[str]:
    path, mode = member.name, member.mode
    parent = posixpath.dirname(path)
    if parent and seen.get(parent) != tarfile.DIRTYPE:
        told = "lies below what is no directory" if parent in seen else "comes before its directory"
        yield f"{where}: {path} {told}"
    if mode & 0o6000 and not member.isdir():
        yield f"{where}: {path} is set-uid or set-gid"
    if mode & 0o002 and not member.issym() and not (member.isdir() and mode & 0o1000):
        yield f"{where}: everybody may write to {path}"
    if member.isdev():
        yield f"{where}: {path} is a device"
    if member.uname or member.gname:
        yield f"{where}: {path} names its owner {member.uname}:{member.gname}"
    below = tree.get(path)
    if below is not None and (below == tarfile.DIRTYPE) != member.isdir():
        yield f"{where}: {path} replaces something of another kind in a lower layer"
    extended = member.offset_data - member.offset > tarfile.BLOCKSIZE
    unknown = sorted(set(member.pax_headers) - _PAX_KEYS)
    if unknown:
        yield f"{where}: {path} has the extended headers {', '.join(unknown)}"
    if member.issparse() or (extended and not member.pax_headers):
        yield f"{where}: {path} is written in a form that is neither ustar nor pax"


def _apply(member: tarfile.TarInfo, tree: Tree) -> None:
    folder, name = posixpath.split(member.name)
    if name == _OPAQUE:
        _remove_below(folder, tree)
    elif name.startswith(_WHITEOUT):
        hidden = posixpath.join(folder, name.removeprefix(_WHITEOUT))
        tree.pop(hidden, None)
        _remove_below(hidden, tree)
    else:
        if tree.get(member.name) == tarfile.DIRTYPE and not member.isdir():
            _remove_below(member.name, tree)
        tree[member.name] = member.type


def _remove_below(folder: str, tree: Tree) -> None:
    for path in [path for path in tree if path.startswith(f"{folder}/")]:
        del tree[path]


def _end(archive: tarfile.TarFile) -> int:
    """Return the offset behind the last entry; tarfile takes a broken header for the end."""
    end = 0
    for member in archive.getmembers()[-1:]:
        blocks = -(-member.size // tarfile.BLOCKSIZE) if member.isreg() else 0
        end = member.offset_data + blocks * tarfile.BLOCKSIZE
    return end


class _Hashing(io.RawIOBase):
    """A readable stream that hashes what passes and notes where its last byte but zeros was."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.hash = hashlib.sha256()
        self.size_bytes = 0
        self.last_data = 0

    def read(self, size: int = -1) -> bytes:
        data = self._read(size)
        self.hash.update(data)
        if length := len(data.rstrip(b"\0")):
            self.last_data = self.size_bytes + length
        self.size_bytes += len(data)
        return data

    def drain(self) -> None:
        """Read what follows the end of the archive: it is part of the diff_id."""
        while self.read(_PIECE_BYTES):
            pass
