# SPDX-License-Identifier: Apache-2.0
"""Decides whose an entry is.

The first that holds, and this is the only place that says so:

1. no file and no link (directories, whiteouts, devices, framing): the image;
2. bytecode, whoever's RECORD lists it: generated;
3. in a cache directory: generated, named after the cache;
4. a Debian package lists the path (dpkg's database is exclusive, a RECORD can name anything);
5. a Python distribution's RECORD lists it: the package, or the application;
6. a record or setting that programs make, by path: generated;
7. part of a Python interpreter that no package brought: ``cpython``;
8. in a directory that only one distribution, or only one Debian package, has: that one's;
9. what makes a directory a virtual environment: generated;
10. where projects are put, or what the image starts: the application;
11. a link that nobody lists: the image; all else: unknown, named after its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wheelship.inspect.model import Entry, Owner
from wheelship.inspect.owners.application import find_application
from wheelship.inspect.owners.claims import Claim, Document, known_paths, nearest, real_path
from wheelship.inspect.owners.debian import debian_claims
from wheelship.inspect.owners.generated import BYTECODE, cache, record
from wheelship.inspect.owners.interpreter import (
    VIRTUAL_ENVIRONMENT,
    Interpreters,
    in_environment,
)
from wheelship.inspect.owners.python import distributions, python_claims
from wheelship.oci.config import ImageConfig

__all__ = ["IMAGE", "Judge"]

IMAGE = Owner("image", "image")

_BYTECODE = (".pyc", ".pyo")
_JUDGED = frozenset(("file", "hardlink", "symlink"))
# Directories elsewhere, though base-files lists them, are for whoever runs the machine (FHS).
_DEBIAN_TERRITORY = ("usr/lib/", "usr/libexec/", "usr/share/", "usr/include/", "etc/", "var/lib/")


@dataclass(frozen=True, slots=True)
class _Place:
    """What is the same for all files of a directory."""

    cache: Owner | None
    territory: tuple[Claim, ...]


class Judge:
    """Knows the databases of an image, and whose an entry is."""

    def __init__(
        self, config: ImageConfig, documents: Iterable[Document], entries: Sequence[Entry]
    ) -> None:
        documents = tuple(documents)
        found = distributions(documents)
        self._application = find_application(config, found)
        known = known_paths(entries)
        self._python = python_claims(found, self._application.distributions, known)
        self._debian = debian_claims(documents, known)
        self._interpreters = Interpreters(entries, dict(config.env))
        self._environments = _environments(documents)
        self._places: dict[str, _Place] = {}
        self._directory, self._place = "", _Place(None, ())

    def owner(self, entry: Entry, layer: int) -> Owner:
        """Return whose the entry of ``layer`` is."""
        if entry.kind not in _JUDGED:
            return IMAGE
        path = entry.path
        if path.endswith(_BYTECODE):
            return BYTECODE
        directory = path.rpartition("/")[0]
        if directory != self._directory:  # entries of one directory follow each other
            self._place = self._find_place(directory)
            self._directory = directory
        return (
            self._place.cache
            or self._debian.owner(real_path(path), layer)
            or self._python.owner(path, layer)
            or self._unlisted(entry, layer)
        )

    def _unlisted(self, entry: Entry, layer: int) -> Owner:
        path = entry.path
        found = record(path, entry.target if entry.kind == "symlink" else "")
        found = found or self._interpreters.owner(path)
        if found is None and self._place.territory:
            found = nearest(self._place.territory, layer)
        if found is None and in_environment(path, self._environments):
            found = VIRTUAL_ENVIRONMENT
        found = found or self._application.of(path)
        if found is not None:
            return found
        if entry.kind == "symlink":
            return IMAGE
        return Owner("unknown", "/" + "/".join(path.split("/", 3)[:-1][:2]))

    def _find_place(self, directory: str) -> _Place:
        place = self._places.get(directory)
        if place is None:
            territory = self._python.territory(directory)
            if not territory:
                territory = self._debian.territory(real_path(directory), _DEBIAN_TERRITORY)
            place = self._places[directory] = _Place(cache(directory), territory)
        return place


def _environments(documents: Sequence[Document]) -> frozenset[str]:
    found = (one.path.rpartition("/") for one in documents)
    return frozenset(directory for directory, _, name in found if name == "pyvenv.cfg")
