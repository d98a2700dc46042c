# SPDX-License-Identifier: Apache-2.0
"""What ``docker save`` of before Docker 25, podman and skopeo write: ``manifest.json`` and layers.

The layers come out as engines unpack them, mostly without compression, and there is no manifest:
what a registry would send cannot be told from such an archive. A layer's digest is then its
``diff_id``.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wheelship.oci.descriptor import LAYER_GZIP, LAYER_TAR, LAYER_ZSTD, Descriptor
from wheelship.oci.digest import Digest
from wheelship.source.choose import Wanted, is_called, lacking
from wheelship.source.document import LAYERS_MAX, parse_config
from wheelship.source.errors import (
    InvalidImage,
    NoImage,
    UnsupportedImage,
    shown,
    well_formed,
)
from wheelship.source.extent import Extent, read_document
from wheelship.source.members import Members
from wheelship.source.model import BlobStream, SourceLayer
from wheelship.source.oci import ReadImage
from wheelship.source.verified import VerifiedStream

__all__ = ["read_docker_archive"]

_IMAGES_MAX = 1000
_PIECE_BYTES = 1024 * 1024
_SHOWN_NAMES = 20
_CONFIG_NAME = re.compile(r"([0-9a-f]{64})(?:\.json)?")
_COMPRESSED = {b"\x1f\x8b": LAYER_GZIP, b"\x28\xb5\x2f\xfd": LAYER_ZSTD}
_UNREADABLE = (b"BZh", b"\xfd7zXZ\0")


@dataclass(frozen=True, slots=True)
class _Row:
    """An image of ``manifest.json``."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Blobs:
    extents: dict[Digest, Extent]
    where: str

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.extents

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[BlobStream]:
        if descriptor.digest not in self.extents:
            raise InvalidImage(f"lacks the blob {descriptor.digest}", where=self.where)
        extent = self.extents[descriptor.digest]
        yield VerifiedStream(extent.stream(), descriptor, where=self.where)


def read_docker_archive(
    members: Members, name: str | None, wanted: Wanted, where: str
) -> ReadImage:
    """Return the image that ``RepoTags`` call ``name``; without a name, the only one.

    Raises:
        NoImage: there is none, or there are several.
        InvalidImage, UnsupportedImage: it is damaged, or of a kind that is not read.
        ImageLacksPlatform: it is for another platform.
    """
    row = _choose(_rows(members, where), name, where)
    body = _document(members, row.config, where)
    named = _CONFIG_NAME.fullmatch(posixpath.basename(row.config))
    if named and Digest.of(body).hex != named[1]:
        raise InvalidImage(
            f"the configuration sha256:{named[1]} is damaged: it hashes to {Digest.of(body)}",
            where=where,
        )
    config = parse_config(body, "", where)
    if wanted.asked not in (None, config.platform):
        raise lacking(wanted.asked, [str(config.platform)], where)
    if len(config.diff_ids) != len(row.layers):
        raise InvalidImage(
            f"has {len(row.layers)} layers, and a configuration for {len(config.diff_ids)}",
            where=where,
        )
    extents: dict[Digest, Extent] = {}
    layers = []
    for path, diff_id in zip(row.layers, config.diff_ids, strict=True):
        extent = members.find(path)
        if extent is None:
            raise InvalidImage(f"lacks the layer {shown(path)}", where=where)
        layer = _layer(extent, diff_id, path, where)
        extents[layer.descriptor.digest] = extent
        layers.append(layer)
    return ReadImage(
        reference=where if name is None else f"{where}:{name}",
        manifest_bytes=b"",
        config_bytes=body,
        config=config,
        layers=tuple(layers),
        as_transferred=False,
        blobs=_Blobs(extents, where),
    )


def _layer(extent: Extent, diff_id: Digest, path: str, where: str) -> SourceLayer:
    """Return a layer; of a compressed one nobody wrote the digest down, so it is computed."""
    magic = extent.stream().read(6)
    if magic.startswith(_UNREADABLE):
        raise UnsupportedImage(
            f"{shown(path)} is compressed in a way that no layer is any more", where=where
        )
    kind = next((one for start, one in _COMPRESSED.items() if magic.startswith(start)), LAYER_TAR)
    digest = diff_id
    if kind != LAYER_TAR:
        hashing, stream = hashlib.sha256(), extent.stream()
        while piece := stream.read(_PIECE_BYTES):
            hashing.update(piece)
        digest = Digest(hashing.hexdigest())
    descriptor = Descriptor(media_type=kind, digest=digest, size_bytes=extent.size_bytes)
    return SourceLayer(descriptor=descriptor, diff_id=diff_id)


def _rows(members: Members, where: str) -> list[_Row]:
    if members.find("manifest.json") is None:
        if members.find("repositories") is not None:
            raise UnsupportedImage(
                "was saved by a Docker of before 1.10",
                where=where,
                hint="docker load it, and docker save it again",
            )
        raise NoImage(
            "holds no image: it has neither index.json nor manifest.json",
            where=where,
            hint="name an archive of docker save, podman save or skopeo copy",
        )
    body = _document(members, "manifest.json", where)
    with well_formed("manifest.json", where):
        rows = json.loads(body)
        if not isinstance(rows, list) or len(rows) > _IMAGES_MAX:
            raise InvalidImage(
                f"manifest.json has more than {_IMAGES_MAX} images, or no list", where=where
            )
        return [_row(one) for one in rows]


def _row(document: dict[str, Any]) -> _Row:
    layers = document["Layers"] or []
    names = document.get("RepoTags") or []
    texts = [document["Config"], *layers, *names]
    if not isinstance(layers, list) or not isinstance(names, list):
        raise TypeError("Layers and RepoTags are lists")
    if len(layers) > LAYERS_MAX:
        raise ValueError(f"more than {LAYERS_MAX} layers")
    if not all(isinstance(one, str) for one in texts):
        raise TypeError("Config, Layers and RepoTags are texts")
    return _Row(document["Config"], tuple(names), tuple(layers))


def _choose(rows: list[_Row], name: str | None, where: str) -> _Row:
    if name is not None and name.startswith("@") and name[1:].isdecimal():
        found = rows[int(name[1:]) :][:1]
    else:
        found = [one for one in rows if name is None or is_called(one.names, name)]
    if len(found) == 1:
        return found[0]
    each = [shown(one.names[0]) if one.names else f"@{at}" for at, one in enumerate(rows)]
    listed = ", ".join(each[:_SHOWN_NAMES]) or "none"
    what = "holds several images" if name is None and rows else "holds no image"
    called = f" called {shown(name)}" if name is not None else ""
    hint = f"name one: {where}:{each[0]}" if each else None
    raise NoImage(f"{what}{called}; it has {listed}", where=where, hint=hint)


def _document(members: Members, name: str, where: str) -> bytes:
    extent = members.find(name)
    if extent is None:
        raise InvalidImage(f"lacks {shown(name)}", where=where)
    return read_document(extent, name, where)
