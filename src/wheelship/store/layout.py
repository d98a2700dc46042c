# SPDX-License-Identifier: Apache-2.0
"""OCI image layouts (image-spec, image-layout.md): written by hard link, read by tag."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelship.oci.config import ImageConfig, canonical_json
from wheelship.oci.descriptor import INDEX, MANIFEST
from wheelship.oci.digest import Digest
from wheelship.oci.image import Image
from wheelship.store.errors import InvalidLayout, disk_errors

__all__ = ["REF_NAME", "BlobFile", "StoredImage", "read_layout", "write_layout"]

REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
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


def write_layout(
    directory: Path, image: Image, tag: str, blob: Callable[[Digest], Path]
) -> frozenset[Digest]:
    """Put ``image`` into the layout under ``tag``; other tags stay, blobs nobody names go.

    The tag moves last, in one rename. Returns the digests of the blobs that were hard-linked now,
    whose change time this altered.

    Raises:
        InvalidLayout: ``directory`` holds something else.
        DiskFull, NotWritable: the disk refuses.
    """
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            index = _read_index(directory)
            blobs = directory / "blobs" / "sha256"
            blobs.mkdir(parents=True, exist_ok=True)
            linked = {
                layer.descriptor.digest
                for layer in image.layers
                if _place(blob(layer.descriptor.digest), blobs / layer.descriptor.digest.hex)
            }
            for data in (image.config_bytes, image.manifest_bytes):
                _write(blobs / Digest.of(data).hex, data)
            entry = image.descriptor.to_json() | {"annotations": {REF_NAME: tag}}
            kept = [one for one in index["manifests"] if _tag(one) != tag]
            if entry in index["manifests"] and len(kept) + 1 == len(index["manifests"]):
                return frozenset(linked)
            index["manifests"] = sorted([*kept, entry], key=lambda one: _tag(one) or "")
            _write(directory / "oci-layout", _LAYOUT)
            _write(directory / "index.json", canonical_json(index))
            _collect(directory, index)
            return frozenset(linked)


def read_layout(directory: Path, tag: str | None = None) -> StoredImage:
    """Read the image called ``tag``; without a tag the layout must hold exactly one image.

    Raises:
        InvalidLayout: no such image, or something it names is missing or damaged.
    """
    index = _read_index(directory)
    entries = index["manifests"]
    tags = [name for name in map(_tag, entries) if name]
    wanted = entries if tag is None else [one for one in entries if _tag(one) == tag]
    if len(wanted) != 1:
        found = ", ".join(tags) or "no image"
        what = "holds no image" if tag is None else f"has no tag {tag!r}"
        if tag is None and len(entries) > 1:
            what = "holds several images"
        raise InvalidLayout(
            f"{what}; it has {found}",
            where=str(directory),
            hint=f"name one: {directory}:{tags[0]}" if tags else "build one: wheelship build",
        )
    manifest = _document(directory, wanted[0]["digest"])
    document = json.loads(manifest)
    if document.get("mediaType", MANIFEST) != MANIFEST or "config" not in document:
        raise InvalidLayout("does not name an image manifest", where=str(directory))
    config_bytes = _document(directory, document["config"]["digest"])
    config = ImageConfig.from_json(json.loads(config_bytes))
    if len(config.diff_ids) != len(document["layers"]):
        raise InvalidLayout("has a configuration for other layers", where=str(directory))
    layers = tuple(
        BlobFile(
            path=_blob_path(directory, layer["digest"]),
            media_type=layer["mediaType"],
            digest=Digest.parse(layer["digest"]),
            size_bytes=layer["size"],
            diff_id=diff_id,
        )
        for layer, diff_id in zip(document["layers"], config.diff_ids, strict=True)
    )
    return StoredImage(
        reference=_tag(wanted[0]) or "latest",
        manifest=manifest,
        config_bytes=config_bytes,
        config=config,
        layers=layers,
    )


def _place(source: Path, target: Path) -> bool:
    """Make ``target`` the same blob as ``source``; return whether a link was made."""
    with suppress(OSError):
        if target.samefile(source):
            return False
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-")) / "blob"
    try:
        try:
            work.hardlink_to(source)
            linked = True
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(source, work)
            linked = False
        work.replace(target)
    finally:
        shutil.rmtree(work.parent, ignore_errors=True)
    return linked


def _write(path: Path, data: bytes) -> None:
    if path.is_file() and path.read_bytes() == data:
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read_index(directory: Path) -> dict[str, Any]:
    path = directory / "index.json"
    if not path.exists():
        if directory.is_dir() and any(one.name != "blobs" for one in directory.iterdir()):
            raise InvalidLayout(
                "is a directory with other content, not an OCI layout",
                where=str(directory),
                hint="choose another directory: --output oci:DIR",
            )
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    try:
        index = json.loads(path.read_bytes()[: _JSON_BYTES + 1])
        manifests = index["manifests"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidLayout("has an unreadable index.json", where=str(directory)) from error
    if not isinstance(index, dict) or not isinstance(manifests, list):
        raise InvalidLayout("has an unreadable index.json", where=str(directory))
    return index


def _document(directory: Path, digest: str) -> bytes:
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


def _tag(entry: dict[str, Any]) -> str | None:
    name = (entry.get("annotations") or {}).get(REF_NAME)
    return name if isinstance(name, str) else None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process at a time change the layout; builds of two variants share it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _collect(directory: Path, index: dict[str, Any]) -> None:
    """Remove blobs that no tag reaches any more; keep all when something cannot be read."""
    blobs = directory / "blobs" / "sha256"
    reached: set[str] = set()
    pending = [one["digest"] for one in index["manifests"]]
    while pending:
        digest = pending.pop()
        reached.add(Digest.parse(digest).hex)
        try:
            document = json.loads(_document(directory, digest))
        except (InvalidLayout, ValueError):
            return
        pending += [one["digest"] for one in document.get("manifests", ())]
        children = [*document.get("layers", ()), document.get("config") or {}]
        reached.update(Digest.parse(one["digest"]).hex for one in children if one)
    for blob in blobs.iterdir():
        if blob.name not in reached and not blob.name.startswith(".new-"):
            with suppress(OSError):
                blob.unlink()
