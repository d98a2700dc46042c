# SPDX-License-Identifier: Apache-2.0
"""Walks from the index of a layout to its last blob, and over the blobs that nobody names."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelship.oci.descriptor import CONFIG, INDEX, MANIFEST
from wheelship.oci.validate.config import problems_of_config
from wheelship.oci.validate.layer import MEDIA_TYPES, Tree, problems_of_layer
from wheelship.oci.validate.source import DOCUMENT_BYTES, Source, open_source

__all__ = ["Report", "problems_of_layout", "validate"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_REF_NAME = "org.opencontainers.image.ref.name"
_REF = re.compile(r"[A-Za-z0-9]+(?:[-._:@/+]+[A-Za-z0-9]+)*")
_PIECE_BYTES = 1024 * 1024
_LAYERS_MAX = 125  # the classic store of Docker takes no more (traps §1.1)
_NESTED_MAX = 3

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One sentence each: ``problems`` break a rule, ``notes`` are worth knowing."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]


def problems_of_layout(path: Path) -> list[str]:
    """Return everything wrong with the layout or archive; empty when it is right."""
    return list(validate(path).problems)


def validate(path: Path, *, foreign: Collection[str] | None = ()) -> Report:
    """Check the OCI layout in a directory, or the oci-archive or docker-archive in a file.

    ``foreign`` are digests of layers that another tool made, as those of a base image: they are
    held to the specification, and not to our own rules (parents first, one time for all entries,
    no set-uid bits, …). None means all layers.
    """
    try:
        source = open_source(path)
        walk = _Walk(source, foreign)
        problems = list(walk.run())
    except (OSError, tarfile.TarError) as error:
        return Report(problems=(f"no readable layout: {error}",), notes=())
    return Report(problems=(*problems, *source.problems), notes=tuple(walk.notes))


class _Walk:
    def __init__(self, source: Source, foreign: Collection[str] | None) -> None:
        self._source = source
        self._foreign = foreign
        self._named: set[str] = set()
        self._layers: list[list[str]] = []
        self._configs: set[str] = set()
        self.notes: list[str] = []

    def run(self) -> Iterator[str]:
        """Yield every problem."""
        names = set(self._source.names())
        legacy = "manifest.json" in names
        if legacy and "index.json" not in names:
            yield "no readable layout: it has a manifest.json and no index.json"
            return
        try:
            layout = _parsed(self._read("oci-layout"))
            index = _parsed(self._read("index.json"))
        except ValueError as error:
            yield f"no readable layout: {error}"
            return
        if layout != {"imageLayoutVersion": "1.0.0"}:
            yield "oci-layout has no version"
        try:
            yield from self._index("index.json", index, 0)
            yield from _twice(index["manifests"])
            if legacy:
                yield from self._legacy(_parsed(self._read("manifest.json")))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield f"a document is malformed: {error!r}"
            return
        self._look_around(names)

    def _index(self, where: str, index: Document, depth: int) -> Iterator[str]:
        # image-index.md: it SHOULD say its media type; skopeo's does not.
        if index.get("schemaVersion") != 2 or index.get("mediaType", INDEX) != INDEX:  # noqa: PLR2004
            yield f"{where} is no image index"
        if "config" in index or "layers" in index:
            # Who reads it as a manifest sees another image (CVE-2021-41190).
            yield f"{where} is an index and a manifest at once"
        yield from _annotations(where, index)
        if depth:
            yield from _platforms(where, index["manifests"])
        for entry in index["manifests"]:
            yield from _annotations(f"the entry {entry['digest']}", entry)
            data = self._blob(entry)
            if data is None:
                yield f"manifest {entry['digest']} is missing or not what its descriptor says"
            elif entry["mediaType"] == INDEX and depth < _NESTED_MAX:
                yield from self._index(f"index {entry['digest']}", _parsed(data), depth + 1)
            else:
                yield from self._manifest(entry, _parsed(data))

    def _manifest(self, entry: Document, document: Document) -> Iterator[str]:
        name = entry["digest"]
        right = document.get("mediaType") == entry["mediaType"] == MANIFEST
        if not right or document.get("schemaVersion") != 2 or "manifests" in document:  # noqa: PLR2004
            yield f"manifest {name} has the wrong shape"
            return
        yield from _annotations(f"manifest {name}", document)
        config_data = self._blob(document["config"])
        if config_data is None or document["config"]["mediaType"] != CONFIG:
            yield f"the configuration of {name} is missing or not as described"
            return
        self._configs.add(document["config"]["digest"])
        config = _parsed(config_data)
        named = entry.get("platform", config)
        if any(named.get(key) != config.get(key) for key in ("architecture", "os", "variant")):
            yield f"the index says {named}, the configuration {config['architecture']}"
        yield from problems_of_config(f"the configuration of {name}", config)
        layers, diff_ids = document["layers"], config["rootfs"]["diff_ids"]
        self._layers.append([layer["digest"] for layer in layers])
        if len(diff_ids) != len(layers):
            yield f"{len(layers)} layers, {len(diff_ids)} diff_ids"
            return
        if len(layers) > _LAYERS_MAX:
            yield f"{len(layers)} layers; Docker's classic store takes {_LAYERS_MAX}"
        rows = [row for row in config.get("history", ()) if not row.get("empty_layer")]
        if config.get("history") and len(rows) != len(diff_ids):
            yield f"{len(diff_ids)} layers, {len(rows)} history rows"
        tree: Tree = {}
        for layer, diff_id in zip(layers, diff_ids, strict=True):
            yield from self._layer(layer, diff_id, tree)

    def _layer(self, layer: Document, diff_id: str, tree: Tree) -> Iterator[str]:
        name, path = layer["digest"], _path(layer["digest"])
        self._named.add(path)
        if layer["mediaType"] not in MEDIA_TYPES:
            yield f"layer {name} has the media type {layer['mediaType']}"
            return
        if self._source.size(path) != layer["size"] or self._digest(path) != name:
            yield f"layer {name} is missing or not what its descriptor says"
            return
        ours = self._foreign is not None and name not in self._foreign
        with self._source.open(path) as stream:
            yield from problems_of_layer(name, layer["mediaType"], diff_id, stream, tree, ours=ours)

    def _legacy(self, rows: list[Document]) -> Iterator[str]:
        """Check what the classic ``docker load`` reads: it must name the same blobs."""
        for row in rows:
            layers = [_digest_of(path) for path in row["Layers"]]
            if _digest_of(row["Config"]) not in self._configs or layers not in self._layers:
                yield "manifest.json names another image than index.json"
            if not row["RepoTags"]:
                yield "manifest.json gives the image no name"

    def _look_around(self, names: set[str]) -> None:
        """Note blobs that nothing leads to, and files that are no part of a layout."""
        documents = {"oci-layout", "index.json", "manifest.json"}
        for name in sorted(names - self._named - documents):
            match = _BLOB.fullmatch(name)
            if match is None:
                self.notes.append(f"{name} is no part of a layout")
            elif self._digest(name) != f"sha256:{match[1]}":
                self.notes.append(f"the blob {match[1]} is damaged, and nothing leads to it")
            else:
                self.notes.append(f"nothing leads to the blob {match[1]}")

    def _read(self, name: str) -> bytes:
        size = self._source.size(name)
        if size is None:
            raise ValueError(f"there is no file {name}")
        if size > DOCUMENT_BYTES:
            raise ValueError(f"{name} has {size} bytes; readers take {DOCUMENT_BYTES}")
        with self._source.open(name) as stream:
            return stream.read()

    def _blob(self, descriptor: Document) -> bytes | None:
        """Return a document's bytes; None where it is missing or not as described."""
        path = _path(descriptor["digest"])
        self._named.add(path)
        if self._source.size(path) is None:
            return None
        data = self._read(path)
        right = f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]
        return data if right and len(data) == descriptor["size"] else None

    def _digest(self, path: str) -> str:
        found = hashlib.sha256()
        with self._source.open(path) as stream:
            while piece := stream.read(_PIECE_BYTES):
                found.update(piece)
        return f"sha256:{found.hexdigest()}"


