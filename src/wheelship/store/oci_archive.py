# SPDX-License-Identifier: Apache-2.0
"""An OCI image layout in one file, and nothing else: what the OCI's own tools exchange."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from wheelship.oci.digest import Digest
from wheelship.oci.index import Tagged
from wheelship.store.image_tar import write_image_tar

__all__ = ["write_oci_archive"]


def write_oci_archive(
    out: BinaryIO,
    image: Tagged,
    layers: list[tuple[Digest, Path]],
    reference: str,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Write the archive to ``out``, which need not be seekable; equal images give equal bytes.

    Images of several platforms are one index under the reference.

    Raises:
        DamagedStore: a layer's bytes are not what its digest says, or it is gone.
    """
    write_image_tar(
        out,
        descriptor=image.descriptor,
        documents=image.documents,
        layers=layers,
        reference=reference,
        more={},
        advance=advance,
    )
