# SPDX-License-Identifier: Apache-2.0
"""Where a layout lies: in a directory, or in a tar file that is read in place."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Archive", "Folder", "Source", "open_source"]

DOCUMENT_BYTES = 4 * 1024 * 1024
"""Longer documents are refused by other readers (traps §1.2)."""


class Source(Protocol):
    """The files of a layout, by their path in it."""

    @property
    def problems(self) -> list[str]:
        """What is wrong with the container itself."""
        ...

    def names(self) -> Iterator[str]:
        """Yield the paths of all files, sorted."""
        ...

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None where there is no regular file."""
        ...

    def open(self, name: str) -> io.BufferedReader:
        """Open a file that :meth:`size` knows."""
        ...


class Folder:
    """A layout in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: list[str] = []

    def names(self) -> Iterator[str]:
        """Yield the paths of all files, sorted; what is neither file nor directory is a problem."""
        for path in sorted(self._root.rglob("*")):
            name = path.relative_to(self._root).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                self.problems.append(f"{name} is no regular file")
            elif path.is_file():
                yield name

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None where there is no regular file."""
        path = self._root / name
        try:
            return path.lstat().st_size if path.is_file() and not path.is_symlink() else None
        except OSError:
            return None

    def open(self, name: str) -> io.BufferedReader:
        """Open a file."""
        return (self._root / name).open("rb")


class Archive:
    """A layout in a tar file: ``oci-archive`` or ``docker-archive``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []
        self._members: dict[str, tarfile.TarInfo] = {}
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name in self._members:
                    self.problems.append(f"{name} stands in the archive twice")
                if name.startswith("/") or ".." in name.split("/"):
                    self.problems.append(f"{name!r} is no plain relative path of the archive")
                elif member.isreg():
                    self._members[name] = member
                elif not member.isdir():
                    self.problems.append(f"{name} is no regular file")

    def names(self) -> Iterator[str]:
        """Yield the paths of all files, sorted."""
        return iter(sorted(self._members))

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None where there is no regular file."""
        member = self._members.get(name)
        return None if member is None else member.size

    def open(self, name: str) -> io.BufferedReader:
        """Open a file."""
        member = self._members[name]
        return io.BufferedReader(_Part(self._path, member.offset_data, member.size))


def open_source(path: Path) -> Source:
    """Return the layout at ``path``.

    Raises:
        OSError, tarfile.TarError: it cannot be read.
    """
    return Folder(path) if path.is_dir() else Archive(path)


class _Part(io.RawIOBase):
    """A run of bytes of a file."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(offset)
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self._file.read(min(len(view), self._left))
        view[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
