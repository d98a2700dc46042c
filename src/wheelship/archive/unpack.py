# SPDX-License-Identifier: Apache-2.0
"""Unpacks layers into one directory, as a container engine would see them stacked.

Implements image-spec, layer.md (whiteouts, replacement of paths), for layers that nobody vouches
for: every step of every path is opened relative to its parent's descriptor and no symbolic link is
ever followed, so nothing outside the directory can be read, written or removed. The shapes that
containerd's ``TestBreakouts`` collects are tests of this module.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wheelship.archive.beneath import Beneath, open_directory, remove
from wheelship.archive.untar import InvalidLayer, LayerFile, LayerReader
from wheelship.errors import MachineError

__all__ = ["Limits", "Skipped", "UnpackFailed", "Unpacked", "remove_tree", "unpack"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_BITS = 0o1777  # setuid and setgid are dropped, sticky stays
_WHILE_FILLING = 0o700
_DEPTH_MAX = 128  # one descriptor is open per step
_UNREPRESENTABLE = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
_SKIPPED = {
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "named pipe",
}


class UnpackFailed(MachineError):
    """This machine could not hold the unpacked image."""

    code = "unpack-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one image may unpack to; ``bytes`` counts its tar streams."""

    bytes: int = 64 * 1024**3
    entries: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was left out on purpose."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What :func:`unpack` did."""

    entries: int
    bytes: int
    skipped: tuple[Skipped, ...]


