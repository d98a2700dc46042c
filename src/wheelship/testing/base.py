# SPDX-License-Identifier: Apache-2.0
"""Makes base images in memory: programs that look like a Python, layers with tar's own writer."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import zstandard

from wheelship.base.source import FoundImage
from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import LAYER_GZIP, MANIFEST, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["BASE_FILES", "Content", "MadeBase", "make_program", "tar_of"]

Content: TypeAlias = bytes | str | tuple[str, str] | None
"""A file's bytes, a link ``"-> target"``, ``("hard", target)``, or None for a directory."""

_MACHINES = {"amd64": 62, "arm64": 183, "riscv64": 243}


def make_program(
    *texts: str, architecture: str = "amd64", loader: str = "/lib64/ld-linux-x86-64.so.2"
) -> bytes:
    """Return an ELF file that holds ``texts`` and asks for ``loader``; it cannot be run."""
    head = bytearray(64 + 56)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", head, 18, _MACHINES[architecture])
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, 1 if loader else 0)
    name = f"{loader}\0".encode()
    struct.pack_into("<IIQQQQ", head, 64, 3, 4, len(head), 0, 0, len(name))
    return bytes(head) + name + b"".join(b"\0" + text.encode() + b"\0" for text in texts)


BASE_FILES: dict[str, Content] = {
    "bin": "-> usr/bin",
    "lib64": "-> usr/lib64",
    "usr/bin/python3": "-> python3.11",
    "usr/bin/python3.11": make_program("3.11.2", "CPython"),
    "usr/lib/python3.11/os.py": b"sep = '/'\n",
    "usr/lib/x86_64-linux-gnu/libc.so.6": make_program(
        "GNU C Library (Made GLIBC 2.36-9) stable release version 2.36.", loader=""
    ),
    "usr/lib64/ld-linux-x86-64.so.2": b"loader",
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
}
"""The least that a base must hold."""


def tar_of(files: Mapping[str, Content]) -> bytes:
    """Return a tar archive of ``files``, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            header = tarfile.TarInfo(path)
            header.mode = 0o755
            data = content if isinstance(content, bytes) else b""
            header.size = len(data)
            if content is None:
                header.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                header.type, header.linkname = tarfile.SYMTYPE, content.removeprefix("-> ")
            elif isinstance(content, tuple):
                header.type, header.linkname = tarfile.LNKTYPE, content[1]
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


class MadeBase:
    """A base image, and where it comes from; ``fetched`` lists the layers that were asked for."""

    def __init__(
        self,
        *layers: Mapping[str, Content],
        architecture: str = "amd64",
        config: Mapping[str, Any] | None = None,
        history: Sequence[Mapping[str, Any]] = (),
        media_type: str = LAYER_GZIP,
        name: str = "registry.example.org/team/base:1",
    ) -> None:
        self.name = name
        self.fetched: list[Digest] = []
        self.tars = [tar_of(files) for files in layers or (BASE_FILES,)]
        blobs = [_packed(tar, media_type) for tar in self.tars]
        self.blobs = {Digest.of(blob): blob for blob in blobs}
        self.layers = tuple(
            Descriptor(media_type=media_type, digest=Digest.of(one), size_bytes=len(one))
            for one in blobs
        )
        self.config = canonical_json(
            {
                "architecture": architecture,
                "os": "linux",
                "config": dict(config or {}),
                "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(t)) for t in self.tars]},
                "history": list(history),
            }
        )

    @property
    def manifest(self) -> bytes:
        """The manifest's bytes."""
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": str(Digest.of(self.config)),
                "size": len(self.config),
            },
            "layers": [one.to_json() for one in self.layers],
        }
        return canonical_json(document)

    def image(self, platform: Platform) -> FoundImage:
        """Return the image, whatever the platform."""
        del platform
        return FoundImage(
            name=self.name,
            digest=Digest.of(self.manifest),
            config=self.config,
            layers=self.layers,
        )

    def blob(self, blob: Descriptor, destination: Path) -> None:
        """Write the layer."""
        self.fetched.append(blob.digest)
        destination.write_bytes(self.blobs[blob.digest])

    def write_layout(self, directory: Path, *, tag: str = "latest") -> None:
        """Write an OCI layout that holds the image under ``tag``."""
        place = directory / "blobs" / "sha256"
        place.mkdir(parents=True)
        for data in (self.config, self.manifest, *self.blobs.values()):
            (place / Digest.of(data).hex).write_bytes(data)
        entry = {
            "mediaType": MANIFEST,
            "digest": str(Digest.of(self.manifest)),
            "size": len(self.manifest),
            "annotations": {"org.opencontainers.image.ref.name": tag},
        }
        index = {"schemaVersion": 2, "manifests": [entry]}
        (directory / "index.json").write_text(json.dumps(index))
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def _packed(tar: bytes, media_type: str) -> bytes:
    if media_type.endswith("gzip"):
        return gzip.compress(tar, mtime=0)
    return zstandard.compress(tar) if media_type.endswith("zstd") else tar
