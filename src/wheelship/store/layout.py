# SPDX-License-Identifier: Apache-2.0
"""OCI image layouts (image-spec, image-layout.md), read by tag and platform."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelship.files.write import is_unfinished
from wheelship.oci.config import ImageConfig
from wheelship.oci.descriptor import INDEX, MANIFEST, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import InvalidPlatform, Platform
from wheelship.store.errors import InvalidLayout, LayoutLacksPlatform

__all__ = [
    "REF_NAME",
    "BlobFile",
    "StoredImage",
    "read_document",
    "read_index",
    "read_layout",
    "read_platforms",
    "tag_of",
]

REF_NAME = "org.opencontainers.image.ref.name"
_JSON_BYTES = 4 * 1024 * 1024  # what other readers accept (traps §1.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFile:
    """A layer of a stored image: where its blob is, its media type and diff_id."""

    path: Path
    media_type: str
    digest: Digest
    size_bytes: int
    diff_id: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image found in a layout, of one platform."""

    reference: str
    manifest: bytes
    config_bytes: bytes
    config: ImageConfig
    layers: tuple[BlobFile, ...]

    @property
    def digest(self) -> Digest:
        """Digest of the manifest."""
        return Digest.of(self.manifest)

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest blob."""
        return self.manifest

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the manifest."""
        return Descriptor(
            media_type=MANIFEST,
            digest=self.digest,
            size_bytes=len(self.manifest),
            platform=self.config.platform,
        )

    @property
    def documents(self) -> tuple[bytes, ...]:
        """All JSON blobs: the configuration, then the manifest that names it."""
        return self.config_bytes, self.manifest

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The descriptors of the layers, lowest first."""
        return tuple(
            Descriptor(media_type=one.media_type, digest=one.digest, size_bytes=one.size_bytes)
            for one in self.layers
        )


def read_layout(
    directory: Path,
    tag: str | None = None,
    platform: Platform | None = None,
    *,
    native: Platform | None = None,
) -> StoredImage:
    """Read the image called ``tag``; without a tag the layout must hold exactly one.

    Of several platforms under the tag, ``platform`` is read; without it ``native``, the machine's
    own, and without that the only one. Blobs of the others need not be there.

    Raises:
        InvalidLayout: no such image, or something it names is missing or damaged.
        LayoutLacksPlatform: it is there for other platforms.
    """
    entry = _find(directory, tag)
    with _well_formed(directory):
        if entry.get("mediaType") != INDEX:
            image = _read_image(directory, entry, entry)
            if platform not in (None, image.config.platform):
                raise _lacking(directory, entry, platform, [str(image.config.platform)])
            return image
        entries = _entries_of_index(directory, entry)
        wanted = platform or native
        if wanted is None and len(entries) == 1:
            (wanted,) = entries
        if wanted is None or wanted not in entries:
            raise _lacking(directory, entry, wanted, sorted(map(str, entries)))
        return _read_image(directory, entries[wanted], entry)


def read_platforms(
    directory: Path, tag: str | None = None, platform: Platform | None = None
) -> tuple[StoredImage, ...]:
    """Read all images under ``tag``, one for each platform; or that of ``platform`` alone.

    What an index lists beside images for linux/amd64 and linux/arm64, such as attestations, is
    left out.

    Raises:
        InvalidLayout, LayoutLacksPlatform: as :func:`read_layout`; of any of them.
    """
    entry = _find(directory, tag)
    if platform is not None or entry.get("mediaType") != INDEX:
        return (read_layout(directory, tag, platform),)
    with _well_formed(directory):
        found = _entries_of_index(directory, entry)
        if not found:
            raise _lacking(directory, entry, None, [])
        return tuple(_read_image(directory, found[one], entry) for one in sorted(found))


def _find(directory: Path, tag: str | None) -> dict[str, Any]:
    """Return the descriptor called ``tag``, of an image or an index."""
    entries = read_index(directory)["manifests"]
    tags = [name for name in map(tag_of, entries) if name]
    wanted = entries if tag is None else [one for one in entries if tag_of(one) == tag]
    if len(wanted) != 1:
        found = ", ".join(tags) or "no image"
        what = "holds no image" if tag is None else f"has no tag {tag!r}"
        if tag is None and len(entries) > 1:
            what = "holds several images"
        raise InvalidLayout(
            f"{what}; it has {found}",
            where=str(directory),
            hint=f"name one: oci:{directory}:{tags[0]}" if tags else "build one: wheelship build",
        )
    entry: dict[str, Any] = wanted[0]
    return entry


@contextmanager
def _well_formed(directory: Path) -> Iterator[None]:
    """Turn what a malformed document leads to into an error of the layout."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidLayout(
            f"holds a malformed document: {error!r}", where=str(directory)
        ) from error


