# SPDX-License-Identifier: Apache-2.0
"""Says where two images in layouts differ: which layer, which file, which field."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["differences", "manifest_digest"]


def manifest_digest(layout: Path) -> str:
    """Return the digest of the only image in ``layout``."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    return str(entry["digest"])


def differences(first: Path, second: Path) -> list[str]:
    """Return one line per difference of two images; equal images have none."""
    if manifest_digest(first) == manifest_digest(second):
        return []
    return list(_images(first, second))


def _images(first: Path, second: Path) -> Iterator[str]:
    pair = first, second
    manifests = [_document(layout, manifest_digest(layout)) for layout in pair]
    configs = [
        _document(layout, manifest["config"]["digest"])
        for layout, manifest in zip(pair, manifests, strict=True)
    ]
    yield from _fields("manifest", *({**one, "layers": len(one["layers"])} for one in manifests))
    yield from _fields("configuration", *configs)
    for number, (one, other) in enumerate(
        zip(manifests[0]["layers"], manifests[1]["layers"], strict=False)
    ):
        if one["digest"] == other["digest"]:
            continue
        title = f"layer {number}"
        files = [_files(first, one["digest"]), _files(second, other["digest"])]
        found = list(_fields(title, *files))
        if list(files[0]) != list(files[1]) and not found:
            found = [f"{title}: the same files in another order"]
        yield from found or [f"{title}: the same tar, compressed differently"]


def _fields(where: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*one, *other}):
        if one.get(key) != other.get(key):
            yield f"{where}: {key}: {one.get(key)!r:.200} / {other.get(key)!r:.200}"


def _document(layout: Path, digest: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_blob(layout, digest).read_bytes())
    return document


def _blob(layout: Path, digest: str) -> Path:
    return layout.joinpath("blobs", *digest.split(":"))


def _files(layout: Path, digest: str) -> dict[str, tuple[Any, ...]]:
    found = {}
    with gzip.open(_blob(layout, digest)) as stream, tarfile.open(fileobj=stream) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            data = b"" if content is None else content.read()
            owner = (member.uid, member.gid, member.uname, member.gname)
            facts = (member.type, oct(member.mode), owner, member.mtime, member.linkname)
            found[member.name] = (*facts, member.pax_headers, hashlib.sha256(data).hexdigest())
    return found
