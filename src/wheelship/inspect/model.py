# SPDX-License-Identifier: Apache-2.0
"""What an image holds, byte by byte.

Three sizes are told apart everywhere, and never mixed:

transfer
    bytes of the blobs as a registry sends them: compressed layers, configuration and manifest. An
    entry's share is what the blob holds between its beginning and its end, so that shares add up.
unpacked
    bytes of the layers' tar archives, all layers, with headers and padding, whether or not a later
    layer hides what is in there.
effective
    bytes of content that the final file system holds: what a container sees. A file with several
    hard links counts once; directories, links and headers count nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from wheelship.oci.config import ImageConfig
from wheelship.oci.digest import Digest

__all__ = [
    "Contents",
    "DebugFacts",
    "DeviceFacts",
    "Entry",
    "EntryKind",
    "Expectation",
    "Facts",
    "FileKind",
    "Finding",
    "Inspection",
    "Item",
    "LayerContent",
    "LayerView",
    "Owner",
    "OwnerType",
    "PycFacts",
    "Sizes",
]

_VARIANT_LABEL = "wheelship.variant"

EntryKind: TypeAlias = Literal[
    "file",
    "directory",
    "symlink",
    "hardlink",
    "device",
    "whiteout",  # its path is that of what it hides
    "opaque",  # its path is that of the directory whose lower content it hides
    "framing",  # no entry: what ends a layer's archive, or a document beside the layers
]

FileKind: TypeAlias = Literal[
    "shared-object",
    "executable",
    "python",
    "bytecode",
    "header",
    "static-library",
    "test",
    "documentation",
    "model",
    "data",
    "cache",
    "metadata",  # of packages: dist-info, dpkg's
    "structure",  # directories, links, whiteouts, framing
]

OwnerType: TypeAlias = Literal["python", "debian", "application", "generated", "image", "unknown"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes, counted in the three ways that the module describes."""

    transfer: int = 0
    unpacked: int = 0
    effective: int = 0

    def __add__(self, other: Self) -> Sizes:
        return Sizes(
            self.transfer + other.transfer,
            self.unpacked + other.unpacked,
            self.effective + other.effective,
        )

    def __sub__(self, other: Self) -> Sizes:
        """Return by how much this is more than ``other``; a difference may be negative."""
        return Sizes(
            self.transfer - other.transfer,
            self.unpacked - other.unpacked,
            self.effective - other.effective,
        )


