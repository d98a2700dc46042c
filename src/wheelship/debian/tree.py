# SPDX-License-Identifier: Apache-2.0
"""Packages joined into one tree of paths, as dpkg would leave them on a merged-/usr system."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from wheelship.archive.entry import Directory, Entry, File, Hardlink, Streamed, Symlink
from wheelship.debian.errors import InvalidDeb, PackagePathConflict
from wheelship.debian.layout import Layout
from wheelship.debian.member import Member
from wheelship.debian.package import DebPackage

__all__ = ["Node", "Tree"]

_SETID_BITS = 0o6000
_GROUP_WRITE = 0o020


@dataclass(frozen=True, slots=True)
class Node:
    """A path of the tree: its entry and the package it belongs to, empty for wheelship's own.

    ``made`` says that no package holds it: it stands in for a maintainer script, or is our own.
    """

    entry: Entry
    owner: str
    made: bool = False


class Tree:
    """Paths by name, and beside them what packages bring but the image leaves out.

    Maintainer scripts use some of what is left out, so both can be found. ``below`` is the tree
    this one will lie upon as a layer: what it holds can be found too and must not be claimed again,
    except that a package may bring what has only been made there.
    """

    def __init__(self, layout: Layout, below: Tree | None = None) -> None:
        self._layout = layout
        self._below = below
        self._nodes: dict[str, Node] = {}
        self._hardlinks: list[tuple[str, Member, DebPackage]] = []
        self._omitted: dict[str, Node] = {}

    def get(self, path: str) -> Node | None:
        """Return what will be at ``path`` in the image."""
        found = self._nodes.get(path)
        return self._below.get(path) if found is None and self._below is not None else found

    def find(self, path: str) -> Node | None:
        """Return what is at ``path``, left out of the image or not."""
        return self.get(path) or self._omitted.get(path)

    def nodes(self) -> dict[str, Node]:
        """Return the nodes of this tree, without those of the tree below, sorted by path."""
        return {path: self._nodes[path] for path in sorted(self._nodes)}

    def everything(self) -> Iterator[Node]:
        """Yield all nodes of this tree, those left out of the image too, in no order."""
        yield from self._nodes.values()
        yield from self._omitted.values()

    def put(self, entry: Entry, owner: str = "") -> None:
        """Add what no package holds.

        Raises:
            PackagePathConflict: a package claims the path, and not both are directories.
        """
        self._insert(self._nodes, Node(entry, owner, made=True))

    def add_package(self, package: DebPackage) -> None:
        """Add everything that ``package`` installs.

        Raises:
            PackagePathConflict: another package claims one of its paths.
        """
        for member in package.members:
            if self._is_alias(member):
                continue
            path = self._layout.real(member.path)
            if member.kind == "hardlink":
                self._hardlinks.append((path, member, package))
            else:
                self._place(package, path, member)

    def finish_packages(self) -> None:
        """Turn hard links into entries; called once, after the last package.

        Raises:
            InvalidDeb: a hard link leads to nothing.
        """
        for path, member, package in self._hardlinks:
            target = self._layout.real(member.target)
            original = self.find(target)
            if original is None or not isinstance(original.entry, File):
                raise InvalidDeb(
                    f"the hard link {path!r} leads to {target!r}, which is no file",
                    where=package.locked.filename,
                )
            self._add(package.locked.name, replace(original.entry, path=path))
        self._merge_hardlinks()

    def check_parents(self) -> None:
        """See that everything stands below directories.

        Raises:
            PackagePathConflict: something stands below a file or a link.
        """
        for path, node in self._nodes.items():
            for parent in _parents(path):
                above = self.get(parent)
                if above is not None and not isinstance(above.entry, Directory):
                    raise PackagePathConflict(
                        f"/{path} of {node.owner or 'the image'} would lie below /{parent} of"
                        f" {above.owner or 'the image'}, which is no directory",
                        where=node.owner,
                    )

    def _is_alias(self, member: Member) -> bool:
        """Tell whether a package brings an alias itself, as base-files of trixie does."""
        aliases = self._layout.aliases
        if member.kind != "symlink" or member.path not in aliases:
            return False
        target = posixpath.join("/", posixpath.dirname(member.path), member.target)
        return posixpath.normpath(target) == f"/{aliases[member.path]}"

    def _place(self, package: DebPackage, path: str, member: Member) -> None:
        mode, name = _mode(member), package.locked.name
        match member.kind:
            case "directory":
                self._add(name, Directory(path=path, mode=mode))
            case "symlink":
                self._add(name, Symlink(path=path, target=member.target))
            case _:
                content = Streamed(member.size_bytes, _reader(package, member))
                self._add(name, File(path=path, mode=mode, content=content))

    def _add(self, owner: str, entry: Entry) -> None:
        omitted = self._layout.omits(
            owner,
            entry.path,
            is_link=isinstance(entry, Symlink),
            is_directory=isinstance(entry, Directory),
        )
        self._insert(self._omitted if omitted else self._nodes, Node(entry, owner))

    def _insert(self, nodes: dict[str, Node], node: Node) -> None:
        path = node.entry.path
        present = nodes.get(path)
        if present is None and nodes is self._nodes:
            present = self._below.get(path) if self._below is not None else None
        if present is None or (present.made and not node.made):
            nodes[path] = node
        elif isinstance(present.entry, Directory) and isinstance(node.entry, Directory):
            nodes.setdefault(path, present)  # the first package's mode, in every layer
        else:
            raise PackagePathConflict(
                f"/{path} belongs to {present.owner or 'the image'} and to"
                f" {node.owner or 'the image'}",
                where=node.owner,
                hint="ask for only one of the two packages in `system-packages`",
            )

    def _merge_hardlinks(self) -> None:
        """Keep content that several paths share once: at the first of them, linked by the rest."""
        first: dict[int, str] = {}
        for path in sorted(self._nodes):
            entry = self._nodes[path].entry
            if isinstance(entry, File):
                original = first.setdefault(id(entry.content), path)
                if original != path:
                    link = Hardlink(path=path, target=original, mode=entry.mode)
                    self._nodes[path] = Node(link, self._nodes[path].owner)


def _reader(package: DebPackage, member: Member) -> Callable[[], Iterator[bytes]]:
    return partial(package.read, member)


def _mode(member: Member) -> int:
    """Return the mode without setuid and setgid; group rights of another group are not root's."""
    mode = member.mode & ~_SETID_BITS
    return mode & ~_GROUP_WRITE if member.gid else mode


def _parents(path: str) -> Iterator[str]:
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
