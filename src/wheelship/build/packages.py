# SPDX-License-Identifier: Apache-2.0
"""The Debian packages of a base, inflated and joined once per build, whoever asks.

The base's layer and the interpreter that compiles are the same packages; inflating and reading them
takes a second and a half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from wheelship.archive.entry import Entry
from wheelship.build.context import BuildContext
from wheelship.debian.lock import DebianLock, LockedPackage
from wheelship.events import Emit, Event, discard

if TYPE_CHECKING:
    from wheelship.debian.base import Base
    from wheelship.debian.maintainer import ScriptWaiver

__all__ = ["BasePackages", "packages_of_base"]

_Key = tuple[tuple[str, ...], tuple["ScriptWaiver", ...]]


@dataclass(frozen=True, slots=True)
class _Joined:
    base: Base
    events: tuple[Event, ...]


class BasePackages:
    """Keeps what it joined until :meth:`close`; safe for several threads."""

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._stack = ExitStack()
        self._lock = Lock()
        self._joined: dict[_Key, _Joined] = {}

    def close(self) -> None:
        """Remove the inflated packages."""
        self._stack.close()

    def entries(
        self, lock: DebianLock, waivers: Sequence[ScriptWaiver] = (), emit: Emit = discard
    ) -> Iterator[Entry]:
        """Yield the entries of the base layer; ``emit`` gets the warnings about its packages.

        Raises:
            WheelshipError: see :func:`~wheelship.debian.base.join_packages`.
        """
        packages = packages_of_base(lock)
        key = (tuple(one.sha256 for one in packages), tuple(waivers))
        with self._lock:
            if key not in self._joined:
                self._joined[key] = self._join(lock, packages, waivers)
            joined = self._joined[key]
        for event in joined.events:
            emit(event)
        return joined.base.entries("base")

    def _join(
        self, lock: DebianLock, packages: list[LockedPackage], waivers: Sequence[ScriptWaiver]
    ) -> _Joined:
        from wheelship.debian.base import join_packages

        events: list[Event] = []
        work = self._stack.enter_context(self._context.store.work_directory())
        self._context.artifacts.prefetch(packages)
        debs = [(one, self._context.artifacts.path(one)) for one in packages]
        base = join_packages(debs, lock.release, work, waivers=waivers, emit=events.append)
        return _Joined(base, tuple(events))


def packages_of_base(lock: DebianLock) -> list[LockedPackage]:
    """Return the packages of the base itself, without the system packages asked for."""
    return [package for package in lock.packages if package.group == "base"]
