# SPDX-License-Identifier: Apache-2.0
"""The open wheels of one build: each is hashed and its directory read once, whoever asks."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Lock

from wheelship.build.context import BuildContext
from wheelship.events import Warned
from wheelship.lock.model import LockedWheel
from wheelship.wheel.errors import WrongWheel
from wheelship.wheel.reader import Wheel, open_wheel

__all__ = ["WheelShelf"]


class WheelShelf:
    """Opens wheels on first use and keeps them until :meth:`close`; safe for several threads.

    torch's wheel is wanted for its layer, its bytecode and its device code. Hashing it takes 0.3 s
    and reading the headers of its 16 000 members another 0.4 s.
    """

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._stack = ExitStack()
        self._guard = Lock()
        self._turns: dict[tuple[str, bool], Lock] = {}
        self._open: dict[tuple[str, bool], Wheel] = {}

    def close(self) -> None:
        """Close all wheels."""
        self._stack.close()

    def wheel(self, locked: LockedWheel, *, waive_record: bool) -> Wheel:
        """Return the open wheel; a copy in the store that went bad is fetched once more.

        Raises:
            WrongWheel, InvalidWheel, RecordMismatch: it is not the locked one, or malformed.
        """
        key = (locked.sha256, waive_record)
        with self._guard:
            turn = self._turns.setdefault(key, Lock())
        with turn:
            if key not in self._open:
                wheel = self._opened(locked, waive_record=waive_record)
                if waive_record and not wheel.waived:
                    self._context.emit(
                        Warned(
                            "unused-waiver",
                            f"waive-record names {locked.name} {locked.version}, whose RECORD is"
                            " right",
                            hint="remove it",
                        )
                    )
                self._open[key] = wheel
            return self._open[key]

    def _opened(self, locked: LockedWheel, *, waive_record: bool) -> Wheel:
        def entered(path: Path) -> Wheel:
            opened: AbstractContextManager[Wheel] = open_wheel(
                path, locked.filename, sha256=locked.sha256, waive_record=waive_record
            )
            wheel = opened.__enter__()
            with self._guard:
                self._stack.push(opened.__exit__)
            return wheel

        artifacts = self._context.artifacts
        path = artifacts.path(locked)
        try:
            return entered(path)
        except WrongWheel:
            if path != self._context.store.download(locked.sha256):
                raise
            return entered(artifacts.replace(locked))
