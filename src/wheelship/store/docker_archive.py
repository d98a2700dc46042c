# SPDX-License-Identifier: Apache-2.0
"""Archives that ``docker load`` of any age accepts: an OCI layout that also has ``manifest.json``.

The classic image store reads ``manifest.json``, newer engines and podman read ``index.json``; both
find the same blobs (traps §1.1, §1.3).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import MANIFEST, Descriptor
from wheelship.oci.digest import Digest
from wheelship.store.image_tar import write_image_tar

__all__ = ["write_docker_archive"]


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
        DamagedStore: a layer's bytes are not what its digest says, or it is gone.
    """
    legacy = [
        {
            "Config": f"blobs/sha256/{Digest.of(config).hex}",
            "RepoTags": [reference],
            "Layers": [f"blobs/sha256/{digest.hex}" for digest, _ in layers],
        }
    ]
    write_image_tar(
        out,
        descriptor=Descriptor(
            media_type=MANIFEST, digest=Digest.of(manifest), size_bytes=len(manifest)
        ),
        documents=(config, manifest),
        layers=layers,
        reference=reference,
        more={"manifest.json": canonical_json(legacy)},
        advance=advance,
    )
