# SPDX-License-Identifier: Apache-2.0
"""Sums over the items of an image, by one question at a time; every sum is the image's total."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from wheelship.inspect.model import Contents, Item, Owner, Sizes

__all__ = ["Row", "by_kind", "by_layer", "by_owner", "by_path"]

_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Row:
    """A group of items: what it is called, what it weighs, how many files are in it.

    ``key`` is stable between images. Two versions of a package have one key, as have the layers of
    an image that has one twice.
    """

    key: str
    label: str
    sizes: Sizes
    files: int


def by_owner(contents: Contents) -> dict[Owner, Row]:
    """Return what each owner has, largest unpacked first."""
    rows = _rows(contents.items, lambda item: item.owner, _owner_key, _owner_label)
    return dict(sorted(rows.items(), key=lambda one: (-one[1].sizes.unpacked, one[0])))


def by_kind(contents: Contents) -> dict[str, Row]:
    """Return what each kind of file amounts to, largest unpacked first."""
    rows = _rows(contents.items, lambda item: item.kind, str, str)
    return dict(sorted(rows.items(), key=lambda one: (-one[1].sizes.unpacked, one[0])))


def by_layer(contents: Contents) -> dict[int, Row]:
    """Return what each layer holds, lowest first; -1 is manifest and configuration."""

    def label(index: int) -> str:
        return "manifest, configuration" if index < 0 else contents.layers[index].created_by

    def key(index: int) -> str:
        return "documents" if index < 0 else str(contents.layers[index].digest)

    rows = _rows(contents.items, lambda item: item.layer, key, label)
    return dict(sorted(rows.items()))


def by_path(contents: Contents, depth: int) -> dict[str, Row]:
    """Return what lies in each directory of at most ``depth`` parts, largest unpacked first.

    A file higher up counts for the directory that it is in; the root is the empty path.
    """

    def directory(item: Item) -> str:
        parts = item.entry.path.split("/")
        if item.entry.kind == "directory":
            return "/".join(parts[:depth])
        return "/".join(parts[:-1][:depth])

    rows = _rows(contents.items, directory, str, lambda path: f"/{path}")
    return dict(sorted(rows.items(), key=lambda one: (-one[1].sizes.unpacked, one[0])))


def _owner_key(owner: Owner) -> str:
    return f"{owner.type}:{owner.name}"


def _owner_label(owner: Owner) -> str:
    return f"{owner.name} {owner.version}".strip()


def _rows(
    items: Iterable[Item],
    of: Callable[[Item], _K],
    key: Callable[[_K], str],
    label: Callable[[_K], str],
) -> dict[_K, Row]:
    sums: dict[_K, list[int]] = {}
    for item in items:
        one = sums.setdefault(of(item), [0, 0, 0, 0])
        one[0] += item.entry.transfer_bytes
        one[1] += item.entry.unpacked_bytes
        one[2] += item.effective_bytes
        one[3] += item.entry.kind == "file"
    return {
        group: Row(key(group), label(group), Sizes(one[0], one[1], one[2]), one[3])
        for group, one in sums.items()
    }
