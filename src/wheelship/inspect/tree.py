# SPDX-License-Identifier: Apache-2.0
"""The file system that an image's layers make when they lie upon each other.

Implements image-spec, layer.md, as engines that stack layers with overlayfs do (Docker's overlay2,
containerd, podman), and as :mod:`wheelship.archive.unpack` does:

- A whiteout and an opaque directory hide what *lower* layers have, never what their own layer has,
  wherever in the archive they stand.
- A file, link or device replaces whatever was at its path; a directory's subtree goes with it. A
  directory over a directory merges: both entries stay visible.
- A path whose parent is a symbolic link of a *lower* layer does not go through it. Each layer is a
  tree of its own, so the parent is a directory there, which hides the link; measured with Docker
  20.10: a layer with ``lib/new`` over ``/lib -> usr/lib`` takes ``/lib`` away. Tools that unpack
  all layers into one directory (umoci) write through the link instead. A link of the *same* layer
  is followed, because engines unpack a layer into one directory too.
- The content behind several hard links lives as long as one of its names does.
- Of a path that one layer holds twice the last entry counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from wheelship.archive.untar import InvalidLayer
from wheelship.inspect.model import Entry

__all__ = ["Overlay", "overlay"]

_VISIBLE = -1
_LINKS_MAX = 40
_TARGET_CHARACTERS = 4096  # PATH_MAX: the kernel follows no longer one
_DIRECTORIES_MAX = 2_000_000
"""Directories that no entry makes: a path of one kilobyte can ask for five hundred of them."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What became of each entry, in the order of layers and entries.

    Attributes:
        hidden_by: the layer that hid it, -1 for none. An entry with content counts as visible
            while any name of its content is.
        deleted: 1 where that layer has nothing in its place.
    """

    hidden_by: Sequence[int]
    deleted: Sequence[int]


def overlay(layers: Sequence[Sequence[Entry]]) -> Overlay:
    """Return what becomes of the entries of ``layers``, lowest first.

    Raises:
        InvalidLayer: the paths ask for more directories than any image has.
    """
    tree = _Tree([entry for layer in layers for entry in layer])
    first = 0
    for number, layer in enumerate(layers):
        tree.add_layer(number, first, layer)
        first += len(layer)
    return Overlay(tree.hidden_by, tree.deleted)


@dataclass(slots=True, eq=False)
class _Directory:
    """``items`` are the entries that made it, one for each layer that has it."""

    items: list[int] = field(default_factory=list)
    children: dict[str, _Child] = field(default_factory=dict)


_Child: TypeAlias = "int | _Directory"
"""A directory, or the index of the entry of anything else."""


class _Tree:
    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self.hidden_by = [_VISIBLE] * len(entries)
        self.deleted = bytearray(len(entries))
        self._root = _Directory()
        self._implied = 0
        self._inodes: dict[int, int] = {}  # hard link -> the file whose content it names
        self._names: dict[int, int] = {}  # file -> names that are left, where it has hard links
        self._layer = 0
        self._first = 0
        self._last: tuple[str, _Directory] = ("", self._root)
        self._whited_out: dict[str, int] = {}
        self._beside: dict[str, list[int]] = {}  # further ones at those paths: directories merge

    def add_layer(self, number: int, first: int, entries: Sequence[Entry]) -> None:
        self._layer, self._first = number, first
        self._whited_out.clear()
        self._beside.clear()
        for entry in entries:
            if entry.kind in ("whiteout", "opaque"):
                self._white_out(entry)
        self._last = ("", self._root)
        for index, entry in enumerate(entries, first):
            if entry.kind not in ("whiteout", "opaque", "framing"):
                self._add(index, entry)

    # --- what a layer takes away ---

    def _white_out(self, entry: Entry) -> None:
        if entry.kind == "opaque":
            found = self._find(entry.path)
            if isinstance(found, _Directory):
                for child in found.children.values():
                    self._bury(child, deleted=True)
                found.children.clear()
            return
        directory, _, name = entry.path.rpartition("/")
        parent = self._find(directory)
        if isinstance(parent, _Directory) and name in parent.children:
            self._bury(parent.children.pop(name), deleted=True)

    def _bury(self, child: _Child, *, deleted: bool = False) -> None:
        """Hide a child with all below; whoever calls takes it out of its directory."""
        pending = [child]
        while pending:
            one = pending.pop()
            if isinstance(one, int):
                self._hide(one, deleted)
                continue
            for item in one.items:
                self._hide(item, deleted)
            pending += one.children.values()

    def _hide(self, index: int, deleted: bool) -> None:  # noqa: FBT001 - called a million times
        content = self._inodes.get(index, index)
        left = self._names.get(content)
        if left is None:
            self._mark(index, deleted)
            return
        self._names[content] = left - 1
        if index != content:
            self._mark(index, deleted)
        if left == 1:
            self._mark(content, deleted)

    def _mark(self, index: int, deleted: bool) -> None:  # noqa: FBT001 - called a million times
        self.hidden_by[index] = self._layer
        if deleted:
            self.deleted[index] = 1
            path = self._entries[index].path
            if self._whited_out.setdefault(path, index) != index:
                self._beside.setdefault(path, []).append(index)

    # --- what it adds ---

    def _add(self, index: int, entry: Entry) -> None:
        directory, _, name = entry.path.rpartition("/")
        if not name:
            self._root.items.append(index)
            return
        last, parent = self._last
        if directory != last:
            parent = self._directory(directory)
            self._last = (directory, parent)
        if self._whited_out:
            again = self._whited_out.pop(entry.path, _VISIBLE)
            if again != _VISIBLE:  # deleted and made anew in one step
                for one in (again, *self._beside.pop(entry.path, ())):
                    self.deleted[one] = 0
        if entry.kind == "hardlink":
            self._link(index, entry)
        there = parent.children.get(name)
        if entry.kind == "directory":
            if isinstance(there, _Directory):
                there.items.append(index)
                return
            parent.children[name] = _Directory([index])
        else:
            parent.children[name] = index
        if there is not None:
            self._bury(there)

    def _link(self, index: int, entry: Entry) -> None:
        target = self._find(entry.target)
        if not isinstance(target, int):
            return  # engines refuse such an image; it has no content to count
        content = self._inodes.get(target, target)
        if self._entries[content].kind == "file":
            self._inodes[index] = content
            self._names[content] = self._names.get(content, 1) + 1

    def _find(self, path: str) -> _Child | None:
        """Return what is at ``path``; symbolic links are not followed."""
        found: _Child | None = self._root
        for part in path.split("/") if path else ():
            if not isinstance(found, _Directory):
                return None
            found = found.children.get(part)
        return found

    def _directory(self, path: str) -> _Directory:
        """Return the directory at ``path``; what is no directory on the way becomes one."""
        above = [self._root]
        parts = path.split("/")[::-1]
        follows = 0
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            if part == "..":  # of a link's target
                above = above[:-1] or above
                continue
            parent = above[-1]
            child = parent.children.get(part)
            if isinstance(child, _Directory):
                above.append(child)
                continue
            if child is not None and follows < _LINKS_MAX:
                steps = self._steps(child)
                if steps is not None:
                    follows += 1
                    if steps and not steps[-1]:  # absolute
                        del above[1:]
                    parts += steps
                    continue
            made = parent.children[part] = _Directory()
            if child is not None:
                self._bury(child)
            self._implied += 1
            if self._implied > _DIRECTORIES_MAX:
                raise InvalidLayer(f"the image has more than {_DIRECTORIES_MAX} directories")
            above.append(made)
        return above[-1]

    def _steps(self, index: int) -> list[str] | None:
        """Return the way that a symbolic link of this layer leads, the first step last."""
        entry = self._entries[index]
        if index < self._first or entry.kind != "symlink" or not entry.target:
            return None
        if len(entry.target) > _TARGET_CHARACTERS:
            return None
        return entry.target.split("/")[::-1]
