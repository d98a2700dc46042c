# SPDX-License-Identifier: Apache-2.0
"""Checks an OCI image layout against the specification, with none of our own writers.

Every digest, size and diff_id is computed again and every layer is read with the standard
library's tar and gzip readers, so that a mistake of ours cannot hide itself. This is the oracle of
the tests, and public.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from wheelship.oci.descriptor import CONFIG, INDEX, LAYER_GZIP, LAYER_TAR, MANIFEST

__all__ = ["problems_of_layout"]

_PIECE_BYTES = 1024 * 1024
_END_BYTES = 2 * tarfile.BLOCKSIZE


def problems_of_layout(directory: Path, foreign: Collection[str] = ()) -> list[str]:
    """Return everything wrong with the layout, one sentence each; empty when it is right.

    ``foreign`` are digests of layers that somebody else made: their bytes must be what they are
    said to be, and what is in them is not judged.
    """
    try:
        layout = json.loads((directory / "oci-layout").read_bytes())
        index = json.loads((directory / "index.json").read_bytes())
    except (OSError, ValueError) as error:
        return [f"no readable layout: {error}"]
    problems = [] if layout == {"imageLayoutVersion": "1.0.0"} else ["oci-layout has no version"]
    try:
        if index.get("schemaVersion") != 2 or index.get("mediaType") != INDEX:  # noqa: PLR2004
            problems.append("index.json is no image index")
        for entry in index["manifests"]:
            problems += _manifest(directory, entry, foreign)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problems.append(f"a document is malformed: {error!r}")
    return problems


def _manifest(directory: Path, entry: dict[str, Any], foreign: Collection[str]) -> Iterator[str]:
    data = _blob(directory, entry)
    if data is None:
        yield f"manifest {entry['digest']} is missing or not what its descriptor says"
        return
    document = json.loads(data)
    if document.get("mediaType") != MANIFEST or "manifests" in document:
        yield f"manifest {entry['digest']} has the wrong shape"
        return
    config_data = _blob(directory, document["config"])
    if config_data is None or document["config"]["mediaType"] != CONFIG:
        yield f"the configuration of {entry['digest']} is missing or not as described"
        return
    config = json.loads(config_data)
    named = entry.get("platform", config)
    if any(named.get(key) != config[key] for key in ("architecture", "os")):
        yield f"the index says {named}, the configuration {config['architecture']}"
    diff_ids = config["rootfs"]["diff_ids"]
    if len(diff_ids) != len(document["layers"]):
        yield f"{len(document['layers'])} layers, {len(diff_ids)} diff_ids"
        return
    rows = [row for row in config.get("history", ()) if not row.get("empty_layer")]
    if config.get("history") and len(rows) != len(diff_ids):
        yield f"{len(diff_ids)} layers, {len(rows)} history rows"
    for layer, diff_id in zip(document["layers"], diff_ids, strict=True):
        ours = layer["digest"] not in foreign
        yield from _layer(directory, layer, diff_id, ours=ours)


def _layer(directory: Path, layer: dict[str, Any], diff_id: str, *, ours: bool) -> Iterator[str]:
    name = layer["digest"]
    path = _path(directory, name)
    if layer["mediaType"] not in (LAYER_GZIP, LAYER_TAR):
        yield f"layer {name} has the media type {layer['mediaType']}"
        return
    if not path.is_file() or path.stat().st_size != layer["size"] or _digest(path) != name:
        yield f"layer {name} is missing or not what its descriptor says"
        return
    opener = gzip.open if layer["mediaType"] == LAYER_GZIP else open
    with opener(path, "rb") as stream:
        hashing = _Hashing(stream.read)
        try:
            with tarfile.open(fileobj=hashing, mode="r|") as archive:
                found = list(_entries(name, archive))
                end = _end(archive)
            hashing.drain()
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            yield f"layer {name} cannot be read: {error}"
            return
    if f"sha256:{hashing.hash.hexdigest()}" != diff_id:
        yield f"layer {name} unpacks to another diff_id than {diff_id}"
    if not ours:
        return
    yield from found
    if hashing.last_data > end:
        yield f"layer {name} has data where its archive ends"
    if hashing.size_bytes < end + _END_BYTES:
        yield f"layer {name} lacks the end of its archive"


def _entries(layer: str, archive: tarfile.TarFile) -> Iterator[str]:
    seen: set[str] = set()
    for member in archive:
        path = member.name
        if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) != path:
            yield f"layer {layer}: {path!r} is no plain relative path"
            continue
        if path in seen:
            yield f"layer {layer}: {path} stands in it twice"
        parent = posixpath.dirname(path)
        if parent and parent not in seen:
            yield f"layer {layer}: {path} comes before its directory"
        if member.mode & 0o6000 and not member.isdir():
            yield f"layer {layer}: {path} is set-uid or set-gid"
        if member.islnk() and member.linkname not in seen:
            yield f"layer {layer}: {path} links to {member.linkname}, which is not in the layer"
        if member.isdev():
            yield f"layer {layer}: {path} is a device"
        seen.add(path)


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


def _path(directory: Path, digest: str) -> Path:
    return directory.joinpath("blobs", *digest.split(":", 1))


def _blob(directory: Path, descriptor: dict[str, Any]) -> bytes | None:
    try:
        data = _path(directory, descriptor["digest"]).read_bytes()
    except OSError:
        return None
    right = f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]
    return data if right and len(data) == descriptor["size"] else None


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
