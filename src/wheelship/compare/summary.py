# SPDX-License-Identifier: Apache-2.0
"""What is kept of an inspected image to compare it with others: sums instead of files.

A summary has some hundred rows where an image has half a million files, so that many images can be
compared at once and a baseline is a file of some kilobytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from wheelship.inspect.group import by_kind, by_owner
from wheelship.inspect.model import Contents, Owner, Sizes
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["Blob", "KindSummary", "LayerSummary", "OwnerSummary", "Summary"]

_LONGEST_STEP = 300
"""Characters kept of the command that made a layer; a RUN of BuildKit's may be a whole script."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob beside the layers, by its content."""

    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummary:
    """A layer; ``created_by`` is what made it, as the image's history says."""

    digest: Digest
    diff_id: Digest
    sizes: Sizes
    created_by: str


@dataclass(frozen=True, slots=True)
class OwnerSummary:
    """What belongs to one owner, and how many files that is."""

    owner: Owner
    sizes: Sizes
    files: int


@dataclass(frozen=True, slots=True)
class KindSummary:
    """What the files of one kind amount to."""

    kind: str
    sizes: Sizes
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """An image in sums; those of the owners, and those of the kinds, add up to ``sizes``.

    Attributes:
        reference: as the source called it.
        variant: as its label says; empty of an image that wheelship did not build.
        platform: for which it is.
        digest: of the manifest; None where the source has no manifest.
        transfer_known: whether the transfer sizes are what a registry would send.
        sizes: of all.
        documents: configuration and manifest.
        layers: lowest first.
        owners: sorted by type, name and version.
        kinds: sorted by name.
    """

    reference: str
    variant: str
    platform: Platform
    digest: Digest | None
    transfer_known: bool
    sizes: Sizes
    documents: tuple[Blob, ...]
    layers: tuple[LayerSummary, ...]
    owners: tuple[OwnerSummary, ...]
    kinds: tuple[KindSummary, ...]

    @classmethod
    def of(cls, contents: Contents) -> Self:
        """Sum up an image that was read."""
        owners = (
            OwnerSummary(
                Owner(owner.type, _encodable(owner.name), _encodable(owner.version)),
                row.sizes,
                row.files,
            )
            for owner, row in by_owner(contents).items()
        )
        kinds = (KindSummary(kind, row.sizes, row.files) for kind, row in by_kind(contents).items())
        return cls(
            reference=_encodable(contents.reference),
            variant=_encodable(contents.variant),
            platform=contents.config.platform,
            digest=contents.digest,
            transfer_known=contents.transfer_known,
            sizes=contents.sizes,
            documents=tuple(Blob(*one) for one in contents.documents),
            layers=_layers(contents),
            owners=tuple(sorted(owners, key=lambda one: one.owner)),
            kinds=tuple(sorted(kinds, key=lambda one: one.kind)),
        )

    @property
    def blobs(self) -> dict[Digest, int]:
        """Return the size of each blob that a registry has for the image, every one once."""
        layers = {one.digest: one.sizes.transfer for one in self.layers}
        return layers | {one.digest: one.size_bytes for one in self.documents}

    @property
    def packages(self) -> int:
        """How many packages are in it, of both kinds."""
        return len(
            {
                (one.owner.type, one.owner.name)
                for one in self.owners
                if one.owner.type in ("python", "debian")
            }
        )


def _encodable(text: str) -> str:
    """Return ``text`` as any file can hold it; bytes that are no UTF-8 become escapes (PEP 383)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _layers(contents: Contents) -> tuple[LayerSummary, ...]:
    return tuple(
        LayerSummary(
            digest=one.digest,
            diff_id=one.diff_id,
            sizes=one.sizes,
            created_by=_encodable(one.created_by[:_LONGEST_STEP]),
        )
        for one in contents.layers
    )
