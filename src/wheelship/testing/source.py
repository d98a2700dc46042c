# SPDX-License-Identifier: Apache-2.0
"""Images in memory, to be read back: layers as blobs, and a count of what was opened."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from wheelship.errors import InputError
from wheelship.oci.config import ImageConfig
from wheelship.oci.descriptor import LAYER_TAR, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.source.model import BlobStream, SourceLayer

__all__ = ["MadeSource", "tar_member", "tar_of_members"]

TarMember = tuple[tarfile.TarInfo, bytes]


def tar_member(
    name: str,
    data: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
    mode: int = 0o644,
    mtime: float = 0,
) -> TarMember:
    """Return a header and its content."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.mode, header.mtime = kind, target, mode, mtime
    header.size = len(data)
    return header, data


def tar_of_members(members: Iterable[TarMember], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return an archive as the standard library writes it."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for header, data in members:
            archive.addfile(header, io.BytesIO(data))
    return out.getvalue()


class MadeSource:
    """An image whose layers are ``tars``, each packed by ``pack``; ``opened`` lists what was read.

    ``failing`` names the blob that breaks off after its first bytes.
    """

    reference = "oci:made"
    as_transferred = True
    manifest_bytes = b"{}"
    config_bytes = b"{}"

    def __init__(
        self,
        *tars: bytes,
        pack: Callable[[bytes], bytes] = bytes,
        diff_ids: Iterable[Digest] | None = None,
        failing: int | None = None,
    ) -> None:
        blobs = [pack(tar) for tar in tars]
        names = list(diff_ids) if diff_ids is not None else [Digest.of(tar) for tar in tars]
        self.blobs = {Digest.of(blob): blob for blob in blobs}
        self.layers = tuple(
            SourceLayer(
                descriptor=Descriptor(
                    media_type=LAYER_TAR, digest=Digest.of(blob), size_bytes=len(blob)
                ),
                diff_id=diff_id,
            )
            for blob, diff_id in zip(blobs, names, strict=True)
        )
        self.config = ImageConfig(platform=Platform("amd64"), diff_ids=tuple(names))
        self.opened: list[Digest] = []
        self._failing = None if failing is None else self.layers[failing].descriptor.digest

    @contextmanager
    def open(self, layer: SourceLayer) -> Iterator[BlobStream]:
        """Open a blob."""
        digest = layer.descriptor.digest
        self.opened.append(digest)
        blob = io.BytesIO(self.blobs[digest])
        yield _Breaking(blob) if digest == self._failing else blob


class _Breaking:
    def __init__(self, blob: BlobStream) -> None:
        self._blob = blob
        self._read = False

    def read(self, size: int, /) -> bytes:
        if self._read:
            raise InputError("the blob breaks off")
        self._read = True
        return self._blob.read(min(size, 100))
