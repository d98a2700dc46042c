# SPDX-License-Identifier: Apache-2.0
"""Package indexes: verified, unpacked once, and read paragraph by paragraph where one is wanted.

The index of a release holds 63 000 paragraphs, of which a base image needs forty. So the text stays
one block of 50 MB, found by name through offsets; parsing it all would take 20 s and 600 MB.
"""

from __future__ import annotations

import hashlib
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wheelship.debian.control import paragraph
from wheelship.debian.distribution import Archive, Suite
from wheelship.debian.errors import IndexMismatch
from wheelship.debian.relation import (
    Provided,
    Relation,
    newest_first,
    parse_provides,
    parse_relations,
)
from wheelship.debian.release import IndexFile

__all__ = ["Available", "PackageIndex", "SuiteIndex", "read_index"]

INDEX_LIMIT_BYTES = 256 * 1024 * 1024
"""No index may be larger, unpacked; Debian's largest is 57 MB."""

_LZMA_MEMORY_BYTES = 128 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_PACKAGE = b"Package: "
_PROVIDES = b"\nProvides: "
_HEX = re.compile(r"[0-9a-f]{64}")
_SOURCE = re.compile(r"(\S+)(?:\s+\((\S+)\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """A package that a suite offers; ``filename`` is relative to the archive's address."""

    name: str
    version: str
    architecture: str
    archive: Archive
    filename: str
    sha256: str
    size_bytes: int
    source: str
    source_version: str
    depends: tuple[tuple[Relation, ...], ...]
    conflicts: tuple[Relation, ...]
    provides: tuple[Provided, ...]


class SuiteIndex:
    """The packages of one suite, by name."""

    def __init__(self, suite: Suite, text: bytes | bytearray, *, where: str) -> None:
        self._suite = suite
        self._text = text
        self._where = where
        self._starts: dict[bytes, int] = {}
        self._more: dict[bytes, list[int]] = {}
        for name, start in _names(text, where):
            if name in self._starts:
                self._more.setdefault(name, []).append(start)
            else:
                self._starts[name] = start

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._starts

    def names(self) -> Iterator[str]:
        """Yield the names of all packages."""
        return (name.decode() for name in self._starts)

    def named(self, name: str) -> list[Available]:
        """Return the packages of that name; a suite may hold several versions.

        Raises:
            IndexMismatch: such a paragraph lacks a field or cannot be read.
        """
        key = name.encode()
        if key not in self._starts:
            return []
        starts = [self._starts[key], *self._more.get(key, ())]
        found: dict[str, Available] = {}
        for package in map(self._read, starts):
            other = found.setdefault(package.version, package)
            if other.sha256 != package.sha256:
                raise IndexMismatch(
                    f"two different files are {name} {package.version}", where=self._where
                )
        return list(found.values())

    def providers(self, name: str) -> set[str]:
        """Return the names of the packages that provide ``name``."""
        found: set[str] = set()
        text, wanted = self._text, name.encode()
        at = text.find(_PROVIDES)
        while at >= 0:
            end = text.find(b"\n", at + 1)
            if wanted in text[at:end]:
                # A paragraph begins after an empty line, and with its name.
                start = text.rfind(b"\n\n", 0, at) + 2
                start = 0 if start == 1 else start
                found.update(
                    one.name
                    for one in [self._read(start)]
                    if any(provided.name == name for provided in one.provides)
                )
            at = text.find(_PROVIDES, end if end > 0 else len(text))
        return found

    def _read(self, start: int) -> Available:
        end = self._text.find(b"\n\n", start)
        raw = bytes(self._text[start : end if end >= 0 else len(self._text)])
        fields = paragraph(raw.decode("utf-8", "replace"))
        where = f"{fields.get('Package', '?')} in {self._where}"
        try:
            return _available(fields, self._suite.archive, where)
        except KeyError as error:
            what = f"a package without the field {error.args[0]}"
            raise IndexMismatch(what, where=where) from error


class PackageIndex:
    """All suites of a release as one: the highest version of a package comes first."""

    def __init__(self, suites: Iterable[SuiteIndex]) -> None:
        self._suites = tuple(suites)
        self._named: dict[str, tuple[Available, ...]] = {}
        self._providers: dict[str, tuple[str, ...]] = {}

    def named(self, name: str) -> tuple[Available, ...]:
        """Return the packages of that name, the highest version first."""
        if name not in self._named:
            # A version that two suites hold is the same file; the suite listed first gives it.
            found: dict[str, Available] = {}
            for suite in self._suites:
                for package in suite.named(name):
                    found.setdefault(package.version, package)
            self._named[name] = tuple(found[version] for version in newest_first(list(found)))
        return self._named[name]

    def providers(self, name: str) -> tuple[str, ...]:
        """Return the names of the packages that provide ``name``, sorted."""
        if name not in self._providers:
            found = {one for suite in self._suites for one in suite.providers(name)}
            self._providers[name] = tuple(sorted(found))
        return self._providers[name]

    def similar(self, name: str) -> list[str]:
        """Return up to three names of packages that a typing error may have made of ``name``."""
        from difflib import get_close_matches

        names = {one for suite in self._suites for one in suite.names()}
        # Comparing with all 63 000 takes seconds; a typing error rarely hits the first letter.
        return get_close_matches(name, [one for one in names if one[:1] == name[:1]], n=3)


def read_index(
    data: bytes, suite: Suite, packed: IndexFile, unpacked: IndexFile, *, where: str
) -> SuiteIndex:
    """Verify and unpack ``data``, a ``Packages.xz``.

    Raises:
        IndexMismatch: it is not the file that the release file names, or cannot be read.
    """
    if len(data) != packed.size_bytes or hashlib.sha256(data).hexdigest() != packed.sha256:
        raise IndexMismatch(
            "the package index is not the one that the signed release file names",
            where=where,
            hint="the mirror may be in the middle of an update: try again in some minutes, or set"
            " another `debian-mirror`",
        )
    if unpacked.size_bytes > INDEX_LIMIT_BYTES:
        raise IndexMismatch(f"a package index of {unpacked.size_bytes} bytes", where=where)
    return SuiteIndex(suite, _unpack(data, unpacked.size_bytes, where), where=where)


def _unpack(data: bytes, size_bytes: int, where: str) -> bytearray:
    """Inflate ``data`` into a block of exactly the promised size, without a second copy."""
    text = bytearray(size_bytes)
    at = 0
    inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES)
    offset = 0
    try:
        while not inflater.eof:
            fed = b""
            if inflater.needs_input:
                fed = data[offset : offset + _CHUNK_BYTES]
                offset += len(fed)
                if not fed:
                    raise IndexMismatch("the package index ends early", where=where)
            piece = inflater.decompress(fed, _CHUNK_BYTES)
            if at + len(piece) > size_bytes:
                raise IndexMismatch("the package index is larger than promised", where=where)
            text[at : at + len(piece)] = piece
            at += len(piece)
    except lzma.LZMAError as error:
        what = f"the package index cannot be unpacked: {error}"
        raise IndexMismatch(what, where=where) from error
    if at != size_bytes:
        raise IndexMismatch("the package index is smaller than promised", where=where)
    return text