def unpack(
    layers: Iterable[LayerFile],
    root: Path,
    *,
    reader: tuple[int, int] | None,
    limits: Limits | None = None,
    advance: Callable[[int], None] | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> Unpacked:
    """Unpack ``layers``, lowest first, into the existing empty directory ``root``.

    With ``reader=None`` (for root only) owners are kept. Otherwise everything belongs to the
    current user, and ``reader`` is the ``(uid, gid)`` that will look at the files *as their
    owner*: the owner's permission bits become those that this user and group have in the image,
    so that what the service may not read in a container it cannot read here either.

    ``wanted`` says by path which regular files are written, for whoever needs a part of the image;
    a hard link to one that is not is left out too, and nothing of this is listed as skipped.

    ``advance`` is called with the number of tar bytes read since its last call. After a failure
    ``root`` holds rubbish; :func:`remove_tree` removes it.

    Raises:
        InvalidLayer: a layer is damaged, breaks image-spec, or tries to leave ``root``.
        UnsupportedLayer: a layer is compressed with zstd.
        UnpackFailed: this machine refused to write.
    """
    limits = limits or Limits()
    entries = done = 0
    with _Tree(root, reader, wanted) as tree:
        for layer in layers:
            tree.begin_layer()
            with LayerReader(layer, limit_bytes=limits.bytes - done) as stream:
                reported = 0
                for header in stream.members():
                    entries += 1
                    if entries > limits.entries:
                        raise InvalidLayer(f"the image has more than {limits.entries} entries")
                    with _blamed_on(header.name, root):
                        tree.apply(header, stream)
                    if advance is not None:
                        advance(stream.tell() - reported)
                        reported = stream.tell()
                done += stream.tell()
        with _blamed_on(".", root):
            tree.finish()
        return Unpacked(entries=entries, bytes=done, skipped=tuple(tree.skipped))


def remove_tree(path: Path) -> None:
    """Remove what :func:`unpack` wrote, directories without permissions included."""
    path.chmod(_WHILE_FILLING)
    for directory, names, _ in os.walk(path):
        for child in (Path(directory, name) for name in names):
            if not child.is_symlink():
                child.chmod(_WHILE_FILLING)
    shutil.rmtree(path)


class _Tree:
    """The directory being filled."""

    def __init__(
        self,
        root: Path,
        reader: tuple[int, int] | None,
        wanted: Callable[[str], bool] | None = None,
    ) -> None:
        self._reader = reader
        self._wanted = wanted
        self._unwanted: set[str] = set()
        self._below = Beneath(root)
        self._made: set[str] = set()
        self._modes: dict[str, int] = {}
        self.skipped: list[Skipped] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._below.__exit__(kind, error, trace)

    def begin_layer(self) -> None:
        """What exists from now on belongs to lower layers and may be replaced."""
        self._made.clear()
        self._unwanted.clear()

    def apply(self, header: tarfile.TarInfo, stream: LayerReader) -> None:
        """Make the entry of ``header``, or remove what it whites out."""
        parts = _parts(header.name)
        if not parts:
            if header.isdir():
                self._modes[""] = self._seen(header.mode, header.uid, header.gid)
            return
        parents, name = parts[:-1], parts[-1]
        if name.startswith(_WHITEOUT):
            self._white_out(parents, name)
        elif header.type in _SKIPPED:
            self.skipped.append(Skipped("/".join(parts), f"{_SKIPPED[header.type]}s are not made"))
        elif header.issparse() or not (
            header.isreg() or header.isdir() or header.issym() or header.islnk()
        ):
            raise InvalidLayer(f"holds an entry of type {header.type!r}")
        else:
            if len(parents) > _DEPTH_MAX:
                raise InvalidLayer(f"is more than {_DEPTH_MAX} directories deep")
            parent = self._below.enter(parents, self._make_parent)
            self._claim(parents)
            self._make(parent, name, "/".join(parts), header, stream)

    def finish(self) -> None:
        """Give every directory its own permissions, which may lock us out: the deepest first."""
        for path in sorted(self._modes, reverse=True):
            directory = self._below.find(tuple(path.split("/")) if path else ())
            if directory is not None:
                os.fchmod(directory, self._modes[path])

    def _make(
        self, parent: int, name: str, path: str, header: tarfile.TarInfo, stream: LayerReader
    ) -> None:
        exists = self._clear_way(parent, name, path, for_directory=header.isdir())
        if self._is_unwanted(path, header):
            self._unwanted.add(path)
            return
        if header.islnk():  # owner and mode are those of the file it names
            self._link(parent, name, header.linkname)
            self._made.add(path)
            return
        self._made.add(path)
        if header.isdir():
            if not exists:
                os.mkdir(name, _WHILE_FILLING, dir_fd=parent)
            self._modes[path] = self._seen(header.mode, header.uid, header.gid)
        elif header.issym():
            if not header.linkname or "\0" in header.linkname:
                raise InvalidLayer("is a symbolic link to nothing")
            os.symlink(header.linkname, name, dir_fd=parent)
        else:
            file = os.open(name, _FILE_FLAGS, _WHILE_FILLING, dir_fd=parent)
            with open(file, "wb") as output:  # noqa: PTH123 - a descriptor, not a path
                output.writelines(stream.content(header))
                output.flush()
                if self._reader is None:
                    os.fchown(file, header.uid, header.gid)
                os.fchmod(file, self._seen(header.mode, header.uid, header.gid))
                os.utime(file, (header.mtime, header.mtime))
            return
        if self._reader is None:
            os.chown(name, header.uid, header.gid, dir_fd=parent, follow_symlinks=False)

    def _is_unwanted(self, path: str, header: tarfile.TarInfo) -> bool:
        if self._wanted is None:
            return False
        if header.islnk():
            return "/".join(_parts(header.linkname)) in self._unwanted
        return header.isreg() and not self._wanted(path)

    def _clear_way(self, parent: int, name: str, path: str, *, for_directory: bool) -> bool:
        """Remove what a lower layer has at ``path``; true if a directory stays and is reused."""
        try:
            found = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            return False
        if for_directory and stat.S_ISDIR(found.st_mode):
            return True
        if path in self._made:
            raise InvalidLayer("is in one layer twice")
        remove(parent, name)
        return False

    def _link(self, parent: int, name: str, target: str) -> None:
        steps = _parts(target)
        # Docker and containerd refuse links into lower layers (traps §1.1).
        if not steps or "/".join(steps) not in self._made:
            raise InvalidLayer(f"is a hard link to {target!r}, which is not earlier in its layer")
        parent = os.dup(parent)
        try:
            source = self._below.find(steps[:-1])
            if source is None or stat.S_ISDIR(os.lstat(steps[-1], dir_fd=source).st_mode):
                raise InvalidLayer(f"is a hard link to {target!r}, which is no file")
            os.link(steps[-1], name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)

    def _white_out(self, parents: tuple[str, ...], name: str) -> None:
        hidden = name.removeprefix(_WHITEOUT)
        if name != _OPAQUE and name.startswith(_AUFS):
            self.skipped.append(Skipped("/".join((*parents, name)), "aufs bookkeeping"))
            return
        if hidden in ("", ".", ".."):
            raise InvalidLayer("is a whiteout of nothing")
        parent = self._below.find(parents)
        if parent is None:
            return
        if name == _OPAQUE:
            self._remove_lower(parent, parents)
        else:
            self._remove_lower(parent, parents, only=hidden)

    def _remove_lower(self, directory: int, path: tuple[str, ...], *, only: str = "") -> None:
        """Remove what lower layers left in ``directory``; this layer's own entries stay."""
        for name in os.listdir(directory):
            if only and name != only:
                continue
            child = (*path, name)
            if "/".join(child) not in self._made:
                remove(directory, name)
                continue
            inner = open_directory(directory, name)
            if inner is not None:
                try:
                    self._remove_lower(inner, child)
                finally:
                    os.close(inner)

    def _make_parent(self, directory: int, name: str, path: str) -> None:
        # Stacked by an engine, the directory would hide whatever a lower layer has in its place;
        # the layer's own link can only be there to lead us elsewhere.
        if path in self._made:
            raise InvalidLayer(f"would be written through {path!r}, which is no directory")
        self._clear_way(directory, name, path, for_directory=False)
        os.mkdir(name, _WHILE_FILLING, dir_fd=directory)
        self._claim(tuple(path.split("/")))
        self._modes[path] = self._seen(0o755, 0, 0)

    def _claim(self, parents: tuple[str, ...]) -> None:
        """Keep the parents of what this layer makes from its own whiteouts."""
        if "/".join(parents) not in self._made:
            self._made.update("/".join(parents[: depth + 1]) for depth in range(len(parents)))

    def _seen(self, mode: int, uid: int, gid: int) -> int:
        mode &= _KEPT_BITS
        if self._reader is None or uid == self._reader[0]:
            return mode
        shift = 3 if gid == self._reader[1] else 0
        return mode & ~0o700 | (mode >> shift & 0o007) << 6


def _parts(name: str) -> tuple[str, ...]:
    """Split a path inside a layer; the root itself is empty.

    Raises:
        InvalidLayer: the path is absolute, climbs, or cannot be a path at all.
    """
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if not name or name.startswith("/") or ".." in parts or "\0" in name:
        raise InvalidLayer(f"names the path {name!r}, which does not stay inside the image")
    return parts


@contextmanager
def _blamed_on(path: str, root: Path) -> Iterator[None]:
    """Say which entry a refusal is about, and tell the layer's faults from the machine's."""
    try:
        yield
    except InvalidLayer as error:
        raise InvalidLayer(f"{path!r}: {error.message}", where=error.where) from error
    except OSError as error:
        if error.errno in _UNREPRESENTABLE:
            raise InvalidLayer(f"{path!r} cannot be a path: {error.strerror}") from error
        raise UnpackFailed(
            f"cannot write {path!r}: {error.strerror}",
            where=str(root),
            hint="free some space, or choose another store: --store DIR",
        ) from error
