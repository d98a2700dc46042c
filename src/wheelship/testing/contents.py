# SPDX-License-Identifier: Apache-2.0
"""Makes layers as the scanner leaves them, and an image source of them, for tests of what follows.

Where :mod:`wheelship.testing.inspection` makes the end of the way, this makes its beginning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from wheelship.inspect.model import Entry, EntryKind, LayerContent
from wheelship.oci.config import ImageConfig, canonical_json
from wheelship.oci.descriptor import LAYER_GZIP, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.source.model import BlobStream, SourceLayer

__all__ = ["LayoutOracle", "ScannedSource", "entry", "make_layer", "text_layer"]

_BLOCK = 512
_END_BYTES = 1024


def entry(
    path: str,
    kind: EntryKind = "file",
    size: int = 0,
    *,
    target: str = "",
    mode: int = 0o644,
) -> Entry:
    """Return an entry that takes what tar would take, and a third of it in the blob."""
    unpacked = _BLOCK + -(-size // _BLOCK) * _BLOCK
    return Entry(path, kind, size, unpacked, unpacked // 3, mode, target=target)


def make_layer(
    entries: Sequence[Entry], documents: Mapping[str, bytes] | None = None
) -> LayerContent:
    """Return a layer of ``entries`` and the end of its archive."""
    rows = (*entries, Entry("(end of the archive)", "framing", 0, _END_BYTES, 20))
    digest = Digest.of(repr((rows, documents)).encode())
    return LayerContent(
        digest=digest,
        diff_id=Digest.of(digest.hex.encode()),
        transfer_bytes=sum(one.transfer_bytes for one in rows),
        unpacked_bytes=sum(one.unpacked_bytes for one in rows),
        entries=rows,
        documents=tuple((documents or {}).items()),
    )


def text_layer(files: Mapping[str, str | bytes | None], *more: Entry) -> LayerContent:
    """Return a layer of files that are all kept as documents; None is a whiteout."""
    contents = {
        path: data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        for path, data in files.items()
        if data is not None
    }
    entries = [
        entry(path, "whiteout") if data is None else entry(path, size=len(contents[path]))
        for path, data in files.items()
    ]
    return make_layer([*entries, *more], contents)


@dataclass(kw_only=True)
class ScannedSource:
    """The source of an image whose layers were read before, as ``contents``; none can be opened."""

    contents: Sequence[LayerContent]
    config: ImageConfig = field(
        default_factory=lambda: ImageConfig(platform=Platform("amd64"), diff_ids=())
    )
    reference: str = "oci:made"
    manifest_bytes: bytes = b'{"made":true}'
    as_transferred: bool = True

    @property
    def config_bytes(self) -> bytes:
        """The configuration."""
        return canonical_json(self.config.to_json())

    @property
    def layers(self) -> tuple[SourceLayer, ...]:
        """The layers, lowest first."""
        return tuple(
            SourceLayer(
                descriptor=Descriptor(
                    media_type=LAYER_GZIP, digest=one.digest, size_bytes=one.transfer_bytes
                ),
                diff_id=one.diff_id,
            )
            for one in self.contents
        )

    def open(self, layer: SourceLayer) -> AbstractContextManager[BlobStream]:
        """Nobody reads what was never written."""
        raise AssertionError(f"{layer.descriptor.digest} is read again")


@dataclass(kw_only=True)
class LayoutOracle:
    """The only image of an OCI layout (or the one of ``tag``), read without the product's help."""

    layout: Path
    tag: str = ""
    as_transferred: bool = True

    @property
    def reference(self) -> str:
        """What a user would call it."""
        return f"oci:{self.layout}:{self.tag}" if self.tag else f"oci:{self.layout}"

    def _blob(self, digest: str) -> Path:
        return self.layout / "blobs" / digest.replace(":", "/")

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest."""
        index = json.loads((self.layout / "index.json").read_bytes())
        name = "org.opencontainers.image.ref.name"
        (found,) = (
            one
            for one in index["manifests"]
            if not self.tag or one.get("annotations", {}).get(name) == self.tag
        )
        return self._blob(found["digest"]).read_bytes()

    @property
    def config_bytes(self) -> bytes:
        """The configuration."""
        return self._blob(json.loads(self.manifest_bytes)["config"]["digest"]).read_bytes()

    @property
    def config(self) -> ImageConfig:
        """The configuration, read."""
        return ImageConfig.from_json(json.loads(self.config_bytes))

    @property
    def layers(self) -> tuple[SourceLayer, ...]:
        """The layers, lowest first."""
        rows = json.loads(self.manifest_bytes)["layers"]
        return tuple(
            SourceLayer(
                descriptor=Descriptor(
                    media_type=one["mediaType"],
                    digest=Digest.parse(one["digest"]),
                    size_bytes=one["size"],
                ),
                diff_id=diff_id,
            )
            for one, diff_id in zip(rows, self.config.diff_ids, strict=True)
        )

    def open(self, layer: SourceLayer) -> AbstractContextManager[BlobStream]:
        """Open the blob of ``layer``."""
        return self._blob(str(layer.descriptor.digest)).open("rb")
