# SPDX-License-Identifier: Apache-2.0
"""The base's Python, unpacked on the build machine and run there without root or container.

Its own dynamic loader starts it with its own libraries, so nothing of the build machine is used but
the kernel. Serves to compile bytecode, and to run the image where namespaces are forbidden.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from wheelship.archive.entry import Deflated, Directory, Entry, File, Hardlink, InMemory, Symlink
from wheelship.debian.errors import UnknownRelease
from wheelship.errors import MachineError

__all__ = ["UnpackFailed", "loader_command", "materialise"]

_LOADERS = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")


class UnpackFailed(MachineError):
    """The interpreter could not be written to this machine's disk."""

    code = "interpreter-unpack-failed"


def materialise(entries: Iterable[Entry], directory: Path) -> None:
    """Write ``entries`` below the existing directory ``directory``, owned by the current user.

    Absolute links get relative targets, so that nothing leads out of the directory. ``entries``
    must list parents first and hold no path below a link, as those of a base image do.

    Raises:
        UnpackFailed: this machine refused to write.
    """
    try:
        for entry in entries:
            _write(entry, directory)
    except OSError as error:
        raise UnpackFailed(
            f"cannot unpack the interpreter: {error.strerror}",
            where=error.filename or str(directory),
            hint="free some space, or choose another directory for the cache",
        ) from error


def loader_command(root: Path, python: str) -> tuple[list[str], dict[str, str]]:
    """Return the arguments that begin every call of the Python in ``root``, and its environment.

    ``python`` is the version (``"3.11"``). The environment is complete: nothing else is needed,
    and the build machine's own must not leak in. Python finds its library through PYTHONHOME, and
    under ``-I``, which ignores that, through the path it is called by.

    Raises:
        UnknownRelease: ``root`` holds no loader that is known.
    """
    for loader in _LOADERS:
        found = sorted((root / "usr" / "lib").glob(f"*/{loader}"))
        if found:
            libraries = found[0].parent
            command = [
                str(found[0]),
                "--library-path",
                f"{libraries}:{root / 'usr' / 'lib'}",
                str(root / "usr" / "bin" / f"python{python}"),
            ]
            environment = {"PYTHONHOME": str(root / "usr"), "LC_ALL": "C", "PATH": os.defpath}
            return command, environment
    raise UnknownRelease("no dynamic loader in the unpacked base", where=str(root))


def _write(entry: Entry, directory: Path) -> None:
    path = directory / entry.path
    match entry:
        case Directory():
            path.mkdir(exist_ok=True)
        case Symlink():
            path.symlink_to(_relative(entry))
        case Hardlink():
            path.hardlink_to(directory / entry.target)
        case File():
            with path.open("xb") as output:
                content = entry.content
                assert not isinstance(content, Deflated)  # noqa: S101 - packages hold no zip members
                if isinstance(content, InMemory):
                    output.write(content.data)
                else:
                    output.writelines(content.open())
            path.chmod(entry.mode & 0o755 | 0o600)


def _relative(entry: Symlink) -> str:
    if not entry.target.startswith("/"):
        return entry.target
    return "../" * entry.path.count("/") + entry.target.lstrip("/")
