# SPDX-License-Identifier: Apache-2.0
"""Surroundings that take some making: locales, mounts, a polluted module path."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelship.testing.ground import CannotVary

__all__ = ["backwards", "locales", "owned_by_others", "pollution", "program"]

_HOSTILE = """\
import builtins, sys

real = {name!r}
path = sys.path[:]
sys.path[:] = [one for one in path if one != {directory!r}]
del sys.modules[real]
module = __import__(real)
sys.path[:] = path
globals().update(vars(module))
if any(one.endswith("worker.py") for one in sys.orig_argv):
    compiled = builtins.compile

    def polluted(source, *arguments, **options):
        if isinstance(source, bytes):
            source += b"\\npolluted = True\\n"
        return compiled(source, *arguments, **options)

    builtins.compile = polluted
"""


def program(name: str) -> str:
    """Return the path of a program.

    Raises:
        CannotVary: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise CannotVary(f"{name} is not installed")
    return path


def pollution(directory: Path) -> str:
    """Make a directory whose modules change what a compiler that imports them writes."""
    directory.mkdir()
    for name in ("struct", "warnings"):
        text = _HOSTILE.format(name=name, directory=str(directory))
        (directory / f"{name}.py").write_text(text)
    return str(directory)


def locales(work: Path, *names: str) -> str:
    """Compile locales, which minimal machines lack, and return the directory for LOCPATH."""
    directory = work / "locales"
    directory.mkdir(exist_ok=True)
    for name in names:
        language, _, charset = name.partition(".")
        command = [program("localedef"), "--no-archive", "-i", language, "-f", charset]
        done = subprocess.run(
            [*command, str(directory / name)], check=False, capture_output=True, text=True
        )
        if not (directory / name / "LC_CTYPE").exists():
            raise CannotVary(f"cannot make the locale {name}: {done.stderr.strip()}")
    return str(directory)


@contextmanager
def backwards(source: Path, place: Path, order: str) -> Iterator[Path]:
    """Mount ``source`` so that its directories list their entries in another order.

    Raises:
        CannotVary: disorderfs is missing, or may not mount.
    """
    place.mkdir()
    command = [program("disorderfs"), "--quiet", order, str(source), str(place)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0 or not os.path.ismount(place):
        raise CannotVary(f"disorderfs cannot mount: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run([program("umount"), "-l", str(place)], check=True)


def owned_by_others(root: Path) -> None:
    """Give a tree to another user.

    Raises:
        CannotVary: only root may do that.
    """
    if os.geteuid() != 0:
        raise CannotVary("only root can give files away")
    for path in (root, *root.rglob("*")):
        os.chown(path, 1234, 5678, follow_symlinks=False)
