# SPDX-License-Identifier: Apache-2.0
"""Finds the interpreter in the files of an image, and what else a plan must know about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, join

from wheelship.base.elf import Binary
from wheelship.base.errors import (
    BaseLacksPython,
    BaseOccupied,
    BaseTooOld,
    ForeignArchitecture,
    NotGlibc,
)
from wheelship.base.files import FileTree, Node
from wheelship.base.model import BasePython, Pairs
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest

__all__ = ["check_room", "find_python", "links_of"]

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OLDEST_GLIBC = (2, 17)  # manylinux2014 (PEP 599), the oldest tag that is still in use
_RESERVED = ("opt/venv", "opt/wheelship")
_LINK_DEPTH = 2
_NAMED = re.compile(r"python(3\.\d{1,2})")


def find_python(
    tree: FileTree, env: Pairs, python: str, *, architecture: str, reference: str
) -> BasePython:
    """Return the interpreter of the version ``python`` (``3.11``) that the image's PATH leads to.

    Raises:
        BaseLacksPython: there is none, or it cannot be told which version it is exactly.
        ForeignArchitecture, NotGlibc, BaseTooOld: wheels for the platform would not run on it.
    """
    variables = dict(env)
    directories = [one for one in variables.get("PATH", _DEFAULT_PATH).split(":") if one]
    found = next(_interpreters(tree, directories, python), None)
    if found is None:
        others = sorted({name for one in directories for name in _pythons(tree, one)})
        what = f"Python {' and '.join(others)}" if others else "no Python"
        raise BaseLacksPython(
            f"Python {python} is wanted, and PATH of the base image leads to {what}",
            where=reference,
            hint=f'python = "{others[-1]}"' if others else f'base = "python:{python}-slim"',
        )
    path, binary = found
    if binary.machine != architecture:
        raise ForeignArchitecture(
            f"its /{path} is a program for {binary.machine or 'an unknown machine'}, although the "
            f"image says {architecture}",
            where=reference,
            hint="choose a tag that is made for the platform",
        )
    library = _standard_library(tree, path, python, reference)
    shared = _shared_library(tree, path, binary, reference)
    version = _version(binary, shared, variables, python, reference)
    loader, glibc = _c_library(tree, binary, reference)
    programs = [tree.find(path), shared[1] if shared else None]
    hashes = [node.sha256 for node in programs if node is not None]
    return BasePython(
        path=f"/{path}",
        version=version,
        build=Digest.of(canonical_json(hashes)),
        library=f"/{library}",
        loader=loader,
        glibc=glibc,
    )


def links_of(tree: FileTree) -> Pairs:
    """Return the links close to the root that lead to directories, ``bin`` to ``usr/bin``."""
    found: list[tuple[str, str]] = []
    for path, node in tree.walk():
        if node.kind == "link" and path.count("/") < _LINK_DEPTH:
            real = tree.resolve(path)
            if real is not None and real[1].kind == "directory" and real[0]:
                found.append((path, real[0]))
    return tuple(found)


def check_room(tree: FileTree, reference: str) -> None:
    """See that nothing lies where wheelship puts its own files.

    Raises:
        BaseOccupied: something does.
    """
    for path in _RESERVED:
        for part in (dirname(path), path):
            node = tree.find(part)
            if node is not None and node.kind != "directory":
                raise BaseOccupied(
                    f"its /{part} is no directory, and wheelship needs /{path}", where=reference
                )
        node = tree.find(path)
        if node is not None and node.children:
            raise BaseOccupied(
                f"it has files in /{path} ({', '.join(sorted(node.children)[:5])}), and what is "
                "installed there would mix with them",
                where=reference,
                hint="choose the image that this one was made from as base",
            )


def _interpreters(
    tree: FileTree, directories: Iterable[str], python: str
) -> Iterator[tuple[str, Binary]]:
    names = (f"python{python}", "python3", "python")
    for directory in directories:
        for name in names:
            found = tree.resolve(join(directory, name))
            binary = None if found is None else found[1].binary
            if found is None or binary is None:
                continue
            path = found[0]
            named = _NAMED.fullmatch(path.rpartition("/")[2])
            texts = {one.rpartition(".")[0] for one in binary.versions}
            # A thin program has its version in the shared library, and names that.
            texts |= {one[len("libpython") :].partition(".so")[0] for one in binary.libraries}
            if (named and named[1] == python) or (not named and python in texts):
                yield path, binary


def _pythons(tree: FileTree, directory: str) -> Iterator[str]:
    found = tree.resolve(directory)
    for name in found[1].children if found else ():
        if named := _NAMED.fullmatch(name):
            yield named[1]


def _standard_library(tree: FileTree, path: str, python: str, reference: str) -> str:
    prefix = dirname(dirname(path))
    for name in ("lib", "lib64"):
        found = tree.resolve(f"{prefix}/{name}/python{python}")
        if found is not None and "os.py" in found[1].children:
            return found[0]
    raise BaseLacksPython(
        f"its /{path} has no standard library in /{prefix}/lib/python{python}",
        where=reference,
        hint="choose an image with a complete Python",
    )


def _shared_library(
    tree: FileTree, path: str, binary: Binary, reference: str
) -> tuple[str, Node] | None:
    """Return Python's shared library if the program needs one, the nearest of several."""
    wanted = {name for name in binary.libraries if not name.endswith(".so")}
    if not wanted:
        return None
    prefix = dirname(dirname(path))
    found = [
        (not one.startswith(f"{prefix}/"), one)
        for one, node in tree.walk()
        if one.rpartition("/")[2] in wanted and node.kind != "directory"
    ]
    for _, one in sorted(found):
        real = tree.resolve(one)
        if real is not None and real[1].binary is not None:
            return real
    if any(one.startswith("3.") for one in binary.versions):
        return None  # the name stands in a static program too, which needs no library
    raise BaseLacksPython(
        f"its /{path} needs {', '.join(sorted(wanted))}, which is not there", where=reference
    )


