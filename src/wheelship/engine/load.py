# SPDX-License-Identifier: Apache-2.0
"""Streams an archive into an engine: works with every engine, and moves every byte each time."""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from wheelship.engine.client import Client, reason_of

if TYPE_CHECKING:  # collections.abc.Buffer is Python 3.12's
    from _typeshed import ReadableBuffer as Buffer

__all__ = ["load_archive"]


def load_archive(
    client: Client, write: Callable[[BinaryIO], None], advance: Callable[[int], None]
) -> str:
    """Let ``write`` write into ``docker load`` or ``podman load``; return how it named the image.

    ``advance`` is told how many bytes went through the pipe.

    Raises:
        DockerFailed, PodmanFailed: it did not take the image.
        DockerMissing, PodmanMissing: the client cannot be executed.
        WheelshipError: what ``write`` raises.
    """
    with tempfile.TemporaryFile() as said:
        process = client.start("load", stdin=subprocess.PIPE, stdout=said, stderr=said)
        with process as load:
            pipe = cast("BinaryIO", load.stdin)
            with suppress(BrokenPipeError):  # what the engine has to say about it says more
                write(cast("BinaryIO", _Counted(pipe, advance)))
            with suppress(BrokenPipeError):
                pipe.close()
            status = load.wait()
        said.seek(0)
        text = said.read().decode(errors="replace")
    # "Loaded image: name:tag", or "Loaded image ID: sha256:…" when the archive names none
    label, _, known = (text.strip().splitlines() or [""])[-1].partition(": ")
    if status != 0 or not label.startswith("Loaded image"):
        raise client.failed(f"`{client.program} load` failed: {reason_of(text)}")
    return known


class _Counted(io.RawIOBase):
    """A pipe that reports what is written to it."""

    def __init__(self, pipe: BinaryIO, advance: Callable[[int], None]) -> None:
        super().__init__()
        self._pipe, self._advance = pipe, advance

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        size = memoryview(data).nbytes
        self._pipe.write(data)
        self._advance(size)
        return size
