# SPDX-License-Identifier: Apache-2.0
"""Images in OCI layouts on disk (image-spec, image-layout.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wheelship.oci.descriptor import Descriptor
from wheelship.source.choose import Wanted
from wheelship.source.document import parse_entries
from wheelship.source.errors import InvalidImage, NoImage
from wheelship.source.extent import read_document, regular_file, verified
from wheelship.source.model import BlobStream
from wheelship.source.oci import ReadImage, read_image, read_tagged

__all__ = ["open_layout"]


@dataclass(frozen=True, slots=True)
class _Directory:
    path: Path

    def has(self, descriptor: Descriptor) -> bool:
        try:
            return self._path(descriptor).stat().st_size == descriptor.size_bytes
        except OSError:
            return False

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[BlobStream]:
        where = str(self.path)
        with ExitStack() as resources:
            try:
                extent = resources.enter_context(regular_file(self._path(descriptor)))
            except FileNotFoundError as error:
                raise InvalidImage(f"lacks the blob {descriptor.digest}", where=where) from error
            yield verified(extent, descriptor, where)

    def _path(self, descriptor: Descriptor) -> Path:
        return self.path / "blobs" / "sha256" / descriptor.digest.hex


def open_layout(directory: Path, tag: str | None, wanted: Wanted, called: str) -> ReadImage:
    """Return the image called ``tag``; without a tag, the only one.

    Raises:
        NoImage: there is none, or there are several.
        InvalidImage, UnsupportedImage: it is damaged, or of a kind that is not read.
        ImageLacksPlatform: it is for other platforms.
    """
    where = called if tag is None else called.removesuffix(f":{tag}")
    entries = parse_entries(_index(directory, where), where)
    blobs = _Directory(directory)
    manifest, entry = read_tagged(blobs, entries, tag, wanted, where)
    name = tag or next(iter(entry.names), None)
    reference = where if name is None else f"{where}:{name}"
    return read_image(blobs, manifest, wanted, reference=reference)


def _index(directory: Path, where: str) -> bytes:
    try:
        with regular_file(directory / "index.json") as extent:
            return read_document(extent, "index.json", where)
    except FileNotFoundError as error:
        raise NoImage(
            "is no OCI layout: it has no index.json", where=where, hint="name one: oci:DIR[:TAG]"
        ) from error