def _names(text: bytes | bytearray, where: str) -> Iterator[tuple[bytes, int]]:
    """Yield the name and the offset of each paragraph; a suite may have none."""
    start, end = 0, len(text)
    while start < end:
        if not text.startswith(_PACKAGE, start):
            raise IndexMismatch("a paragraph does not begin with its package's name", where=where)
        line = text.find(b"\n", start)
        yield bytes(text[start + len(_PACKAGE) : line if line >= 0 else end]), start
        gap = text.find(b"\n\n", start)
        start = gap + 2 if gap >= 0 else end


def _available(fields: dict[str, str], archive: Archive, where: str) -> Available:
    source = _SOURCE.fullmatch(fields.get("Source", fields["Package"]))
    if source is None or not _HEX.fullmatch(fields["SHA256"]) or not fields["Size"].isdecimal():
        raise IndexMismatch("a package with an unreadable field", where=where)
    depends = ", ".join(fields[name] for name in ("Pre-Depends", "Depends") if name in fields)
    against = ", ".join(fields[name] for name in ("Conflicts", "Breaks") if name in fields)
    return Available(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        archive=archive,
        filename=fields["Filename"],
        sha256=fields["SHA256"],
        size_bytes=int(fields["Size"]),
        source=source[1],
        source_version=source[2] or fields["Version"],
        depends=parse_relations(depends, where=where),
        conflicts=tuple(one for group in parse_relations(against, where=where) for one in group),
        provides=parse_provides(fields.get("Provides", ""), where=where),
    )
