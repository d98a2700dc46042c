# SPDX-License-Identifier: Apache-2.0
"""Makes small images whose layers lie in a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wheelship.archive.entry import Entry
from wheelship.archive.layer import LayerWriter
from wheelship.oci.config import History, ImageConfig
from wheelship.oci.descriptor import LAYER_GZIP, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.image import Image, Layer
from wheelship.oci.platform import Platform
from wheelship.store.store import Store

__all__ = ["make_image", "put_layer"]

_CREATED = "1980-01-01T00:00:00Z"


def put_layer(store: Store, key: Digest, entries: Iterable[Entry]) -> Layer:
    """Write ``entries`` as one layer into ``store`` under ``key``."""
    with store.work_file() as (stream, path):
        writer = LayerWriter(stream)
        for entry in entries:
            writer.add(entry)
        finished = writer.finish()
        stream.flush()
        store.put_layer(key, path, finished)
    return Layer(
        descriptor=Descriptor(
            media_type=LAYER_GZIP, digest=finished.digest, size_bytes=finished.size_bytes
        ),
        diff_id=finished.diff_id,
        unpacked_bytes=finished.unpacked_bytes,
    )


def make_image(store: Store, *contents: Sequence[Entry], architecture: str = "amd64") -> Image:
    """Make an image of one layer per argument; the n-th has the key ``Digest.of(b"layer <n>")``."""
    layers = tuple(
        put_layer(store, Digest.of(b"layer %d" % number), entries)
        for number, entries in enumerate(contents)
    )
    config = ImageConfig(
        platform=Platform(architecture=architecture),
        diff_ids=tuple(layer.diff_id for layer in layers),
        created=_CREATED,
        env=(("PATH", "/usr/bin"),),
        command=("true",),
        user="65532:65532",
        history=tuple(History(created=_CREATED, created_by="test") for _ in layers),
    )
    return Image(config=config, layers=layers, annotations=(("org.example.made", "here"),))
