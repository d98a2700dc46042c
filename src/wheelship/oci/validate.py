# SPDX-License-Identifier: Apache-2.0
"""Checks an OCI image layout against the specification, with none of our own writers.

Every digest, size and diff_id is computed again and every layer is read with the standard
library's tar and gzip readers, so that a mistake of ours cannot hide itself. This is the oracle of
the tests, and public.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from wheelship.oci.descriptor import CONFIG, INDEX, LAYER_GZIP, LAYER_TAR, MANIFEST

__all__ = ["problems_of_layout"]

_PIECE_BYTES = 1024 * 1024


def problems_of_layout(directory: Path) -> list[str]:
    """Return everything wrong with the layout, one sentence each; empty when it is right."""
    try:
        layout = json.loads((directory / "oci-layout").read_bytes())
        index = json.loads((directory / "index.json").read_bytes())
    except (OSError, ValueError) as error:
        return [f"no readable layout: {error}"]
    problems = [] if layout == {"imageLayoutVersion": "1.0.0"} else ["oci-layout has no version"]
    if index.get("schemaVersion") != 2 or index.get("mediaType") != INDEX:  # noqa: PLR2004
        problems.append("index.json is no image index")
    for entry in index.get("manifests", ()):
        problems += _manifest(directory, entry)
    return problems


def _manifest(directory: Path, entry: dict[str, Any]) -> Iterator[str]:
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
    diff_ids = config["rootfs"]["diff_ids"]
    if len(diff_ids) != len(document["layers"]):
        yield f"{len(document['layers'])} layers, {len(diff_ids)} diff_ids"
        return
    rows = [row for row in config.get("history", ()) if not row.get("empty_layer")]
    if config.get("history") and len(rows) != len(diff_ids):
        yield f"{len(diff_ids)} layers, {len(rows)} history rows"
    for layer, diff_id in zip(document["layers"], diff_ids, strict=True):
        yield from _layer(directory, layer, diff_id)


def _layer(directory: Path, layer: dict[str, Any], diff_id: str) -> Iterator[str]:
    name = layer["digest"]
    path = _path(directory, name)
    if layer["mediaType"] not in (LAYER_GZIP, LAYER_TAR):
        yield f"layer {name} has the media type {layer['mediaType']}"
        return
    if not path.is_file() or path.stat().st_size != layer["size"] or _digest(path) != name:
        yield f"layer {name} is missing or not what its descriptor says"
        return
    with path.open("rb") as raw:
        stream = gzip.open(raw) if layer["mediaType"] == LAYER_GZIP else raw
        hashing = _Hashing(stream)
        try:
            with tarfile.open(fileobj=hashing, mode="r|") as archive:
                yield from _entries(name, archive)
            hashing.drain()
        except (OSError, EOFError, tarfile.TarError) as error:
            yield f"layer {name} cannot be read: {error}"
            return
    if f"sha256:{hashing.hash.hexdigest()}" != diff_id:
        yield f"layer {name} unpacks to another diff_id than {diff_id}"


def _entries(layer: str, archive: tarfile.TarFile) -> Iterator[str]:
    seen: set[str] = set()
    for member in archive:
        path = member.name
        if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) != path:
            yield f"layer {layer}: {path!r} is no plain relative path"
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


class _Hashing:
    """A readable stream that hashes what passes."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - a file or a gzip file
        self._stream = stream
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        self.hash.update(data)
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
        reader: BinaryIO = stream
        return f"sha256:{hashlib.file_digest(reader, 'sha256').hexdigest()}"
