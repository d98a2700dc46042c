# SPDX-License-Identifier: Apache-2.0
"""How reading an image's layers is shown: by their numbers, and those read before in one line."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from wheelship.events import Advanced, Emit, Event, Finished, Started
from wheelship.oci.digest import Digest

__all__ = ["LayerReading"]

_CHARACTERS = 12  # of a digest, as in the tables


class LayerReading:
    """Passes events on; what is told of layers by digest becomes fit for people."""

    def __init__(self, emit: Emit, layers: Sequence[Digest]) -> None:
        self._emit = emit
        self._names = {
            str(digest): f"layer {number} ({digest.hex[:_CHARACTERS]})"
            for number, digest in enumerate(layers)
        }
        self._waiting: dict[str, Started] = {}
        self._reused = 0
        self._lock = Lock()

    def emit(self, event: Event) -> None:
        """Pass ``event`` on; may be called from any thread."""
        name = self._names.get(event.subject) if isinstance(event, _OF_LAYERS) else None
        if name is None or not isinstance(event, _OF_LAYERS) or event.step != "inspect":
            self._emit(event)
            return
        with self._lock:
            if isinstance(event, Started):
                # Nobody wants to see what was read before begin and end.
                self._waiting[name] = Started(event.step, name, event.total_bytes)
                return
            started = self._waiting.pop(name, None)
            if isinstance(event, Finished) and event.outcome == "reused":
                self._reused += 1
                return
            if started is not None:
                self._emit(started)
        if isinstance(event, Advanced):
            self._emit(Advanced(event.step, name, event.bytes))
        else:
            self._emit(Finished(event.step, name, event.outcome, event.detail))

    def end(self) -> None:
        """Say how many layers did not have to be read."""
        if self._reused:
            detail = f"{self._reused} of {len(self._names)} were read before"
            self._emit(Finished("inspect", "layers", "reused", detail))


_OF_LAYERS = (Started, Advanced, Finished)
