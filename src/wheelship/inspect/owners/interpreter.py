# SPDX-License-Identifier: Apache-2.0
"""Interpreters and virtual environments: what is Python's own though no package lists it.

The Python of Docker's official images is compiled in ``/usr/local``, uv's is unpacked below its
data directory, and neither has a database. It is known by ``lib/python3.N/os.py``.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping

from wheelship.inspect.model import Entry, Owner

__all__ = ["VIRTUAL_ENVIRONMENT", "Interpreters", "in_environment"]

VIRTUAL_ENVIRONMENT = Owner("generated", "virtual environment")

_LANDMARK = re.compile(r"(?:(.*)/)?lib/python(3\.[0-9]+)/os\.py")
_UNPACKED = re.compile(r"cpython-(3\.[0-9]+\.[0-9]+)[^/]*")
_OWN = re.compile(
    r"lib/python3\.[0-9]+/(?!site-packages/|dist-packages/).*"
    r"|include/python3\.[0-9]+[a-z]*/.*"
    r"|bin/(?:python|idle|pydoc|2to3)[0-9.]*(?:-config)?"
    r"|lib/libpython3[^/]*"
    r"|lib/pkgconfig/python[^/]*"
    r"|share/man/man1/python[^/]*"
)
_LEVELS_MAX = 64
_ENVIRONMENT_LEVELS = 4  # as many as the longest path below has
_OF_ENVIRONMENT = re.compile(
    r"pyvenv\.cfg|\.gitignore|\.lock|CACHEDIR\.TAG|lib64|bin/[^/]*"
    r"|lib/python3\.[0-9]+/site-packages/(?:[^/]*\.pth|_virtualenv\.py|distutils-precedence\.pth)"
)


class Interpreters:
    """The interpreters among the entries of an image."""

    def __init__(self, entries: Iterable[Entry], env: Mapping[str, str]) -> None:
        self._owners: dict[str, Owner] = {}
        self._whole: set[str] = set()
        for entry in entries:
            if not entry.path.endswith("/os.py"):
                continue
            found = _LANDMARK.fullmatch(entry.path)
            if found is None:
                continue
            prefix, version = found[1] or "", found[2]
            unpacked = _UNPACKED.fullmatch(prefix.rpartition("/")[2])
            if unpacked is not None:
                self._whole.add(prefix)
                version = unpacked[1]
            elif env.get("PYTHON_VERSION", "").startswith(f"{version}."):
                version = env["PYTHON_VERSION"]
            self._owners[prefix] = Owner("python", "cpython", version)

    def owner(self, path: str) -> Owner | None:
        """Return the interpreter that a file no package lists belongs to."""
        prefix = path
        for _ in range(_LEVELS_MAX if self._owners else 0):
            prefix = prefix.rpartition("/")[0]
            owner = self._owners.get(prefix)
            if owner is not None:
                whole = prefix in self._whole
                return owner if whole or _OWN.fullmatch(path[len(prefix) :].lstrip("/")) else None
            if not prefix:
                break
        return None


def in_environment(path: str, roots: Container[str]) -> bool:
    """Tell whether ``path`` is what makes one of the directories ``roots`` an environment."""
    root = path
    for _ in range(_ENVIRONMENT_LEVELS):
        root = root.rpartition("/")[0]
        if root in roots:
            return _OF_ENVIRONMENT.fullmatch(path[len(root) :].lstrip("/")) is not None
    return False