def _version(
    binary: Binary,
    shared: tuple[str, Node] | None,
    variables: dict[str, str],
    python: str,
    reference: str,
) -> str:
    texts = set(binary.versions)
    if shared is not None and shared[1].binary is not None:
        texts |= shared[1].binary.versions
    # A development build says 3.13.0+; for requirements it is 3.13.0.
    fitting = {one.rstrip("+") for one in texts if one.startswith(f"{python}.")}
    if len(fitting) > 1:
        fitting &= {variables.get("PYTHON_VERSION", "")}
    if len(fitting) != 1:
        raise BaseLacksPython(
            f"the exact version of its Python {python} does not stand in the program",
            where=reference,
            hint=f'choose another image, for instance base = "python:{python}-slim"',
        )
    return fitting.pop()


def _c_library(tree: FileTree, binary: Binary, reference: str) -> tuple[str, str]:
    """Return the loader and the version of glibc."""
    if "musl" in binary.loader:
        raise NotGlibc(
            "its Python runs on musl, for which most wheels with compiled code are not made",
            where=reference,
            hint='choose an image of Debian or Ubuntu: a tag with "slim" instead of "alpine"',
        )
    loader = tree.resolve(binary.loader) if binary.loader else None
    if loader is None:
        raise NotGlibc(
            f"its Python names the loader {binary.loader or '(none)'!r}, which is not there",
            where=reference,
            hint="choose an image whose Python is linked to glibc",
        )
    versions = sorted(
        tuple(map(int, node.binary.glibc.split(".")))
        for _, node in tree.walk()
        if node.binary is not None and node.binary.glibc and node.binary.machine == binary.machine
    )
    if not versions:
        raise NotGlibc("it has no C library of glibc", where=reference)
    oldest = versions[0]
    if oldest < _OLDEST_GLIBC:
        raise BaseTooOld(
            f"its glibc is {oldest[0]}.{oldest[1]}; wheels with compiled code need 2.17 or newer",
            where=reference,
            hint="choose an image of a newer distribution",
        )
    return f"/{loader[0]}", f"{oldest[0]}.{oldest[1]}"
