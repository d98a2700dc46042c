# SPDX-License-Identifier: Apache-2.0
"""Which of the packages of a lock depends on which, read from the packages themselves.

A lock names packages and no relations. Each package says in its control file what it needs
(Debian Policy §7.2); that is a few kilobytes at its beginning, so nothing else of it is inflated.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from wheelship.debian.ar import ArMember, deb_members
from wheelship.debian.control import paragraph
from wheelship.debian.distribution import Cut
from wheelship.debian.errors import InvalidDeb
from wheelship.debian.relation import Relation, parse_provides, parse_relations

__all__ = ["control_fields", "dependencies"]

_LIMIT_BYTES = 32 * 1024**2  # as for packages that are opened whole
_LZMA_MEMORY_BYTES = 256 * 1024**2
_CHUNK_BYTES = 256 * 1024


def control_fields(path: Path, *, where: str) -> dict[str, str]:
    """Return the fields of the control file of the .deb at ``path``.

    Raises:
        InvalidDeb: it is no package, or its control archive cannot be read.
    """
    with path.open("rb") as stream:
        control, _ = deb_members(stream, path.stat().st_size, where=where)
        try:
            data = _inflated(control, where)
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
                for member in archive:
                    file = archive.extractfile(member) if member.isreg() else None
                    if file is not None and member.name.removeprefix("./") == "control":
                        return paragraph(file.read().decode("utf-8", "replace"))
        except (lzma.LZMAError, zlib.error, tarfile.TarError) as error:
            raise InvalidDeb(f"its control archive cannot be read: {error}", where=where) from error
    raise InvalidDeb("no control file", where=where)


def dependencies(
    packages: Mapping[str, Mapping[str, str]], cuts: Iterable[Cut] = ()
) -> dict[str, tuple[str, ...]]:
    """Return which of ``packages`` each of them depends on, by name, sorted.

    The values of ``packages`` are control fields. Of alternatives the first that is there counts.
    An edge in ``cuts`` was not followed, so it is no reason why anything is there.

    Raises:
        IndexMismatch: a relation cannot be read.
    """
    providers: dict[str, set[str]] = {}
    for name, fields in packages.items():
        for provided in parse_provides(fields.get("Provides", ""), where=name):
            providers.setdefault(provided.name, set()).add(name)
    cut = {(one.package, one.dependency) for one in cuts}
    found: dict[str, tuple[str, ...]] = {}
    for name, fields in packages.items():
        needed: set[str] = set()
        for field in ("Pre-Depends", "Depends"):
            for alternatives in parse_relations(fields.get(field, ""), where=name):
                followed = [
                    one for one in alternatives if not {(None, one.name), (name, one.name)} & cut
                ]
                needed |= _met_by(followed, packages, providers)
        found[name] = tuple(sorted(needed - {name}))
    return found


def _met_by(
    alternatives: Iterable[Relation],
    packages: Mapping[str, Mapping[str, str]],
    providers: Mapping[str, set[str]],
) -> set[str]:
    """Return what meets the first alternative that anything meets."""
    for one in alternatives:
        if one.name in packages and one.allows(packages[one.name].get("Version")):
            return {one.name}
        if one.name in providers:
            return providers[one.name]
    return set()


def _inflated(member: ArMember, where: str) -> bytes:
    packed = b"".join(member.chunks(_CHUNK_BYTES))
    if member.compression == "xz":
        data = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES).decompress(
            packed, _LIMIT_BYTES + 1
        )
    elif member.compression == "gz":
        data = zlib.decompressobj(wbits=31).decompress(packed, _LIMIT_BYTES + 1)
    else:
        data = packed
    if len(data) > _LIMIT_BYTES:
        raise InvalidDeb(f"its control archive has more than {_LIMIT_BYTES} bytes", where=where)
    return data
