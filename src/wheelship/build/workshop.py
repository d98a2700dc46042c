# SPDX-License-Identifier: Apache-2.0
"""Tools that several layers of one build share: open wheels, the interpreter, its compiler."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from wheelship.build.context import BuildContext
from wheelship.build.shelf import WheelShelf
from wheelship.bytecode.compiler import Compiler, Module
from wheelship.bytecode.process import Interpreter
from wheelship.debian.lock import DebianLock
from wheelship.errors import InputError
from wheelship.events import Finished, Started
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest

__all__ = ["ForeignInterpreter", "Workshop"]


class ForeignInterpreter(InputError):
    """Bytecode is wanted for an architecture whose interpreter this machine cannot run."""

    code = "foreign-interpreter"


class Workshop:
    """Makes each tool on first use and keeps it until :meth:`close`; safe for several threads.

    ``shelf`` holds the open wheels.
    """

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._lock = Lock()
        self.shelf = WheelShelf(context)
        self._compilers: dict[Path, Compiler] = {}

    def close(self) -> None:
        """Stop all compilers, close all wheels."""
        for compiler in self._compilers.values():
            compiler.close()
        self.shelf.close()

    def compiler(self, lock: DebianLock, python: str) -> Compiler:
        """Return the compiler that runs the interpreter of ``lock``.

        Raises:
            ForeignInterpreter: it is of another architecture.
        """
        from wheelship.debian.interpreter import loader_command

        with self._lock:
            root = self._root(lock)
            if root not in self._compilers:
                command, environment = loader_command(root, python)
                interpreter = Interpreter(
                    command=tuple(command),
                    environment=tuple(sorted(environment.items())),
                    python=python,
                )
                self._compilers[root] = Compiler(interpreter, self._context.jobs)
            return self._compilers[root]

    def standard_library(self, lock: DebianLock, python: str) -> Iterator[Module]:
        """Yield the modules of the standard library as they lie in the base layer."""
        with self._lock:
            root = self._root(lock)
        library = root / "usr" / "lib" / f"python{python}"
        for path in sorted(library.rglob("*.py")):
            if path.is_file() and not path.is_symlink():
                yield Module(path=path.relative_to(root).as_posix(), read=path.read_bytes)

    def _root(self, lock: DebianLock) -> Path:
        if lock.architecture != self._context.machine:
            raise ForeignInterpreter(
                f"an image for {lock.architecture} cannot get bytecode on {self._context.machine}",
                hint='set bytecode = "none", or build on a machine of that architecture',
            )
        store = self._context.store
        packages = [package for package in lock.packages if package.group == "base"]
        key = Digest.of(canonical_json([1, [package.sha256 for package in packages]]))
        root = store.interpreter_root(key)
        if root.is_dir():
            return root
        from wheelship.debian.interpreter import unpack_root

        emit, subject = self._context.emit, "interpreter"
        emit(Started("bytecode", subject))
        debs = [(package, self._context.artifacts.path(package)) for package in packages]
        with store.work_directory() as work:
            unpack_root(debs, lock.release, work / "root")
            try:
                (work / "root").rename(root)
            except OSError:
                # Another build was first; its tree has the same content.
                if not root.is_dir():
                    raise
                shutil.rmtree(work / "root")
        emit(Finished("bytecode", subject, "done"))
        return root