@dataclass(frozen=True, slots=True)
class PycFacts:
    """How a ``.pyc`` file is validated (PEP 552); ``mtime`` and ``size`` are of its source."""

    magic: int
    hashed: bool
    mtime: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class DebugFacts:
    """An ELF file with debug information: bytes of its ``.debug_*`` and ``.symtab`` sections."""

    debug_bytes: int


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A library with code for GPUs.

    Attributes:
        targets: target (``sm_90``, ``compute_90``, ``gfx942``) and bytes of code for it, sorted.
        hidden: more code is there whose targets cannot be told.
    """

    targets: tuple[tuple[str, int], ...]
    hidden: bool = False


Facts: TypeAlias = PycFacts | DebugFacts | DeviceFacts
"""What reading a file's content told; found while its bytes pass by."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a layer's archive.

    Attributes:
        path: without a leading slash, never with ``..``; the root directory is the empty path.
        kind: what it is.
        size_bytes: of the content; 0 for all but files.
        unpacked_bytes: its part of the archive: headers, content, padding.
        transfer_bytes: its share of the blob.
        mode: permission bits.
        mtime: seconds since 1970.
        sha256: of the content of files, 32 bytes; empty for others.
        target: what a link names: of a hard link a path as ``path``, of a symlink as written.
        facts: what the content told.
    """

    path: str
    kind: EntryKind
    size_bytes: int
    unpacked_bytes: int
    transfer_bytes: int
    mode: int = 0o644
    mtime: int = 0
    sha256: bytes = b""
    target: str = ""
    facts: tuple[Facts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerContent:
    """A layer, read once; a function of its blob alone, so it is kept by digest.

    Attributes:
        digest: of the blob.
        diff_id: of the archive inside.
        transfer_bytes: of the blob.
        unpacked_bytes: of the archive.
        entries: in the archive's order; the last is the ``framing`` that makes the sums complete.
        documents: the files that say who owns what, by path, whole: RECORD and METADATA of
            distributions, dpkg's status and lists, and their like.
    """

    digest: Digest
    diff_id: Digest
    transfer_bytes: int
    unpacked_bytes: int
    entries: tuple[Entry, ...]
    documents: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """Whose a byte is.

    ``python`` and ``debian`` name a package with its version; ``generated`` is ``bytecode`` or a
    cache by name; ``image`` is what no file is: directories, framing, manifest and configuration.
    """

    type: OwnerType
    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """An entry and what was found out about it.

    Attributes:
        entry: as the layer has it.
        layer: index of the layer, lowest 0; -1 for manifest and configuration.
        owner: whose it is.
        kind: what sort of file.
        effective_bytes: what of it the final file system holds.
        hidden_by: index of the layer that overwrote or deleted it; None while it is visible.
        deleted: it was deleted there, not overwritten.
    """

    entry: Entry
    layer: int
    owner: Owner
    kind: FileKind
    effective_bytes: int = 0
    hidden_by: int | None = None
    deleted: bool = False

    @property
    def sizes(self) -> Sizes:
        """Its bytes."""
        return Sizes(self.entry.transfer_bytes, self.entry.unpacked_bytes, self.effective_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerView:
    """A layer among the others; ``created_by`` is its row of the history, empty without one."""

    digest: Digest
    diff_id: Digest
    media_type: str
    created_by: str
    sizes: Sizes
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All bytes of an image, attributed: ``items`` add up to ``sizes``, in each of the three ways.

    Attributes:
        reference: as the source calls it.
        digest: of the manifest; None where the source has no manifest.
        config: the configuration.
        layers: lowest first.
        items: in the order of the layers and their archives.
        transfer_known: False when the source has no compressed layers (``docker save``); the
            transfer sizes are then those of its blobs, and nobody's download.
        documents: digest and size of the blobs beside the layers: configuration, and manifest
            where the source has one. Two images may have some of them in common.
    """

    reference: str
    digest: Digest | None
    config: ImageConfig
    layers: tuple[LayerView, ...]
    items: tuple[Item, ...]
    sizes: Sizes
    transfer_known: bool = True
    documents: tuple[tuple[Digest, int], ...] = ()

    @property
    def variant(self) -> str:
        """The variant that wheelship built, as the label says; empty of an image of others."""
        return dict(self.config.labels).get(_VARIANT_LABEL, "")

    @property
    def content_bytes(self) -> int:
        """Bytes of all files in all layers, headers aside: what ``docker images`` calls SIZE.

        Of Docker's classic stores; overlay2 adds the length of what symbolic links name, and the
        containerd store counts something else (docs/explanation/sizes.md).
        """
        return sum(item.entry.size_bytes for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the image is meant for; None and empty where nobody said.

    ``accelerator`` is ``cpu``, ``cuda`` or ``rocm``; ``gpu_targets`` as ``sm_90`` or ``gfx942``.
    """

    accelerator: str | None = None
    gpu_targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Bytes that the image could do without.

    Attributes:
        code: stable kebab-case identifier of the rule.
        title: one line, without sizes.
        reason: why it is waste.
        fix: what to do, ready to paste where that is possible.
        sizes: what would be saved.
        paths: where, largest first; of many the largest.
        estimate: the sizes are no exact count.
        unnamed_places: how many more there are than ``paths`` names.
    """

    code: str
    title: str
    reason: str
    fix: str
    sizes: Sizes
    paths: tuple[str, ...]
    estimate: bool = False
    unnamed_places: int = 0

    @property
    def place_count(self) -> int:
        """How many places there are in all."""
        return len(self.paths) + self.unnamed_places


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Contents and the waste found in them, largest first (by unpacked bytes)."""

    contents: Contents
    findings: tuple[Finding, ...]
    expectation: Expectation = Expectation()
