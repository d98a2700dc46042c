# SPDX-License-Identifier: Apache-2.0
"""Compiles modules with a given interpreter, in batches that never depend on the machine.

``marshal`` writes what it sees: which strings are shared depends on what the process did before.
So a batch is a fixed run of the sorted modules, compiled in that order by one fresh process with
hash seed 0. How many batches run at once then changes nothing (traps §2).
"""

from __future__ import annotations

import posixpath
import struct
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from wheelship.bytecode import worker
from wheelship.errors import MachineError

__all__ = ["Compiler", "CompilerFailed", "Interpreter", "Module", "pyc_path"]

_BATCH_MODULES = 256
_BATCH_BYTES = 1024 * 1024
_LARGE_BYTES = 256 * 1024
"""Batches with a module this large take turns: the largest of torch, 1.4 MB, needs 83 MB of memory
to compile, and a build is to need at most 300 MB whatever the wheel (DESIGN §9)."""


class CompilerFailed(MachineError):
    """The interpreter of the image did not run on this machine."""

    code = "compiler-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How to run the image's Python on this machine; ``environment`` is all it gets."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    python: str

    @property
    def tag(self) -> str:
        """The cache tag in ``.pyc`` names."""
        return f"cpython-{self.python.replace('.', '')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A source file: ``path`` is where it lies in a layer, ``read`` gives its bytes."""

    path: str
    read: Callable[[], bytes]


_Batch = list[tuple[str, bytes]]


class Compiler:
    """Runs at most ``jobs`` interpreters at once; may be used by several threads."""

    def __init__(self, interpreter: Interpreter, jobs: int) -> None:
        self._interpreter = interpreter
        self._jobs = jobs
        self._turn = Lock()
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="compile")

    def close(self) -> None:
        """Stop; batches that did not begin are dropped."""
        self._pool.shutdown(cancel_futures=True)

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

    def _run(self, batch: _Batch) -> list[tuple[str, bytes]]:
        large = any(len(source) >= _LARGE_BYTES for _, source in batch)
        with self._turn if large else nullcontext():
            return self._compile(batch)

    def _compile(self, batch: _Batch) -> list[tuple[str, bytes]]:
        # Not -I: that would also ignore the hash seed; the environment is ours from end to end.
        command = [*self._interpreter.command, "-s", "-S", "-P", "-X", "utf8", str(_WORKER)]
        try:
            result = subprocess.run(  # the image's own interpreter, by absolute path
                command,
                input=b"".join(map(_frame, batch)),
                env={**dict(self._interpreter.environment), "PYTHONHASHSEED": "0"},
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise self._failure(f"cannot be started: {error.strerror}") from error
        if result.returncode != 0:
            lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
            last = lines[-1] if lines else "no message"
            raise self._failure(f"ended with status {result.returncode}: {last}")
        try:
            return list(_unframe(batch, result.stdout, self._interpreter.tag))
        except struct.error as error:
            raise self._failure("did not answer with bytecode") from error

    def _failure(self, what: str) -> CompilerFailed:
        return CompilerFailed(
            f"the image's Python {self._interpreter.python} {what}",
            where=self._interpreter.command[0],
            hint='build without bytecode: bytecode = "none" in [tool.wheelship]',
        )


_WORKER = Path(worker.__file__)


def pyc_path(path: str, tag: str) -> str:
    """Return where the bytecode of the module at ``path`` belongs (PEP 3147)."""
    directory, name = posixpath.split(path)
    return posixpath.join(directory, "__pycache__", f"{name.removesuffix('.py')}.{tag}.pyc")


def _batches(modules: Iterable[Module]) -> Iterator[_Batch]:
    batch: _Batch = []
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


def _frame(module: tuple[str, bytes]) -> bytes:
    path = f"/{module[0]}".encode()
    return struct.pack("<II", len(path), len(module[1])) + path + module[1]


def _unframe(batch: _Batch, data: bytes, tag: str) -> Iterator[tuple[str, bytes]]:
    at = 0
    for path, _ in batch:
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if size != worker.FAILED:
            (pyc,) = struct.unpack_from(f"{size}s", data, at)
            yield pyc_path(path, tag), pyc
            at += size
