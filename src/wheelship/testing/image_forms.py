# SPDX-License-Identifier: Apache-2.0
"""Makes small images in the forms that :mod:`wheelship.source` reads, right or wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelship.archive.entry import File, InMemory
from wheelship.oci.digest import Digest
from wheelship.oci.image import Image
from wheelship.source.model import ImageSource
from wheelship.store.store import Store
from wheelship.testing.image import make_image

__all__ = [
    "REFERENCE",
    "Made",
    "Members",
    "contents",
    "docker_members",
    "index_of",
    "layout_members",
    "made",
    "write_layout",
    "write_tar",
]

REFERENCE = "team/demo:cpu"
_NOISE = b"".join(hashlib.sha256(b"%d" % one).digest() for one in range(200))
Members = list[tuple[str, bytes | str]]
"""Of an archive: name with content, or with the target of a symlink (``=TARGET``: a hard link)."""


@dataclass(frozen=True)
class Made:
    """An image, the bytes of its layers by digest, and those of their archives."""

    image: Image
    blobs: dict[str, bytes]

    @property
    def config_digest(self) -> Digest:
        """Digest of the configuration."""
        return Digest.of(self.image.config_bytes)

    @property
    def tars(self) -> list[bytes]:
        """The layers' archives, lowest first."""
        return [gzip.decompress(self.blobs[str(one.digest)]) for one in self.image.blobs]

    @property
    def documents(self) -> dict[str, bytes]:
        """All blobs by digest, the JSON ones too."""
        return {
            str(self.config_digest): self.image.config_bytes,
            str(self.image.descriptor.digest): self.image.manifest_bytes,
            **self.blobs,
        }


def made(store: Store, architecture: str = "amd64") -> Made:
    """Make an image of two layers."""
    image = make_image(
        store,
        [File(path="a", content=InMemory(b"first " * 5000))],
        [File(path=f"b-{architecture}", content=InMemory(_NOISE))],
        architecture=architecture,
    )
    blobs = {str(one.digest): store.blob(one.digest).read_bytes() for one in image.blobs}
    return Made(image, blobs)


def write_tar(path: Path, members: Members, form: int = tarfile.PAX_FORMAT) -> Path:
    """Write an archive in one of tarfile's formats; return ``path``."""
    with tarfile.open(path, "w", format=form) as out:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type = tarfile.LNKTYPE if content.startswith("=") else tarfile.SYMTYPE
                member.linkname = content.removeprefix("=")
                out.addfile(member)
            else:
                member.size = len(content)
                out.addfile(member, io.BytesIO(content))
    return path


def index_of(*entries: dict[str, Any]) -> bytes:
    """Return an index of descriptors."""
    return json.dumps({"schemaVersion": 2, "manifests": entries}).encode()


def write_layout(directory: Path, index: bytes, blobs: dict[str, bytes]) -> Path:
    """Write an OCI layout."""
    (directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_bytes(index)
    for digest, data in blobs.items():
        (directory / "blobs" / digest.replace(":", "/")).write_bytes(data)
    return directory


def layout_members(index: bytes, blobs: dict[str, bytes]) -> Members:
    """Return the members of an archive with a layout."""
    named: Members = [(f"blobs/{digest.replace(':', '/')}", data) for digest, data in blobs.items()]
    return [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), ("index.json", index), *named]


def docker_members(
    demo: Made, layers: Sequence[bytes], names: Sequence[str] = (REFERENCE,)
) -> Members:
    """Return what ``docker save`` of Docker 20.10 writes."""
    config = f"{demo.config_digest.hex}.json"
    paths = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    row = {"Config": config, "RepoTags": list(names), "Layers": paths}
    return [
        *zip(paths, layers, strict=True),
        (config, demo.image.config_bytes),
        ("manifest.json", json.dumps([row]).encode()),
        ("repositories", b"{}"),
    ]


def contents(image: ImageSource, piece: int = 10_000) -> list[bytes]:
    """Read all layers."""
    found = []
    for layer in image.layers:
        with image.open(layer) as stream:
            found.append(b"".join(iter(lambda: stream.read(piece), b"")))
    return found
