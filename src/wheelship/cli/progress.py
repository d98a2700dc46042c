# SPDX-License-Identifier: Apache-2.0
"""Shows events on stderr: bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Self

from wheelship.cli.settings import Settings
from wheelship.cli.terminal import harmless
from wheelship.events import Advanced, Event, Finished, Started, Warned

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["ProgressView"]


class ProgressView:
    """A context manager whose :meth:`emit` may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bars = sys.stderr.isatty() and not settings.quiet and not settings.json
        self._lock = Lock()
        self._warned: set[Warned] = set()
        self._progress: Progress | None = None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._began: dict[tuple[str, str], float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def emit(self, event: Event) -> None:
        """Show ``event``."""
        with self._lock:
            if isinstance(event, Warned):
                if event in self._warned:
                    return  # of several images each has it
                self._warned.add(event)
                self._line(f"warning[{event.code}]: {event.message}")
                if event.hint:
                    self._line("  hint: " + event.hint.replace("\n", "\n        "))
            elif self._settings.quiet:
                return
            elif self._bars:
                self._bar(event)
            else:
                self._plain(event)

    def _plain(self, event: Event) -> None:
        if isinstance(event, Started):
            self._began[event.step, event.subject] = time.monotonic()
        elif isinstance(event, Finished):
            began = self._began.pop((event.step, event.subject), None)
            took = "" if began is None else f" ({time.monotonic() - began:.1f} s)"
            detail = f": {event.detail}" if event.detail else ""
            self._line(f"{event.step} {event.subject}: {event.outcome}{detail}{took}")

    def _bar(self, event: Event) -> None:
        progress = self._started()
        key = (event.step, event.subject) if not isinstance(event, Warned) else ("", "")
        if isinstance(event, Started):
            name = f"{event.step} {event.subject}"[:48]
            self._tasks[key] = progress.add_task(name, total=event.total_bytes)
        elif isinstance(event, Advanced) and key in self._tasks:
            progress.advance(self._tasks[key], event.bytes)
        elif isinstance(event, Finished) and key in self._tasks:
            progress.remove_task(self._tasks.pop(key))

    def _started(self) -> Progress:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                SpinnerColumn,
                TextColumn,
                TransferSpeedColumn,
            )

            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=Console(stderr=True, no_color=not self._settings.colored),
                transient=True,
            )
            self._progress.start()
        return self._progress

    def _line(self, text: str) -> None:
        text = harmless(text)
        if self._progress is not None:
            self._progress.console.print(text, markup=False, highlight=False)
        else:
            with suppress(OSError):  # a build does not depend on who listens
                sys.stderr.write(text + "\n")
