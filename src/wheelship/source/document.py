# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of images, read strictly (image-spec, image-index.md and manifest.md).

Docker's forms (manifest schema 2, lists of them) differ in media types only. Nothing here touches a
file: bytes go in, frozen values come out, and what is malformed is an error that names it.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from wheelship.oci.config import ImageConfig
from wheelship.oci.descriptor import (
    CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    Descriptor,
)
from wheelship.oci.digest import Digest
from wheelship.oci.platform import InvalidPlatform
from wheelship.source.errors import (
    ImageLacksPlatform,
    InvalidImage,
    UnsupportedImage,
    shown,
    well_formed,
)

__all__ = [
    "DOCUMENT_BYTES",
    "INDEXES",
    "LAYERS_MAX",
    "Entry",
    "Index",
    "Manifest",
    "Named",
    "parse_config",
    "parse_document",
    "parse_entries",
]

DOCUMENT_BYTES = 4 * 1024 * 1024
"""What registries and other readers take (traps §1.2); also what keeps a JSON bomb harmless."""

LAYERS_MAX = 1000
"""Docker stops at 125, containers/storage at 500 (traps §1.1)."""

INDEXES = (INDEX, DOCKER_INDEX)
_MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_ENTRIES_MAX = 10_000
_SIZE_MAX = 2**63 - 1  # as int64 of other readers (descriptor.md)
_NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
_REFERENCE_TYPE = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True)
class Named:
    """A descriptor as it stands in a manifest.

    Attributes:
        descriptor: what it names.
        data: the content, where the descriptor carries it; it is right.
        urls: where else its maker says it is. Nothing is ever fetched from there.
    """

    descriptor: Descriptor
    data: bytes | None = None
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An image, or an index of them, as an index lists it.

    Attributes:
        named: its descriptor.
        names: what it is called, tag and full reference; empty for the images in an index.
        platform: ``os/architecture`` and maybe a variant; empty where it says none.
        is_image: False for what only describes another entry, such as BuildKit's attestations.
    """

    named: Named
    names: tuple[str, ...]
    platform: str
    is_image: bool

    @property
    def digest(self) -> Digest:
        """Digest of the document."""
        return self.named.descriptor.digest

    @property
    def media_type(self) -> str:
        """Its media type, as the index says."""
        return self.named.descriptor.media_type


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image of one platform: ``body`` is what was read, the rest its view."""

    body: bytes
    config: Named
    layers: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """Images of several platforms."""

    entries: tuple[Entry, ...]


def parse_document(body: bytes, media_type: str, where: str) -> Manifest | Index:
    """Read what a descriptor of ``media_type`` named; empty where nobody said what it is.

    Raises:
        InvalidImage: it is malformed, or another thing than it was called (CVE-2021-41190).
        UnsupportedImage: it is a manifest of Docker's first schema, or of something else than an
            image.
    """
    with well_formed("the manifest", where):
        document = json.loads(body)
        lists, holds = "manifests" in document, "layers" in document or "config" in document
        if document.get("schemaVersion") == 1:
            raise UnsupportedImage(
                "is of the first version of Docker's manifests, which is no longer used",
                where=where,
                hint="pull it with a current engine and push it again",
            )
        if lists and holds:
            raise InvalidImage("is both a manifest and an index", where=where)
        expected = INDEXES if lists else _MANIFESTS
        for claimed in (document.get("mediaType"), media_type):
            if claimed and claimed in (*INDEXES, *_MANIFESTS) and claimed not in expected:
                what = "an index" if lists else "a manifest"
                raise InvalidImage(f"is {what}, and called {shown(claimed)}", where=where)
            if claimed and claimed not in expected:
                raise UnsupportedImage(f"is no image, but {shown(claimed)}", where=where)
        if lists:
            return Index(parse_entries(body, where))
        return _manifest(body, document, where)


def _manifest(body: bytes, document: dict[str, Any], where: str) -> Manifest:
    layers = document["layers"]
    if not isinstance(layers, list) or len(layers) > LAYERS_MAX:
        raise InvalidImage(f"has more than {LAYERS_MAX} layers, or no list of them", where=where)
    return Manifest(body, _named(document["config"]), tuple(map(_named, layers)))


def parse_entries(body: bytes, where: str) -> tuple[Entry, ...]:
    """Read an index, ``index.json`` too.

    Raises:
        InvalidImage: it is malformed.
    """
    with well_formed("the index", where):
        listed = json.loads(body)["manifests"]
        if not isinstance(listed, list) or len(listed) > _ENTRIES_MAX:
            raise InvalidImage(
                f"lists more than {_ENTRIES_MAX} images, or has no list of them", where=where
            )
        return tuple(map(_entry, listed))


def _entry(document: dict[str, Any]) -> Entry:
    annotations = document.get("annotations") or {}
    platform = document.get("platform") or {}
    text = "/".join(
        shown(platform[key]) for key in ("os", "architecture", "variant") if platform.get(key)
    )
    names = [annotations[key] for key in _NAMES if isinstance(annotations.get(key), str)]
    beside = text.startswith("unknown/") or annotations.get(_REFERENCE_TYPE) is not None
    return Entry(
        named=_named(document),
        names=tuple(dict.fromkeys(names)),
        platform=text,
        is_image=not beside,
    )


def _named(document: dict[str, Any]) -> Named:
    size = document["size"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _SIZE_MAX:
        raise ValueError(f"size {size!r}")
    descriptor = Descriptor(
        media_type=_text(document.get("mediaType") or ""),
        digest=Digest.parse(_text(document["digest"])),
        size_bytes=size,
    )
    data, urls = document.get("data"), document.get("urls")
    return Named(
        descriptor,
        None if data is None else _embedded(_text(data), descriptor),
        tuple(shown(one) for one in urls) if isinstance(urls, list) else (),
    )


def _embedded(data: str, descriptor: Descriptor) -> bytes:
    try:
        found = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(f"data of {descriptor.digest} is no base64") from error
    if len(found) != descriptor.size_bytes or Digest.of(found) != descriptor.digest:
        raise ValueError(f"data of {descriptor.digest} is something else")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of text")
    return value


def parse_config(body: bytes, media_type: str, where: str) -> ImageConfig:
    """Read a configuration.

    Raises:
        InvalidImage: it is malformed.
        UnsupportedImage: ``media_type`` and content say that it is of no image.
        ImageLacksPlatform: it is of an image for a platform that is not known here.
    """
    try:
        with well_formed("the configuration", where):
            config = ImageConfig.from_json(json.loads(body))
            _require_texts(config)
            return config
    except InvalidPlatform as error:
        raise ImageLacksPlatform(
            shown(error.message),
            where=where,
            hint="images for linux/amd64 and linux/arm64 are read",
        ) from error
    except InvalidImage as error:
        if media_type in (CONFIG, _DOCKER_CONFIG, ""):
            raise
        raise UnsupportedImage(f"is no image, but {shown(media_type)}", where=where) from error


def _require_texts(config: ImageConfig) -> None:
    """Refuse what JSON allows and no reader of a configuration expects."""
    check = config.healthcheck
    texts = [
        *(config.created or "", config.user, config.workdir, config.stop_signal),
        *(one for pair in (*config.env, *config.labels) for one in pair),
        *(*config.entrypoint, *config.command, *config.volumes),
        *(one for row in config.history for one in (row.created_by, row.created)),
        *(check.test if check else ()),
    ]
    for text in texts:
        _text(text)
