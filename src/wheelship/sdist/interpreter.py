# SPDX-License-Identifier: Apache-2.0
"""Finds the interpreter that builds: one of this machine, of the image's minor version.

The image's own interpreter would be the perfect one and cannot be used: Debian's package of it has
no headers, no ``ensurepip`` and no ``distutils``, and it runs through its loader only. Nor does an
interpreter of another version do for a source that "is pure anyway": build scripts look at
``sys.version_info``, and what they leave out for one version is missing in the other.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from wheelship.sdist.errors import SdistNoPython

__all__ = ["find_interpreter"]

_ASK = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
_SECONDS = 30


def find_interpreter(python: str, own: Path, uv: Path, environ: Mapping[str, str]) -> Path:
    """Return an interpreter of the minor version ``python``.

    ``own`` is this process's; then those on PATH are tried, then those that uv has installed.

    Raises:
        SdistNoPython: there is none that runs.
    """
    for candidate in _candidates(python, own, uv, environ):
        if _says(candidate, environ) == f"cpython {python}":
            return candidate
    raise SdistNoPython(
        f"a package is to be built from source for Python {python}, and this machine has none",
        where="PATH",
        hint=f"uv python install {python}",
    )


def _candidates(python: str, own: Path, uv: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    yield own
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder, f"python{python}")
        if folder and os.access(path, os.X_OK):
            yield path
    command = [str(uv), "python", "find", "--managed-python", "--no-python-downloads", python]
    try:
        found = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, check=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return
    yield Path(found.stdout.strip())


def _says(candidate: Path, environ: Mapping[str, str]) -> str:
    """Return which Python it is; a shim for another version says nothing."""
    try:
        ran = subprocess.run(
            [str(candidate), "-I", "-S", "-c", _ASK],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.strip()