def _parsed(data: bytes) -> Any:  # noqa: ANN401 - JSON
    return json.loads(data, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _path(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no sha256 digest")
    return "blobs/" + digest.replace(":", "/")


def _digest_of(path: str) -> str:
    match = _BLOB.fullmatch(path)
    return f"sha256:{match[1]}" if match else path


def _annotations(where: str, document: Document) -> Iterator[str]:
    found = document.get("annotations", {})
    for key, value in found.items():
        if not key or not isinstance(value, str):
            yield f"{where} has a malformed annotation {key!r}"
        elif key == _REF_NAME and not _REF.fullmatch(value):
            yield f"{where} has the name {value!r}, which is none"


def _platforms(where: str, entries: list[Document]) -> Iterator[str]:
    """Check that an engine finds exactly one manifest for each platform (image-index.md)."""
    if not entries:
        yield f"{where} lists nothing"
    named = [entry.get("platform") for entry in entries]
    if len(entries) > 1 and None in named:
        yield f"{where} lists several manifests, and not all say for which platform"
    keys = ("os", "architecture", "variant", "os.version")
    found = ["/".join(one[key] for key in keys if key in one) for one in named if one is not None]
    # What BuildKit attaches to images is for no platform: unknown/unknown, once for each image.
    for platform in sorted({one for one in found if found.count(one) > 1} - {"unknown/unknown"}):
        yield f"{where} lists several manifests for {platform}"


def _twice(entries: list[Document]) -> Iterator[str]:
    tags = [(one.get("annotations") or {}).get(_REF_NAME) for one in entries]
    for tag in sorted({tag for tag in tags if tag is not None and tags.count(tag) > 1}):
        yield f"the name {tag!r} leads to several manifests"
