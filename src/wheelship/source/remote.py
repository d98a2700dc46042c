# SPDX-License-Identifier: Apache-2.0
"""Images in registries: documents at once, layers streamed when somebody reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wheelship.oci.descriptor import Descriptor
from wheelship.oci.reference import Reference
from wheelship.registry.client import RegistryClient
from wheelship.registry.errors import DigestMismatch
from wheelship.source.choose import Wanted, choose_platform
from wheelship.source.document import Index, Manifest, parse_document
from wheelship.source.errors import UnsupportedImage
from wheelship.source.model import BlobStream
from wheelship.source.oci import ReadImage, read_image
from wheelship.source.verified import VerifiedStream

__all__ = ["open_registry_image"]


@dataclass(frozen=True, slots=True)
class _Repository:
    client: RegistryClient
    reference: Reference

    def has(self, descriptor: Descriptor) -> bool:
        del descriptor  # registries refuse manifests whose blobs they lack; reading will tell
        return True

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[BlobStream]:
        where = f"registry:{self.reference}"
        with self.client.stream(self.reference, descriptor) as stream:
            yield VerifiedStream(
                stream, descriptor, refusal=lambda what: DigestMismatch(what, where=where)
            )


def open_registry_image(client: RegistryClient, reference: Reference, wanted: Wanted) -> ReadImage:
    """Return the image that ``reference`` names; of several platforms, one.

    Raises:
        ImageNotFound, RegistryDenied, NetworkError: the registry has none for us.
        ImageLacksPlatform: it is for other platforms.
        InvalidImage, UnsupportedImage: it is malformed, or of a kind that is not read.
    """
    called = f"registry:{reference}"
    document = _document(client, reference, called)
    if isinstance(document, Index):
        chosen = choose_platform(document.entries, wanted, called)
        document = _document(client, reference.with_digest(chosen.digest), called)
    if isinstance(document, Index):
        raise UnsupportedImage("is an index of indexes", where=called)
    blobs = _Repository(client, reference)
    return read_image(blobs, document, wanted, reference=called)


def _document(client: RegistryClient, reference: Reference, called: str) -> Manifest | Index:
    found = client.manifest(reference)
    return parse_document(found.body, found.media_type, called)
