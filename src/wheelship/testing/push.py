# SPDX-License-Identifier: Apache-2.0
"""Makes small images to push, in memory; their layers are any bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import BinaryIO

from wheelship.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from wheelship.oci.digest import Digest
from wheelship.registry.push import PushImage
from wheelship.registry.upload import BlobSource

__all__ = ["blob_source", "describe", "make_push"]


def describe(content: bytes, media_type: str = LAYER_GZIP) -> Descriptor:
    """Return the descriptor of ``content``."""
    return Descriptor(media_type=media_type, digest=Digest.of(content), size_bytes=len(content))


def blob_source(
    content: bytes,
    *,
    actual: bytes | None = None,
    open: Callable[[], BinaryIO] | None = None,  # noqa: A002 - the name it has in BlobSource
    title: str = "",
    origins: tuple[str, ...] = (),
) -> BlobSource:
    """Make a source of ``content``; ``actual`` is what it gives instead, damaged as it is."""
    given = content if actual is None else actual
    return BlobSource(
        descriptor=describe(content),
        open=open or (lambda: io.BytesIO(given)),
        title=title,
        origins=origins,
    )


def make_push(*layers: BlobSource, architecture: str = "amd64") -> PushImage:
    """Make an image of ``layers``."""
    config = json.dumps({"os": "linux", "architecture": architecture}).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": describe(config, CONFIG).to_json(),
        "layers": [layer.descriptor.to_json() for layer in layers],
    }
    return PushImage(manifest=json.dumps(document).encode(), config=config, layers=layers)
