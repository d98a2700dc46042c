# SPDX-License-Identifier: Apache-2.0
"""The files of an image as its stacked layers show them, without unpacking anything.

Implements what image-spec, layer.md says about whiteouts and replaced paths, on names instead of a
disk: a layer is read once, and only facts about its files are kept.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from wheelship.archive.untar import InvalidLayer, LayerFile, LayerReader
from wheelship.base.elf import Binary, BinaryReader

__all__ = ["FileTree", "Node"]

Kind: TypeAlias = Literal["directory", "file", "link"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
_LINKS_MAX = 40  # as Linux
_ENTRIES_MAX = 2_000_000
_TEXT_BYTES = 256 * 1024
_TEXTS = ("etc/passwd", "etc/group")
_BINARIES = re.compile(
    r"python(?:3(?:\.\d{1,2})?)?|libpython3\.\d{1,2}\.so(?:\.\d+)*|libc\.so\.6|libc-2\.\d+\.so"
)
_DEVICES = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)


@dataclass(slots=True)
class Node:
    """One path. ``text`` is kept of the few files that are read, ``binary`` of the few programs."""

    kind: Kind
    target: str = ""
    sha256: str = ""
    text: bytes | None = None
    binary: Binary | None = None
    children: dict[str, Node] = field(default_factory=dict)
    layer: int = 0


class FileTree:
    """Filled layer by layer, lowest first; then asked. Paths have no leading slash."""

    def __init__(self) -> None:
        self._root = Node("directory")
        self._layer = 0
        self._entries = 0

    def add_layer(
        self, layer: LayerFile, *, limit_bytes: int, advance: Callable[[int], None] | None = None
    ) -> int:
        """Read the layer and return the size of its tar archive; its ``diff_id`` is proven.

        Raises:
            InvalidLayer: it is damaged, breaks image-spec, or exceeds ``limit_bytes``.
            UnsupportedLayer: it is packed in a way that cannot be read here.
        """
        self._layer += 1
        with LayerReader(layer, limit_bytes=limit_bytes) as stream:
            told = 0
            for header in stream.members():
                self._entries += 1
                if self._entries > _ENTRIES_MAX:
                    raise InvalidLayer(f"the image has more than {_ENTRIES_MAX} entries")
                self._apply(header, stream)
                if advance is not None:
                    advance(stream.tell() - told)
                    told = stream.tell()
            return stream.tell()

    def find(self, path: str) -> Node | None:
        """Return what is at ``path``, a link itself."""
        node: Node | None = self._root
        for step in _parts(path):
            node = node.children.get(step) if node is not None else None
        return node

    def resolve(self, path: str) -> tuple[str, Node] | None:
        """Follow every link; return the real path, and None where it leads nowhere."""
        pending = [step for step in path.split("/") if step not in ("", ".")][::-1]
        real: list[tuple[str, Node]] = []
        links = 0
        while pending:
            step = pending.pop()
            if step == "..":
                del real[-1:]
                continue
            node = (real[-1][1] if real else self._root).children.get(step)
            if node is None:
                return None
            if node.kind != "link":
                real.append((step, node))
                continue
            links += 1
            if links > _LINKS_MAX:
                return None
            if node.target.startswith("/"):
                real.clear()
            pending += [one for one in node.target.split("/") if one not in ("", ".")][::-1]
        return "/".join(step for step, _ in real), real[-1][1] if real else self._root

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Yield every path, sorted, each directory before what is in it."""
        pending = [("", self._root)]
        while pending:
            path, node = pending.pop()
            if path:
                yield path, node
            prefix = f"{path}/" if path else ""
            pending += [
                (prefix + name, node.children[name]) for name in sorted(node.children, reverse=True)
            ]

    def _apply(self, header: tarfile.TarInfo, stream: LayerReader) -> None:
        parts = _parts(header.name)
        if not parts:
            return
        path, name = "/".join(parts), parts[-1]
        if name.startswith(_WHITEOUT):
            self._white_out(parts[:-1], name)
            return
        if header.type in _DEVICES:
            return
        known = header.isreg() or header.isdir() or header.issym() or header.islnk()
        if not known or header.issparse():
            raise InvalidLayer(f"{path!r} is an entry of type {header.type!r}")
        parent = self._parent(parts[:-1])
        if header.isdir():
            there = parent.children.get(name)
            if there is not None and there.kind == "directory":
                there.layer = self._layer
            else:
                parent.children[name] = Node("directory", layer=self._layer)
        elif header.issym():
            parent.children[name] = Node("link", target=header.linkname, layer=self._layer)
        elif header.islnk():
            source = self.find(header.linkname)
            if source is None or source.kind == "directory":
                raise InvalidLayer(f"{path!r} is a hard link to {header.linkname!r}, no file")
            parent.children[name] = source
        else:
            parent.children[name] = self._read(path, header, stream)

    def _read(self, path: str, header: tarfile.TarInfo, stream: LayerReader) -> Node:
        digest = hashlib.sha256()
        name = path.rpartition("/")[2]
        reader = BinaryReader() if _BINARIES.fullmatch(name) else None
        text = bytearray() if path in _TEXTS and header.size <= _TEXT_BYTES else None
        for piece in stream.content(header):
            digest.update(piece)
            if reader is not None:
                reader.feed(piece)
            if text is not None:
                text += piece
        return Node(
            "file",
            sha256=digest.hexdigest(),
            text=None if text is None else bytes(text),
            binary=None if reader is None else reader.finish(),
            layer=self._layer,
        )

    def _parent(self, parts: tuple[str, ...]) -> Node:
        """Return the directory; what a lower layer has in its place it hides."""
        node = self._root
        for step in parts:
            inner = node.children.get(step)
            if inner is None or inner.kind != "directory":
                inner = node.children[step] = Node("directory", layer=self._layer)
            node = inner
        return node

    def _white_out(self, parents: tuple[str, ...], name: str) -> None:
        if name != _OPAQUE and name.startswith(_AUFS):
            return
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise InvalidLayer(f"{'/'.join((*parents, name))!r} is a whiteout of nothing")
        parent = self.find("/".join(parents))
        if parent is None or parent.kind != "directory":
            return
        for child in list(parent.children) if name == _OPAQUE else [hidden]:
            if child in parent.children and not self._only_mine(parent.children[child]):
                del parent.children[child]

    def _only_mine(self, node: Node) -> bool:
        """Take away what lower layers have below ``node``; tell whether something is left."""
        for name, child in list(node.children.items()):
            if not self._only_mine(child):
                del node.children[name]
        return node.layer == self._layer or bool(node.children)


def _parts(name: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise InvalidLayer(f"{name!r} is a path that does not stay inside the image")
    return parts