def _entries_of_index(directory: Path, entry: dict[str, Any]) -> dict[Platform, dict[str, Any]]:
    """Return the descriptors in an index, by the platform they are for."""
    found: dict[Platform, dict[str, Any]] = {}
    for one in json.loads(read_document(directory, entry["digest"]))["manifests"]:
        named = one.get("platform") or {}
        text = "/".join(str(named.get(key, "")) for key in ("os", "architecture", "variant"))
        try:
            found.setdefault(Platform.parse(text.rstrip("/")), one)
        except InvalidPlatform:
            continue
    return found


def _lacking(
    directory: Path, entry: dict[str, Any], wanted: Platform | None, found: list[str]
) -> LayoutLacksPlatform:
    name, there = tag_of(entry) or "the image", ", ".join(found) or "no platform known here"
    what = f"is not for {wanted}" if wanted else "is for several platforms"
    hint = f"--platform {found[0]}" if found else "build it: wheelship build"
    return LayoutLacksPlatform(f"{name} {what}; it has {there}", where=str(directory), hint=hint)


def _read_image(directory: Path, entry: dict[str, Any], named: dict[str, Any]) -> StoredImage:
    """Read the image of a descriptor; ``named`` is the one that has the tag."""
    manifest = read_document(directory, entry["digest"])
    document = json.loads(manifest)
    if document.get("mediaType", MANIFEST) != MANIFEST or "config" not in document:
        raise InvalidLayout("does not name an image manifest", where=str(directory))
    config_bytes = read_document(directory, document["config"]["digest"])
    config = ImageConfig.from_json(json.loads(config_bytes))
    if len(config.diff_ids) != len(document["layers"]):
        raise InvalidLayout("has a configuration for other layers", where=str(directory))
    layers = [
        BlobFile(
            path=_blob_path(directory, layer["digest"]),
            media_type=layer["mediaType"],
            digest=Digest.parse(layer["digest"]),
            size_bytes=layer["size"],
            diff_id=diff_id,
        )
        for layer, diff_id in zip(document["layers"], config.diff_ids, strict=True)
    ]
    for layer in layers:
        if not layer.path.is_file() or layer.path.stat().st_size != layer.size_bytes:
            raise InvalidLayout(f"lacks the blob {layer.digest}, or a part", where=str(directory))
    return StoredImage(
        reference=tag_of(named) or "latest",
        manifest=manifest,
        config_bytes=config_bytes,
        config=config,
        layers=tuple(layers),
    )


def read_index(directory: Path) -> dict[str, Any]:
    """Return ``index.json``; of a directory that is empty or being made, one without images.

    Raises:
        InvalidLayout: it is another kind of directory, or the file cannot be read.
    """
    path = directory / "index.json"
    if not path.exists():
        # A first build that was interrupted leaves the layout's own names, but no index yet.
        names = {one.name for one in directory.iterdir()} if directory.is_dir() else set()
        if any(not is_unfinished(name) for name in names - {"blobs", "oci-layout"}):
            raise InvalidLayout(
                "is a directory with other content, not an OCI layout",
                where=str(directory),
                hint="choose another directory: --output oci:DIR",
            )
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    try:
        index: dict[str, Any] = json.loads(path.read_bytes())
        for entry in index["manifests"]:
            Digest.parse(entry["digest"])
            tag_of(entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidLayout(
            "has an unreadable index.json",
            where=str(directory),
            hint="its tags are lost: remove it and build again\n"
            f"rm -r {shlex.quote(str(directory))}",
        ) from error
    return index


def read_document(directory: Path, digest: str) -> bytes:
    """Return a JSON blob.

    Raises:
        InvalidLayout: it is missing, damaged, or longer than readers take.
    """
    path = _blob_path(directory, digest)
    try:
        data = path.read_bytes() if path.stat().st_size <= _JSON_BYTES else b""
    except OSError as error:
        raise InvalidLayout(f"lacks the blob {digest}", where=str(directory)) from error
    if str(Digest.of(data)) != digest:
        raise InvalidLayout(f"holds a damaged blob {digest}", where=str(directory))
    return data


def _blob_path(directory: Path, digest: str) -> Path:
    return directory / "blobs" / "sha256" / Digest.parse(digest).hex


def tag_of(entry: dict[str, Any]) -> str | None:
    """Return the name that an entry of ``index.json`` gives its image."""
    name = (entry.get("annotations") or {}).get(REF_NAME)
    return name if isinstance(name, str) else None
