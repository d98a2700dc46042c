# SPDX-License-Identifier: Apache-2.0
"""One interpreter of the image, kept running: a batch of sources in, their bytecode out."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from wheelship.bytecode import worker
from wheelship.errors import MachineError

__all__ = ["Batch", "CompilerFailed", "Interpreter", "InterpreterProcess", "warm_up"]

Batch: TypeAlias = list[tuple[str, bytes]]
"""Sources by the path at which they lie in a layer."""

_WORKER = Path(worker.__file__)
_SIZE = struct.Struct("<I")


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


class InterpreterProcess:
    """A started interpreter; one batch at a time. ``options`` are further ones of Python.

    Raises:
        CompilerFailed: it cannot be started.
    """

    def __init__(self, interpreter: Interpreter, *options: str) -> None:
        self._interpreter = interpreter
        # Not -I: that would also ignore the hash seed; the environment is ours from end to end.
        flags = [*options, "-s", "-S", "-P", "-X", "utf8"]
        command = [*interpreter.command, *flags, str(_WORKER)]
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        try:
            self._process = subprocess.Popen(  # the image's own interpreter, by absolute path
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**dict(interpreter.environment), "PYTHONHASHSEED": "0"},
            )
        except OSError as error:
            self._errors.close()
            raise self._failure(f"cannot be started: {error.strerror}") from error

    def compile(self, batch: Batch) -> list[bytes | None]:
        """Return the bytes of each module's .pyc, None for what does not compile.

        Raises:
            CompilerFailed: the interpreter ended, or did not answer as the worker does.
        """
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(_SIZE.pack(len(batch)) + b"".join(map(_frame, batch)))
            self._process.stdin.flush()
            return [self._answer() for _ in batch]
        except (BrokenPipeError, EOFError) as error:
            raise self._ended() from error

    def close(self) -> None:
        """End the interpreter; safe to call twice."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self._process.wait()
        self._errors.close()

    def _answer(self) -> bytes | None:
        (size,) = _SIZE.unpack(self._read(_SIZE.size))
        return None if size == worker.FAILED else self._read(size)

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        data = self._process.stdout.read(size)
        if len(data) != size:
            raise EOFError
        return data

    def _ended(self) -> CompilerFailed:
        status = self._process.wait()
        if status == 0:
            return self._failure("did not answer with bytecode")
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return self._failure(f"ended with status {status}: {lines[-1] if lines else 'no message'}")

    def _failure(self, what: str) -> CompilerFailed:
        return CompilerFailed(
            f"the image's Python {self._interpreter.python} {what}",
            where=self._interpreter.command[0],
            hint='build without bytecode: bytecode = "none" in [tool.wheelship]',
        )


def warm_up(interpreter: Interpreter) -> None:
    """Let the interpreter keep the bytecode of what it imports itself: it is started many times.

    Raises:
        CompilerFailed: it could not be run.
    """
    process = InterpreterProcess(interpreter)
    try:
        process.compile([("warm_up.py", b"")])
    finally:
        process.close()


def _frame(module: tuple[str, bytes]) -> bytes:
    path = f"/{module[0]}".encode()
    return struct.pack("<II", len(path), len(module[1])) + path + module[1]
