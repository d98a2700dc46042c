# SPDX-License-Identifier: Apache-2.0
"""What a built wheel is kept under, and what is known of it without opening it.

The key is made of content alone: the source, what it was built with, and what the user set. A wheel
without compiled code is kept under a key without an architecture, so that images for all of them
find it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wheelship.archive.result import CODEC
from wheelship.lock.model import LockedSource, LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.request.model import BuildRule
from wheelship.store.store import Store

__all__ = ["Built", "Order", "find_built", "remember"]

_FORM = 1
"""Raised whenever the same order would give other bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built.

    Attributes:
        content: digest of the source: of the archive, of a directory's files, or of a commit.
        python: minor version that the image has (``3.11``).
        tools: everything that may be used, for this machine.
    """

    source: LockedSource
    content: Digest
    python: str
    rule: BuildRule
    tools: tuple[LockedWheel, ...]

    def key(self, architecture: str | None) -> Digest:
        """Return what the wheel is kept under; None for one without compiled code."""
        return Digest.of(
            canonical_json(
                {
                    "form": _FORM,
                    "codec": CODEC,
                    "name": self.source.name,
                    "version": self.source.version,
                    "content": self.content.hex,
                    "subdirectory": self.source.subdirectory,
                    "python": self.python,
                    "tools": sorted([one.filename, one.sha256] for one in self.tools),
                    "requires": sorted(self.rule.requires),
                    "settings": [[key, list(texts)] for key, texts in self.rule.settings],
                    "network": self.rule.network,
                    "env": [list(pair) for pair in self.rule.env],
                    "architecture": architecture,
                }
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A wheel in the store, built from source.

    Attributes:
        version: that it has; a directory's is known from here only.
        architecture: of its compiled code (``amd64``); None where there is none.
        glibc_minor: minor version of the glibc 2 that its compiled code needs; 0 for none.
        libraries: what its compiled code needs and does not bring, glibc's own left out.
    """

    filename: str
    version: str
    sha256: str
    size_bytes: int
    architecture: str | None = None
    glibc_minor: int = 0
    libraries: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the form that the store keeps."""
        return {name: getattr(self, name) for name in self.__slots__}

    def locked(self, source: LockedSource, store: Store) -> LockedWheel:
        """Return it as the wheel that takes the place of ``source``."""
        return LockedWheel(
            name=source.name,
            version=self.version,
            filename=self.filename,
            sha256=self.sha256,
            size_bytes=self.size_bytes,
            path=store.download(self.sha256),
            requires=source.requires,
        )


def find_built(order: Order, architectures: Iterable[str], store: Store) -> Built | None:
    """Return what ``order`` gave before: without compiled code, or for one of ``architectures``.

    Only a wheel that is still in the store counts; it is marked as used, so that it is pruned late.
    """
    for architecture in (None, *architectures):
        _, document = store.marked(order.key(architecture))
        if not isinstance(document, dict):
            continue
        try:
            built = Built(**{**document, "libraries": tuple(document["libraries"])})
            path = store.download(built.sha256)
            if path.stat().st_size != built.size_bytes:
                continue
        except (KeyError, TypeError, OSError):  # of another version, pruned, or damaged
            continue
        with suppress(OSError):  # a store that cannot be written to still serves
            os.utime(path)
        return built
    return None


def remember(order: Order, built: Built, store: Store) -> None:
    """Let :func:`find_built` find ``built``, whose file is in the store already."""
    store.mark(order.key(built.architecture), built.to_json())
