# SPDX-License-Identifier: Apache-2.0
"""Compiles modules with a given interpreter, in batches that never depend on the machine.

``marshal`` writes what it sees: which strings are shared depends on what the process did before.
So a batch is a fixed run of the sorted modules, compiled in that order by a process forked for it,
with hash seed 0. How many batches run at once then changes nothing (traps §2).
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock

from wheelship.bytecode.process import Batch, Interpreter, InterpreterProcess

__all__ = ["Compiler", "Module", "pyc_path"]

_BATCH_MODULES = 512
_BATCH_BYTES = 2 * 1024 * 1024
_LARGE_BYTES = 256 * 1024
"""Batches with a module this large take turns: the largest of torch, 1.4 MB, needs 83 MB of memory
to compile, and a build is to need at most 300 MB whatever the wheel (DESIGN §9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A source file: ``path`` is where it lies in a layer, ``read`` gives its bytes."""

    path: str
    read: Callable[[], bytes]


class Compiler:
    """Runs at most ``jobs`` interpreters at once; may be used by several threads."""

    def __init__(self, interpreter: Interpreter, jobs: int) -> None:
        self._interpreter = interpreter
        self._jobs = jobs
        self._turn = Lock()
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="compile")
        self._idle: SimpleQueue[InterpreterProcess] = SimpleQueue()

    def close(self) -> None:
        """Stop; batches that did not begin are dropped."""
        self._pool.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()

    def compile(self, modules: Iterable[Module]) -> Iterator[tuple[str, bytes]]:
        """Yield ``(path of the .pyc, its bytes)`` for each module that compiles, in their order.

        No more batches are held in memory than there are jobs.

        Raises:
            CompilerFailed: the interpreter could not be run.
        """
        waiting: deque[Future[list[tuple[str, bytes]]]] = deque()
        for batch in _batches(modules):
            waiting.append(self._pool.submit(self._run, batch))
            if len(waiting) >= self._jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    def _run(self, batch: Batch) -> list[tuple[str, bytes]]:
        large = any(len(source) >= _LARGE_BYTES for _, source in batch)
        with self._turn if large else nullcontext():
            answers = self._compile(batch)
        return [
            (pyc_path(path, self._interpreter.tag), pyc)
            for (path, _), pyc in zip(batch, answers, strict=True)
            if pyc is not None
        ]

    def _compile(self, batch: Batch) -> list[bytes | None]:
        try:
            process = self._idle.get_nowait()
        except Empty:
            # -B: the interpreter's directory stays as it was found, for its next user checks it.
            process = InterpreterProcess(self._interpreter, "-B")
        try:
            answers = process.compile(batch)
        except BaseException:
            process.close()
            raise
        self._idle.put(process)
        return answers


def pyc_path(path: str, tag: str) -> str:
    """Return where the bytecode of the module at ``path`` belongs (PEP 3147)."""
    directory, name = posixpath.split(path)
    return posixpath.join(directory, "__pycache__", f"{name.removesuffix('.py')}.{tag}.pyc")


def _batches(modules: Iterable[Module]) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for module in modules:
        source = module.read()
        batch.append((module.path, source))
        size += len(source)
        if len(batch) >= _BATCH_MODULES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
