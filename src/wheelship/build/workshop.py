# SPDX-License-Identifier: Apache-2.0
"""Tools that several layers of one build share: open wheels, the interpreter, its compiler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from wheelship.build.context import BuildContext
from wheelship.build.shelf import WheelShelf
from wheelship.bytecode.compiler import Compiler, Module
from wheelship.bytecode.process import Interpreter, warm_up
from wheelship.debian.lock import DebianLock, LockedPackage
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
        self._roots: dict[Digest, Path] = {}
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
        with self._lock:
            root = self._root(lock, python)
            if root not in self._compilers:
                self._compilers[root] = Compiler(_interpreter(root, python), self._context.jobs)
            return self._compilers[root]

    def standard_library(self, lock: DebianLock, python: str) -> Iterator[Module]:
        """Yield the modules of the standard library as they lie in the base layer."""
        with self._lock:
            root = self._root(lock, python)
        library = root / "usr" / "lib" / f"python{python}"
        for path in sorted(library.rglob("*.py")):
            if path.is_file() and not path.is_symlink():
                yield Module(path=path.relative_to(root).as_posix(), read=path.read_bytes)

    def _root(self, lock: DebianLock, python: str) -> Path:
        if lock.architecture != self._context.machine:
            raise ForeignInterpreter(
                f"an image for {lock.architecture} cannot get bytecode on {self._context.machine}",
                hint='set bytecode = "none", or build on a machine of that architecture',
            )
        packages = [package for package in lock.packages if package.group == "base"]
        key = Digest.of(canonical_json([1, [package.sha256 for package in packages]]))
        if key not in self._roots:
            found = self._context.store.find_root(key)
            self._roots[key] = found or self._unpack(key, lock.release, packages, python)
        return self._roots[key]

    def _unpack(
        self, key: Digest, release: str, packages: list[LockedPackage], python: str
    ) -> Path:
        from wheelship.debian.interpreter import unpack_root

        emit, subject, store = self._context.emit, "interpreter", self._context.store
        emit(Started("bytecode", subject))
        debs = [(package, self._context.artifacts.path(package)) for package in packages]
        with store.work_directory() as work:
            unpack_root(debs, release, work / "root")
            warm_up(_interpreter(work / "root", python))
            root = store.put_root(key, work / "root")
        emit(Finished("bytecode", subject, "done"))
        return root


def _interpreter(root: Path, python: str) -> Interpreter:
    from wheelship.debian.interpreter import loader_command

    command, environment = loader_command(root, python)
    return Interpreter(
        command=tuple(command), environment=tuple(sorted(environment.items())), python=python
    )
