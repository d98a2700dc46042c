# SPDX-License-Identifier: Apache-2.0
"""Archives that ``docker load`` of any age accepts: an OCI layout that also has ``manifest.json``.

The classic image store reads ``manifest.json``, newer engines and podman read ``index.json``; both
find the same blobs (traps §1.1, §1.3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from wheelship.archive import tar
from wheelship.archive.entry import Directory, Entry, File, InMemory, Streamed
from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import INDEX, MANIFEST, Descriptor
from wheelship.oci.digest import Digest
from wheelship.store.errors import DamagedStore
from wheelship.store.layout import REF_NAME

__all__ = ["write_docker_archive"]

_PIECE_BYTES = 1024 * 1024
_CONTAINERD_NAME = "io.containerd.image.name"


def write_docker_archive(
    out: BinaryIO,
    *,
    manifest: bytes,
    config: bytes,
    layers: list[tuple[Digest, Path]],
    reference: str,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Write the archive to ``out``, which need not be seekable; the order of entries is fixed.

    ``reference`` is the full name with tag that the engine shall give the image.

    Raises:
        DamagedStore: a layer's bytes are not what its digest says.
    """
    tag = reference.rpartition(":")[2]
    descriptor = Descriptor(
        media_type=MANIFEST, digest=Digest.of(manifest), size_bytes=len(manifest)
    ).to_json() | {"annotations": {REF_NAME: tag, _CONTAINERD_NAME: reference}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}
    legacy = [
        {
            "Config": f"blobs/sha256/{Digest.of(config).hex}",
            "RepoTags": [reference],
            "Layers": [f"blobs/sha256/{digest.hex}" for digest, _ in layers],
        }
    ]
    entries: list[Entry] = [
        File(path="oci-layout", content=InMemory(b'{"imageLayoutVersion":"1.0.0"}')),
        File(path="index.json", content=InMemory(canonical_json(index))),
        File(path="manifest.json", content=InMemory(canonical_json(legacy))),
        Directory(path="blobs"),
        Directory(path="blobs/sha256"),
    ]
    documents = {Digest.of(data): data for data in (config, manifest)}
    blobs = {digest: path for digest, path in layers if digest not in documents}
    entries += [_blob(digest, InMemory(data)) for digest, data in documents.items()]
    entries += [_blob(digest, _stream(digest, path)) for digest, path in blobs.items()]
    for entry in entries:
        out.write(tar.header(entry))
        if isinstance(entry, File):
            for piece in _pieces(entry):
                out.write(piece)
                if advance is not None:
                    advance(len(piece))
            out.write(tar.padding(entry.content.size_bytes))
    out.write(tar.END)


def _blob(digest: Digest, content: InMemory | Streamed) -> File:
    return File(path=f"blobs/sha256/{digest.hex}", content=content)


def _stream(digest: Digest, path: Path) -> Streamed:
    def open_file() -> Iterator[bytes]:
        found = hashlib.sha256()
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                found.update(piece)
                yield piece
        if found.hexdigest() != digest.hex:
            raise DamagedStore(
                f"the blob {digest} is damaged",
                where=str(path),
                hint="wheelship cache verify\nand build again",
            )

    return Streamed(path.stat().st_size, open_file)


def _pieces(entry: File) -> Iterator[bytes]:
    if isinstance(entry.content, InMemory):
        yield entry.content.data
    elif isinstance(entry.content, Streamed):
        yield from entry.content.open()
