# SPDX-License-Identifier: Apache-2.0
"""OCI image layouts (image-spec, image-layout.md): written by hard link, read by tag."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelship.errors import InputError
from wheelship.files.digest import file_digest
from wheelship.files.write import is_unfinished, write_file
from wheelship.oci.config import ImageConfig, canonical_json
from wheelship.oci.descriptor import INDEX, MANIFEST, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.image import Documents
from wheelship.store.errors import DamagedStore, InvalidLayout, disk_errors
from wheelship.store.store import discard

__all__ = ["REF_NAME", "BlobFile", "StoredImage", "read_layout", "write_layout"]

REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_NEW = ".new-"
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
    def blobs(self) -> tuple[Descriptor, ...]:
        """The descriptors of the layers, lowest first."""
        return tuple(
            Descriptor(media_type=one.media_type, digest=one.digest, size_bytes=one.size_bytes)
            for one in self.layers
        )


def write_layout(
    directory: Path, image: Documents, tag: str, blob: Callable[[Digest], Path]
) -> frozenset[Digest]:
    """Put ``image`` into the layout under ``tag``; other tags stay, blobs nobody names go.

    The tag moves last, in one rename. Returns the digests of the blobs that were hard-linked now,
    whose change time this altered.

    Raises:
        InvalidLayout: ``directory`` holds something else.
        DiskFull, NotWritable: the disk refuses.
    """
    with disk_errors(directory, "--output oci:DIR"):
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            index = _read_index(directory)
            blobs = directory / "blobs" / "sha256"
            blobs.mkdir(parents=True, exist_ok=True)
            _sweep(directory, blobs)
            linked = {
                layer.digest
                for layer in image.blobs
                if _place(blob(layer.digest), blobs / layer.digest.hex)
            }
            for data in (image.config_bytes, image.manifest_bytes):
                _write(blobs / Digest.of(data).hex, data)
            _write(directory / "oci-layout", _LAYOUT)
            entry = image.descriptor.to_json() | {"annotations": {REF_NAME: tag}}
            kept = [one for one in index["manifests"] if _tag(one) != tag]
            index["manifests"] = sorted([*kept, entry], key=lambda one: _tag(one) or "")
            _write(directory / "index.json", canonical_json(index))
            _collect(directory, index)
            return frozenset(linked)


def read_layout(directory: Path, tag: str | None = None) -> StoredImage:
    """Read the image called ``tag``; without a tag the layout must hold exactly one image.

    Raises:
        InvalidLayout: no such image, or something it names is missing or damaged.
    """
    entries = _read_index(directory)["manifests"]
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
    try:
        return _read_image(directory, wanted[0])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidLayout(
            f"holds a malformed document: {error!r}", where=str(directory)
        ) from error


def _read_image(directory: Path, entry: dict[str, Any]) -> StoredImage:
    manifest = _document(directory, entry["digest"])
    document = json.loads(manifest)
    if document.get("mediaType", MANIFEST) != MANIFEST or "config" not in document:
        raise InvalidLayout("does not name an image manifest", where=str(directory))
    config_bytes = _document(directory, document["config"]["digest"])
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
        reference=_tag(entry) or "latest",
        manifest=manifest,
        config_bytes=config_bytes,
        config=config,
        layers=tuple(layers),
    )


def _place(source: Path, target: Path) -> bool:
    """Make ``target`` the same blob as ``source``; return whether a link was made."""
    if not source.is_file():
        raise DamagedStore(
            f"the store lost the blob {source.name} a moment ago",
            where=str(source),
            hint="run the same command again: the layer is made anew",
        )
    with suppress(OSError):
        if target.samefile(source) and not target.is_symlink():
            return False
    if not target.is_file() or target.is_symlink():
        discard(target)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=_NEW)) / "blob"
    try:
        try:
            work.hardlink_to(source)
            linked = True
        except OSError:  # another file system, or one without hard links
            linked = False
            if target.is_file() and file_digest(target).hex == target.name:
                return False  # reading is cheaper than writing gigabytes again
            shutil.copyfile(source, work)
        work.replace(target)
    finally:
        shutil.rmtree(work.parent, ignore_errors=True)
    return linked


def _write(path: Path, data: bytes) -> None:
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        return
    if path.is_dir() and not path.is_symlink():
        raise InvalidLayout(
            f"has a directory in the place of {path.name}",
            where=str(path),
            hint=f"remove it and build again\nrm -r {shlex.quote(str(path))}",
        )
    write_file(path, data)


def _read_index(directory: Path) -> dict[str, Any]:
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
            _tag(entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidLayout(
            "has an unreadable index.json",
            where=str(directory),
            hint="its tags are lost: remove it and build again\n"
            f"rm -r {shlex.quote(str(directory))}",
        ) from error
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


def _sweep(*directories: Path) -> None:
    """Remove the unfinished work of a killed process; as we hold the lock, it is nobody's."""
    found = (one for directory in directories for one in directory.iterdir())
    for left in (one for one in found if is_unfinished(one.name)):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


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
    try:
        reached = _reached(directory, [one["digest"] for one in index["manifests"]])
    except (InputError, ValueError, KeyError, TypeError, AttributeError):
        return
    for blob in (directory / "blobs" / "sha256").iterdir():
        if blob.name not in reached:
            with suppress(OSError):
                blob.unlink()


def _reached(directory: Path, pending: list[str]) -> set[str]:
    """Return the file names of the blobs that the documents called ``pending`` lead to."""
    reached: set[str] = set()
    while pending:
        digest = pending.pop()
        reached.add(Digest.parse(digest).hex)
        document = json.loads(_document(directory, digest))
        pending += [one["digest"] for one in document.get("manifests", ())]
        children = [*document.get("layers", ()), document.get("config") or {}]
        reached.update(Digest.parse(one["digest"]).hex for one in children if one)
    return reached
