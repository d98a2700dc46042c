# SPDX-License-Identifier: Apache-2.0
"""The files of an sdist, unpacked from an archive that nobody vouches for.

An sdist (PEP 625, PEP 721) is a tar archive of one directory. Regular files and directories are
taken, hard links become files of their own, and symbolic links that stay inside come last, when
nothing is written through them any more. Everything else is refused.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from posixpath import dirname, join, normpath

from wheelship.sdist.errors import InvalidSdist

__all__ = ["unpack_sdist"]

_BYTES = 4 * 1024**3
_MEMBERS = 200_000
_REPORT = "the file is malformed: report it to its maintainers and choose another version"


def unpack_sdist(archive: Path, filename: str, into: Path) -> Path:
    """Unpack ``archive`` below the empty directory ``into``; return the one directory it holds.

    Raises:
        InvalidSdist: it is damaged, too large, or holds what could lead outside.
    """
    links: list[tuple[str, str]] = []
    total = 0
    try:
        with tarfile.open(archive, "r:*") as stream:
            for count, member in enumerate(stream):
                total += member.size
                if count > _MEMBERS or total > _BYTES:
                    raise InvalidSdist("unpacks to too much", where=filename, hint=_REPORT)
                path = _inside(member.name, filename)
                if member.issym():
                    target = normpath(join(dirname(path), member.linkname))
                    _inside(target, filename, member.linkname)
                    links.append((path, member.linkname))
                elif path:
                    _write(stream, member, into / path, filename)
    except (tarfile.TarError, OSError, EOFError, KeyError) as error:
        raise InvalidSdist(f"cannot be unpacked: {error}", where=filename, hint=_REPORT) from error
    _link(links, into, filename)
    roots = list(into.iterdir())
    if len(roots) != 1 or not roots[0].is_dir():
        raise InvalidSdist("does not hold exactly one directory", where=filename, hint=_REPORT)
    return roots[0]


def _inside(name: str, filename: str, shown: str = "") -> str:
    path = normpath(name)
    if name.startswith("/") or path.split("/")[0] == ".." or "\0" in name:
        raise InvalidSdist(f"leads outside: {shown or name}", where=filename, hint=_REPORT)
    return "" if path == "." else path


def _write(stream: tarfile.TarFile, member: tarfile.TarInfo, path: Path, filename: str) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    if not (member.isreg() or member.islnk()):
        raise InvalidSdist(f"holds a device: {member.name}", where=filename, hint=_REPORT)
    content = stream.extractfile(member)
    if content is None:
        raise InvalidSdist(f"links to nothing: {member.name}", where=filename, hint=_REPORT)
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("xb") as target:
        shutil.copyfileobj(content, target)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)
    os.utime(path, (member.mtime, member.mtime))


def _link(links: list[tuple[str, str]], root: Path, filename: str) -> None:
    for path, target in links:
        place = root / path
        if place.parent.resolve() != place.parent or os.path.lexists(place):
            raise InvalidSdist(f"puts a link behind another: {path}", where=filename, hint=_REPORT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
