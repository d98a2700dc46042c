# SPDX-License-Identifier: Apache-2.0
"""Tools that several layers of one build share: open wheels, the interpreter, its compiler."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from threading import Lock

from wheelship.archive.entry import Entry, File
from wheelship.base.model import BaseImage
from wheelship.build.context import BuildContext
from wheelship.build.packages import BasePackages, packages_of_base
from wheelship.build.shelf import WheelShelf
from wheelship.bytecode.compiler import Compiler, Module
from wheelship.bytecode.process import Interpreter, warm_up
from wheelship.debian.effects import content_of
from wheelship.debian.lock import DebianLock
from wheelship.errors import InputError
from wheelship.events import Finished, Started
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import Foundation

__all__ = ["ForeignInterpreter", "Workshop"]

_OF_BUILD = "_sysconfigdata_"
"""Begins the name of the module that holds how Python was built, on which architecture."""

_NOT_LIBRARY = ("site-packages", "dist-packages", "test", "__pycache__")


class ForeignInterpreter(InputError):
    """Bytecode is wanted for an architecture whose interpreter this machine cannot run."""

    code = "foreign-interpreter"


class Workshop:
    """Makes each tool on first use and keeps it until :meth:`close`; safe for several threads.

    ``shelf`` holds the open wheels, ``packages`` the joined packages of Debian bases.
    """

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._lock = Lock()
        self.shelf = WheelShelf(context)
        self.packages = BasePackages(context)
        self._roots: dict[Digest, Path] = {}
        self._compilers: dict[Path, Compiler] = {}

    def close(self) -> None:
        """Stop all compilers, close all wheels, remove inflated packages."""
        for compiler in self._compilers.values():
            compiler.close()
        self.shelf.close()
        self.packages.close()

    def compiler(self, lock: Foundation, python: str) -> Compiler:
        """Return the compiler that runs the interpreter of ``lock``.

        Raises:
            ForeignInterpreter: it is of another architecture.
        """
        if not self._runs(lock):
            raise ForeignInterpreter(
                f"an interpreter for {_architecture(lock)} cannot run on {self._context.machine}",
                hint='set bytecode = "none", or build on a machine of that architecture',
            )
        with self._lock:
            root = self._root(lock, python)
            if root not in self._compilers:
                interpreter = _interpreter(root, lock, python)
                self._compilers[root] = Compiler(interpreter, self._context.jobs)
            return self._compilers[root]

    def standard_library(self, lock: Foundation, python: str) -> Iterator[Module]:
        """Yield the modules of the standard library as they lie in the base.

        Of an image only those for which it brings no bytecode, and none of its site-packages.
        Nothing of the base is run for that, so its architecture may be any. The one module that
        describes the architecture is left out: without it the layer has the same bytes on all of
        them, which saves 4 MB for each, and who imports it waits 3 ms.
        """
        modules = self._library(lock, python)
        return (one for one in modules if not posixpath.basename(one.path).startswith(_OF_BUILD))

    def _library(self, lock: Foundation, python: str) -> Iterator[Module]:
        if isinstance(lock, DebianLock) and not self._runs(lock):
            yield from _packaged(self.packages.entries(lock), python)
            return
        with self._lock:
            root = self._root(lock, python)
        if isinstance(lock, BaseImage):
            yield from _uncompiled(root, lock)
            return
        library = root / "usr" / "lib" / f"python{python}"
        for path in sorted(library.rglob("*.py")):
            if path.is_file() and not path.is_symlink():
                yield Module(path=path.relative_to(root).as_posix(), read=path.read_bytes)

    def _runs(self, lock: Foundation) -> bool:
        return _architecture(lock) == self._context.machine

    def _root(self, lock: Foundation, python: str) -> Path:
        key = _root_key(lock)
        if key not in self._roots:
            self._roots[key] = self._context.store.find_root(key) or self._unpack(key, lock, python)
        return self._roots[key]

    def _unpack(self, key: Digest, lock: Foundation, python: str) -> Path:
        emit, subject, store = self._context.emit, "interpreter", self._context.store
        emit(Started("bytecode", subject))
        with store.work_directory() as work:
            if isinstance(lock, BaseImage):
                # Not warmed up: what it left in its own tree would be taken for the base's.
                self._unpack_image(lock, work / "root")
            else:
                from wheelship.debian.interpreter import materialise

                (work / "root").mkdir()
                materialise(self.packages.entries(lock), work / "root")
                warm_up(_interpreter(work / "root", lock, python))
            root = store.put_root(key, work / "root")
        emit(Finished("bytecode", subject, "done"))
        return root

    def _unpack_image(self, image: BaseImage, root: Path) -> None:
        from wheelship.archive.unpack import unpack
        from wheelship.archive.untar import LayerFile
        from wheelship.engine.relocate import Relocated, unlock

        base = self._context.base
        assert base is not None  # noqa: S101 - a plan on an image comes with its layers
        layers = [LayerFile(path=base.path(one), diff_id=one.diff_id) for one in image.layers]
        root.mkdir()
        # As root of the image would read it. What compiling does not need stays packed.
        unpack(layers, root, reader=(0, 0), wanted=_interpreter_files(image))
        Relocated(root, {}, ()).prepare()
        for top, directories, files in os.walk(root):
            for path in (Path(top, name) for name in (*directories, *files)):
                if not path.is_symlink():
                    unlock(path)  # so that the store can read it, and prune it


def _architecture(lock: Foundation) -> str:
    return lock.platform.architecture if isinstance(lock, BaseImage) else lock.architecture


def _packaged(entries: Iterable[Entry], python: str) -> Iterator[Module]:
    """Yield the modules of the standard library among the entries of a base.

    In the order in which a directory is read: bytecode depends on what is compiled before it.
    """
    library = f"usr/lib/python{python}/"
    files = [
        one
        for one in entries
        if isinstance(one, File) and one.path.startswith(library) and one.path.endswith(".py")
    ]
    for file in sorted(files, key=lambda one: one.path.split("/")):
        yield Module(path=file.path, read=partial(content_of, file))


def _interpreter_files(image: BaseImage) -> Callable[[str], bool]:
    """Return whether a path is of the interpreter: programs, standard library, shared libraries."""
    programs = f"{image.python.path.strip('/').rpartition('/')[0]}/python"
    library = f"{image.python.library.strip('/')}/"

    def wanted(path: str) -> bool:
        if path.startswith(library):
            return path[len(library) :].partition("/")[0] not in _NOT_LIBRARY[:3]
        in_place = path.startswith((programs, "etc/ld.so.conf"))
        return in_place or ".so" in path.rpartition("/")[2]

    return wanted


def _root_key(lock: Foundation) -> Digest:
    if isinstance(lock, BaseImage):
        return Digest.of(canonical_json(["base image", 1, lock.files.hex]))
    return Digest.of(canonical_json([1, [package.sha256 for package in packages_of_base(lock)]]))


def _interpreter(root: Path, lock: Foundation, python: str) -> Interpreter:
    command, environment = _command(root, lock, python)
    return Interpreter(
        command=tuple(command), environment=tuple(sorted(environment.items())), python=python
    )


def _command(root: Path, lock: Foundation, python: str) -> tuple[list[str], dict[str, str]]:
    """Return how the interpreter is called in the unpacked base, and its whole environment."""
    if isinstance(lock, DebianLock):
        from wheelship.debian.interpreter import loader_command

        return loader_command(root, python)
    from wheelship.engine.relocate import Relocated

    variables = dict(lock.env)
    kept = {name: variables[name] for name in ("LD_LIBRARY_PATH",) if name in variables}
    command = Relocated(root, kept, ()).loader(lock.python.loader)
    prefix = lock.python.path.rpartition("/")[0].rpartition("/")[0]
    environment = {
        "PYTHONHOME": f"{root}{prefix}",
        "LC_ALL": "C",
        "PATH": os.defpath,
        # What it left in its own tree would be taken for the base's.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return [*command, f"{root}{lock.python.path}"], environment


def _uncompiled(root: Path, image: BaseImage) -> Iterator[Module]:
    library = Path(f"{root}{image.python.library}")
    tag = f"cpython-{image.python.minor.replace('.', '')}"
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).parts
        if parts[0] in _NOT_LIBRARY or not path.is_file() or path.is_symlink():
            continue
        if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists():
            yield Module(path=path.relative_to(root).as_posix(), read=path.read_bytes)
