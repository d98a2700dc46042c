# SPDX-License-Identifier: Apache-2.0
"""Directories below one root, reached by descriptors only, so that no link can lead out of it.

The portable form of openat2's ``RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS``, which Python does not
offer and seccomp filters of older engines refuse.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Beneath", "open_directory", "remove"]

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_A_DIRECTORY = (errno.ENOTDIR, errno.ELOOP)  # a file, a symbolic link


class Beneath:
    """Opens directories below ``root``; a context manager.

    Keeps one descriptor open per step of the path entered last, so that a run of neighbours costs
    one open file and not one per step. A descriptor it returns is valid until the next call.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FLAGS)
        self._steps: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(0)
        os.close(self._root)

    def enter(self, parts: tuple[str, ...], make: Callable[[int, str, str], None]) -> int:
        """Open ``parts``; ``make(parent, name, path)`` must make each missing directory."""
        common = 0
        for (step, _), name in zip(self._steps, parts, strict=False):
            if step != name:
                break
            common += 1
        self._leave(common)
        for depth in range(common, len(parts)):
            name, current = parts[depth], self._last
            inner = open_directory(current, name)
            if inner is None:
                make(current, name, "/".join(parts[: depth + 1]))
                inner = os.open(name, _FLAGS, dir_fd=current)
            self._steps.append((name, inner))
        return self._last

    def find(self, parts: Iterable[str]) -> int | None:
        """Open ``parts``, or return None when a step is missing or no directory."""
        self._leave(0)
        for name in parts:
            inner = open_directory(self._last, name)
            if inner is None:
                return None
            self._steps.append((name, inner))
        return self._last

    @property
    def _last(self) -> int:
        return self._steps[-1][1] if self._steps else self._root

    def _leave(self, depth: int) -> None:
        for _, descriptor in self._steps[depth:]:
            os.close(descriptor)
        del self._steps[depth:]


def open_directory(parent: int, name: str) -> int | None:
    """Open the directory ``name``; None when there is none, a link to one included."""
    try:
        return os.open(name, _FLAGS, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _NOT_A_DIRECTORY:
            return None
        raise


def remove(parent: int, name: str) -> None:
    """Remove ``name`` whatever it is; links are removed, never followed."""
    try:
        os.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=parent)
