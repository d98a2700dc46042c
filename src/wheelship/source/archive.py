# SPDX-License-Identifier: Apache-2.0
"""Images in archives, OCI's and Docker's, read in place: no layer is unpacked or copied.

One pass over the outer headers tells where each blob lies. Only an archive that was compressed as a
whole is inflated first, into the workspace: its blobs have no offsets.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

from wheelship.archive.blob import Undecodable
from wheelship.archive.decompress import batches
from wheelship.events import Advanced, Emit, Finished, Started
from wheelship.oci.descriptor import Descriptor
from wheelship.source.choose import Wanted
from wheelship.source.docker_archive import read_docker_archive
from wheelship.source.document import parse_entries
from wheelship.source.errors import InvalidImage, NoImage, UnsupportedImage
from wheelship.source.extent import Extent, read_document, regular_file, verified
from wheelship.source.members import Members, read_members
from wheelship.source.model import BlobStream
from wheelship.source.oci import ReadImage, read_image, read_tagged
from wheelship.store.errors import DiskFull, disk_errors

__all__ = ["Kind", "open_archive"]

Kind: TypeAlias = Literal["oci-archive", "docker-archive", "any"]

_GZIP = b"\x1f\x8b"
_OTHERS = {b"\xfd7zXZ\0": "unxz", b"BZh": "bunzip2", b"\x28\xb5\x2f\xfd": "unzstd"}
_GROWTH_MAX = 100
_GROWTH_FREE_BYTES = 64 * 1024 * 1024
_RESERVE_BYTES = 512 * 1024 * 1024
_ASK_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Blobs:
    members: Members

    def has(self, descriptor: Descriptor) -> bool:
        extent = self._find(descriptor)
        return extent is not None and extent.size_bytes == descriptor.size_bytes

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[BlobStream]:
        extent, where = self._find(descriptor), self.members.where
        if extent is None:
            raise InvalidImage(f"lacks the blob {descriptor.digest}", where=where)
        yield verified(extent, descriptor, where)

    def _find(self, descriptor: Descriptor) -> Extent | None:
        return self.members.find(f"blobs/sha256/{descriptor.digest.hex}")


@contextmanager
def open_archive(
    path: Path,
    kind: Kind,
    name: str | None,
    wanted: Wanted,
    called: str,
    *,
    workspace: Path,
    emit: Emit,
) -> Iterator[ReadImage]:
    """Yield the image called ``name`` of an archive; without a name, the only one.

    An archive of Docker's that also holds an OCI layout, as since Docker 25, is read by the latter:
    its blobs are as they were pulled where the engine kept them so.

    Raises:
        NoImage: there is none, or there are several.
        InvalidImage, UnsupportedImage: it is damaged, or of a kind that is not read.
        ImageLacksPlatform: it is for other platforms.
        DiskFull: it is compressed, and too large for the workspace.
    """
    where = called if name is None else called.removesuffix(f":{name}")
    with ExitStack() as resources:
        try:
            file = resources.enter_context(regular_file(path))
        except FileNotFoundError as error:
            raise NoImage("is no file", where=called) from error
        archive = resources.enter_context(_inflated(file, where, workspace, emit))
        yield _read(read_members(archive, where), kind, name, wanted, where)


def _read(members: Members, kind: Kind, name: str | None, wanted: Wanted, where: str) -> ReadImage:
    index = members.find("index.json")
    if index is None or (kind == "docker-archive" and members.find("oci-layout") is None):
        if kind == "oci-archive":
            raise InvalidImage(
                "holds no OCI layout: it has no index.json",
                where=where,
                hint="perhaps it is a docker-archive:FILE",
            )
        return read_docker_archive(members, name, wanted, where)
    entries = parse_entries(read_document(index, "index.json", where), where)
    blobs = _Blobs(members)
    manifest, _ = read_tagged(blobs, entries, name, wanted, where)
    reference = where if name is None else f"{where}:{name}"
    exported = members.find("manifest.json") is not None
    return read_image(blobs, manifest, wanted, reference=reference, exported=exported)


@contextmanager
def _inflated(file: Extent, where: str, workspace: Path, emit: Emit) -> Iterator[Extent]:
    """Yield the archive, from the workspace where it is compressed as a whole."""
    magic = file.stream().read(6)
    for start, program in _OTHERS.items():
        if magic.startswith(start):
            raise UnsupportedImage(
                "is compressed as a whole, and not with gzip",
                where=where,
                hint=f"{program} it first, and name what comes out",
            )
    if not magic.startswith(_GZIP):
        yield file
        return
    instead = "--store DIR or WHEELSHIP_STORE"
    with ExitStack() as resources:
        emit(Started("unpack", where))
        try:
            with disk_errors(workspace, instead):
                out = resources.enter_context(tempfile.TemporaryFile(dir=workspace))
                size = _inflate(file, out, where, workspace, emit)
        except BaseException:
            emit(Finished("unpack", where, "failed"))
            raise
        emit(Finished("unpack", where, "done"))
        yield Extent(out.fileno(), 0, size)


def _inflate(file: Extent, out: IO[bytes], where: str, workspace: Path, emit: Emit) -> int:
    size = asked = 0
    limit = file.size_bytes * _GROWTH_MAX + _GROWTH_FREE_BYTES
    try:
        for piece, _ in batches(file.stream()):
            size += len(piece)
            if size > limit:
                raise InvalidImage(f"grows to more than {_GROWTH_MAX} times its size", where=where)
            if size >= asked:
                asked = size + _ASK_BYTES
                _require_room(workspace, where)
            out.write(piece)
            emit(Advanced("unpack", where, len(piece)))
    except Undecodable as error:
        raise InvalidImage(str(error), where=where) from error
    out.flush()
    return size


def _require_room(workspace: Path, where: str) -> None:
    if shutil.disk_usage(workspace).free < _RESERVE_BYTES:
        raise DiskFull(
            f"no space left to unpack {where}",
            where=str(workspace),
            hint="free some space, or choose another place: --store DIR or WHEELSHIP_STORE",
        )
