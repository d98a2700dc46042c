# SPDX-License-Identifier: Apache-2.0
"""What uv locked, as values of ours: one wheel per package, with hash and size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from wheelship.fetch.url import display_url, file_path, without_credentials
from wheelship.lock.errors import MissingHash, NotAWheel
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.tags import Tag

__all__ = ["check_are_wheels", "locked_wheels"]


def locked_wheels(
    packages: Iterable[Mapping[str, Any]],
    parents: Mapping[str, Sequence[str]],
    size_of: Callable[[str], int | None],
    target: Target,
) -> tuple[LockedWheel, ...]:
    """Return the wheels of ``packages`` (a PEP 751 array for ``target``), by name.

    ``parents`` says who requires whom; ``size_of`` is asked where an index told no size.

    Raises:
        NotAWheel: a package is to be built.
        MissingHash: a wheel has no SHA-256.
        NetworkError: ``size_of`` failed.
    """
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(target.tags())))}
    return tuple(
        _wheel(
            package,
            ranks,
            tuple(sorted(child for child, by in parents.items() if package["name"] in by)),
            size_of,
        )
        for package in sorted(packages, key=lambda one: str(one["name"]))
    )


def check_are_wheels(requirements: Iterable[Requirement]) -> None:
    """Check that no requirement names a repository or source by its address.

    Raises:
        NotAWheel: one does.
    """
    for requirement in requirements:
        url = requirement.url
        if url is not None and ("+" in urlsplit(url).scheme or not _filename(url).endswith(".whl")):
            raise _not_a_wheel(requirement.name, without_credentials(url))


def _not_a_wheel(name: str, what: str) -> NotAWheel:
    return NotAWheel(
        f"{name} is no wheel but {what}, and building wheels from source is not supported yet",
        hint=f'name a released version, or a wheel: "{name} @ https://example.org/{name}.whl"',
    )


def _filename(place: str) -> str:
    return unquote(urlsplit(place).path.rpartition("/")[2])


def _wheel(
    package: Mapping[str, Any],
    ranks: Mapping[Tag, int],
    requires: tuple[str, ...],
    size_of: Callable[[str], int | None],
) -> LockedWheel:
    """Return the wheel an installer would take: uv lists all that the target can use."""
    name = str(package["name"])
    files = sorted(package.get("wheels", ()), key=lambda one: _rank(one, ranks))
    file = files[0] if files else package.get("archive")
    place = str(file.get("url") or file.get("path")) if file else ""
    filename = _filename(place)
    if file is None or not filename.endswith(".whl"):
        raise _not_a_wheel(name, _kind(package))
    sha256 = file.get("hashes", {}).get("sha256")
    if sha256 is None:
        raise MissingHash(
            f"{name}: the index tells no SHA-256 of {filename}", where=display_url(place)
        )
    path = file_path(place) if "://" in place else Path(place)
    if path is not None:
        url, size = None, path.stat().st_size
    else:
        url = without_credentials(place)
        size = int(file.get("size") or size_of(place) or 0)
    return LockedWheel(
        name=name,
        version=str(package.get("version", "")),
        filename=filename,
        sha256=sha256,
        size_bytes=size,
        url=url,
        path=path,
        requires=requires,
    )


def _rank(file: Mapping[str, Any], ranks: Mapping[Tag, int]) -> int:
    """Return how good the wheel's best tag is, 0 the best; those that do not fit come last.

    ``soundfile`` has both a pure wheel and one that brings its library: order in the lock says
    nothing, tags do.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        place = str(file.get("url") or file.get("path"))
        _, _, _, tags = parse_wheel_filename(_filename(place))
    except InvalidWheelFilename:
        return len(ranks)
    return min((ranks[tag] for tag in tags if tag in ranks), default=len(ranks))


def _kind(package: Mapping[str, Any]) -> str:
    for key, words in (("vcs", "a repository"), ("directory", "a directory")):
        if key in package:
            place = package[key].get("url") or package[key].get("path")
            return f"{words} ({without_credentials(str(place))})"
    return "source"
