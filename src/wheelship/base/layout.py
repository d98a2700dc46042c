# SPDX-License-Identifier: Apache-2.0
"""Base images in OCI layouts on disk: ``oci:DIR[:TAG]``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelship.base.errors import BaseLacksPlatform, InvalidBase
from wheelship.base.source import FoundImage
from wheelship.files.write import replacing
from wheelship.oci.descriptor import DOCKER_INDEX, INDEX, Descriptor
from wheelship.oci.digest import Digest, InvalidDigest
from wheelship.oci.platform import Platform
from wheelship.store.errors import disk_errors
from wheelship.store.layout import REF_NAME

__all__ = ["LayoutSource"]

_JSON_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_DEPTH_MAX = 3


@dataclass(frozen=True, slots=True)
class LayoutSource:
    """The image called ``tag`` of a layout; without a tag, its only one for the platform."""

    directory: Path
    tag: str | None = None

    def image(self, platform: Platform) -> FoundImage:
        """Return the image; see :class:`~wheelship.base.source.ImageSource`.

        Raises:
            InvalidBase: there is none, or the layout is damaged.
        """
        try:
            index = json.loads((self.directory / "index.json").read_bytes())
            entries = [
                one
                for one in index["manifests"]
                if self.tag in (None, (one.get("annotations") or {}).get(REF_NAME))
            ]
            body = self._choose(entries, platform)
            manifest: dict[str, Any] = json.loads(body)
            layers = tuple(
                Descriptor(
                    media_type=str(one["mediaType"]),
                    digest=Digest.parse(one["digest"]),
                    size_bytes=int(one["size"]),
                )
                for one in manifest["layers"]
            )
            config = self._document(manifest["config"]["digest"])
        except OSError as error:
            raise self._invalid(f"cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, InvalidDigest) as error:
            raise self._invalid(f"holds a malformed document: {error!r}") from error
        return FoundImage(name="", digest=Digest.of(body), config=config, layers=layers)

    def blob(self, blob: Descriptor, destination: Path) -> None:
        """Copy the blob; see :class:`~wheelship.base.source.ImageSource`.

        Raises:
            InvalidBase: it is missing or damaged.
            DiskFull, NotWritable: the disk refuses.
        """
        with disk_errors(destination.parent), replacing(destination) as out:
            if self._copy(blob.digest, out.write) != blob.digest:
                raise self._invalid(f"holds a damaged blob {blob.digest}")

    def _copy(self, digest: Digest, write: Any) -> Digest:  # noqa: ANN401 - a file's method
        hashing = hashlib.sha256()
        try:
            with self._path(digest).open("rb") as stream:
                while piece := stream.read(_PIECE_BYTES):
                    hashing.update(piece)
                    write(piece)
        except FileNotFoundError as error:
            raise self._invalid(f"lacks the blob {digest}") from error
        return Digest(hashing.hexdigest())

    def _choose(self, entries: list[dict[str, Any]], platform: Platform, depth: int = 0) -> bytes:
        fitting = [one for one in entries if _fits(one.get("platform"), platform)]
        exact = [one for one in fitting if one.get("platform")]
        if len(exact or fitting) != 1:
            called = f" called {self.tag!r}" if self.tag else ""
            what = f"holds {len(exact or fitting)} images{called} for {platform}"
            raise self._invalid(what, InvalidBase if fitting else BaseLacksPlatform)
        entry = (exact or fitting)[0]
        body = self._document(entry["digest"])
        if json.loads(body).get("mediaType", entry.get("mediaType")) in (INDEX, DOCKER_INDEX):
            if depth == _DEPTH_MAX:
                raise self._invalid("holds indexes of indexes")
            return self._choose(json.loads(body)["manifests"], platform, depth + 1)
        return body

    def _document(self, digest: str) -> bytes:
        path = self._path(Digest.parse(digest))
        if path.stat().st_size > _JSON_BYTES:
            raise self._invalid(f"holds a document of more than {_JSON_BYTES} bytes")
        body = path.read_bytes()
        if str(Digest.of(body)) != digest:
            raise self._invalid(f"holds a damaged blob {digest}")
        return body

    def _path(self, digest: Digest) -> Path:
        return self.directory / "blobs" / "sha256" / digest.hex

    def _invalid(self, what: str, kind: type[InvalidBase] = InvalidBase) -> InvalidBase:
        return kind(
            what,
            where=str(self.directory),
            hint="name an OCI layout with one image for the platform: oci:DIR:TAG",
        )


def _fits(found: object, platform: Platform) -> bool:
    if not isinstance(found, dict):
        return True
    return (found.get("os"), found.get("architecture")) == (platform.os, platform.architecture)
