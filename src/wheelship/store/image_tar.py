# SPDX-License-Identifier: Apache-2.0
"""The bytes that all archives of images share: an OCI layout as a tar, in a fixed order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from wheelship.archive import tar
from wheelship.archive.entry import Directory, Entry, File, InMemory, Streamed
from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import INDEX, Descriptor
from wheelship.oci.digest import Digest
from wheelship.store.errors import DamagedStore
from wheelship.store.layout import REF_NAME

__all__ = ["CONTAINERD_NAME", "write_image_tar"]

CONTAINERD_NAME = "io.containerd.image.name"
_PIECE_BYTES = 1024 * 1024


def write_image_tar(
    out: BinaryIO,
    *,
    descriptor: Descriptor,
    documents: Sequence[bytes],
    layers: Sequence[tuple[Digest, Path]],
    reference: str,
    more: Mapping[str, bytes],
    advance: Callable[[int], None] | None = None,
) -> None:
    """Write the layout of one image to ``out``, which need not be seekable.

    ``documents`` are all its JSON blobs, ``descriptor`` is of the one that the name leads to;
    ``more`` are further files at the top, by name; ``reference`` is the full name with tag. Equal
    arguments give equal bytes.

    Raises:
        DamagedStore: a layer's bytes are not what its digest says, or it is gone.
    """
    # podman and containerd take the second where it is, skopeo finds an image by the first.
    names = {REF_NAME: reference.rpartition(":")[2], CONTAINERD_NAME: reference}
    entry = descriptor.to_json() | {"annotations": names}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    top = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": canonical_json(index),
        **more,
    }
    known = {Digest.of(data): data for data in documents}
    blobs = {digest: path for digest, path in layers if digest not in known}
    entries: list[Entry] = [
        *(File(path=name, content=InMemory(data)) for name, data in top.items()),
        Directory(path="blobs"),
        Directory(path="blobs/sha256"),
        *(_blob(digest, InMemory(data)) for digest, data in known.items()),
        *(_blob(digest, _stream(digest, path)) for digest, path in blobs.items()),
    ]
    for one in entries:
        out.write(tar.header(one))
        if isinstance(one, File):
            for piece in _pieces(one):
                out.write(piece)
                if advance is not None:
                    advance(len(piece))
            out.write(tar.padding(one.content.size_bytes))
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

    try:
        return Streamed(path.stat().st_size, open_file)
    except FileNotFoundError as error:
        raise DamagedStore(
            f"the store lost the blob {digest} a moment ago",
            where=str(path),
            hint="run the same command again: the layer is made anew",
        ) from error


def _pieces(entry: File) -> Iterator[bytes]:
    if isinstance(entry.content, InMemory):
        yield entry.content.data
    elif isinstance(entry.content, Streamed):
        yield from entry.content.open()
