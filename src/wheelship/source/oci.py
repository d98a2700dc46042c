# SPDX-License-Identifier: Apache-2.0
"""Images in OCI's documents, wherever their blobs lie (image-spec, image-layout.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from wheelship.oci.config import ImageConfig
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest
from wheelship.source.choose import Wanted, choose_image, choose_platform, lacking
from wheelship.source.document import (
    DOCUMENT_BYTES,
    Entry,
    Index,
    Manifest,
    Named,
    parse_config,
    parse_document,
)
from wheelship.source.errors import InvalidImage, UnsupportedImage
from wheelship.source.extent import MemoryStream, read_all
from wheelship.source.model import BlobStream, SourceLayer
from wheelship.source.verified import VerifiedStream

__all__ = ["Blobs", "ReadImage", "read_image", "read_small", "read_tagged"]

_COMPRESSED = ("gzip", "zstd")


class Blobs(Protocol):
    """What has the blobs of images by digest: a directory, an archive, a repository."""

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether the blob is there and as long as it should be; maybe without looking."""

    def open(self, descriptor: Descriptor) -> AbstractContextManager[BlobStream]:
        """Open the blob; reading it to its end proves it.

        Raises:
            InvalidImage: it is not there, or not as it should be.
            NetworkError: the registry did not answer usefully.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage:
    """An image whose documents were read; see :class:`~wheelship.source.model.ImageSource`."""

    reference: str
    manifest_bytes: bytes
    config_bytes: bytes
    config: ImageConfig
    layers: tuple[SourceLayer, ...]
    as_transferred: bool
    blobs: Blobs

    def open(self, layer: SourceLayer) -> AbstractContextManager[BlobStream]:
        """Open the blob of ``layer``; who reads it to the end has it verified."""
        return self.blobs.open(layer.descriptor)


@dataclass(frozen=True, slots=True)
class _WithData:
    """Blobs, some of which the documents themselves carry (descriptor.md, ``data``)."""

    inner: Blobs
    data: Mapping[Digest, bytes]

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.data or self.inner.has(descriptor)

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[BlobStream]:
        if descriptor.digest in self.data:
            yield VerifiedStream(MemoryStream(self.data[descriptor.digest]), descriptor)
            return
        with self.inner.open(descriptor) as stream:
            yield stream


def read_tagged(
    blobs: Blobs, entries: Sequence[Entry], tag: str | None, wanted: Wanted, where: str
) -> tuple[Manifest, Entry]:
    """Return the image called ``tag`` of the entries of an ``index.json``, and its entry.

    Raises:
        NoImage: no image, or several, are called so.
        ImageLacksPlatform: it is for other platforms.
        UnsupportedImage: it is an index of indexes.
        InvalidImage: it is damaged.
    """
    found = choose_image(entries, tag, where)
    entry = choose_platform(found, wanted, where)
    document = _document(blobs, entry, where)
    if isinstance(document, Index):
        # Engines keep indexes whole and only the images that somebody pulled (traps §1.3).
        here = [one for one in document.entries if blobs.has(one.named.descriptor)]
        document = _document(blobs, choose_platform(here, wanted, where), where)
    if isinstance(document, Index):
        raise UnsupportedImage("is an index of indexes of indexes", where=where)
    return document, entry


def _document(blobs: Blobs, entry: Entry, where: str) -> Manifest | Index:
    body = read_small(blobs, entry.named, where)
    return parse_document(body, entry.media_type, where)


def read_small(blobs: Blobs, named: Named, where: str) -> bytes:
    """Return a JSON document.

    Raises:
        InvalidImage: it is missing, damaged, or longer than readers take.
    """
    if named.data is not None:
        return named.data
    size = named.descriptor.size_bytes
    if size > DOCUMENT_BYTES:
        raise InvalidImage(
            f"has a document of {size} bytes; {DOCUMENT_BYTES} are read at most", where=where
        )
    with blobs.open(named.descriptor) as stream:
        return read_all(stream)


def read_image(
    blobs: Blobs, manifest: Manifest, wanted: Wanted, *, reference: str, exported: bool = False
) -> ReadImage:
    """Return the image of ``manifest``, its layers not read.

    Of what an engine ``exported`` only compressed layers are as a registry sends them.

    Raises:
        InvalidImage: manifest and configuration do not fit, or a layer is not there.
        ImageLacksPlatform: the configuration is for another platform.
    """
    body = read_small(blobs, manifest.config, reference)
    config = parse_config(body, manifest.config.descriptor.media_type, reference)
    if wanted.asked not in (None, config.platform):
        raise lacking(wanted.asked, [str(config.platform)], reference)
    if len(config.diff_ids) != len(manifest.layers):
        raise InvalidImage(
            f"has {len(manifest.layers)} layers, and a configuration for {len(config.diff_ids)}",
            where=reference,
        )
    data = {one.descriptor.digest: one.data for one in manifest.layers if one.data is not None}
    every = _WithData(blobs, data)
    for layer in manifest.layers:
        if not every.has(layer.descriptor):
            raise _absent(layer, reference)
    types = [one.descriptor.media_type for one in manifest.layers]
    return ReadImage(
        reference=reference,
        manifest_bytes=manifest.body,
        config_bytes=body,
        config=config,
        layers=tuple(
            SourceLayer(descriptor=layer.descriptor, diff_id=diff_id)
            for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True)
        ),
        as_transferred=not exported or all(one.endswith(_COMPRESSED) for one in types),
        blobs=every,
    )


def _absent(layer: Named, where: str) -> InvalidImage:
    digest = layer.descriptor.digest
    if layer.urls:
        return InvalidImage(
            f"lacks the layer {digest}, which its maker keeps at {layer.urls[0]}", where=where
        )
    return InvalidImage(f"lacks the layer {digest}, or a part of it", where=where)
