# SPDX-License-Identifier: Apache-2.0
"""What uv locked, as values of ours: one wheel or source per package, with hash and size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from wheelship.fetch.url import display_url, file_path, without_credentials, without_password
from wheelship.lock.errors import MissingHash, NotAWheel
from wheelship.lock.model import Locked, LockedSource, LockedWheel, SourceKind
from wheelship.lock.target import Target

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.tags import Tag

__all__ = ["COMMIT", "SDIST_SUFFIXES", "check_can_be_had", "locked_packages", "repository_url"]

SDIST_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Of the archives that a wheel can be built from; PEP 625 leaves only the first for new ones."""

_KINDS: tuple[SourceKind, ...] = ("sdist", "archive", "directory", "vcs")
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def locked_packages(
    packages: Iterable[Mapping[str, Any]],
    parents: Mapping[str, Sequence[str]],
    size_of: Callable[[str], int | None],
    target: Target,
    directory: Path,
) -> tuple[Locked, ...]:
    """Return what ``packages`` (a PEP 751 array for ``target``) consist of, by name.

    ``parents`` says who requires whom; ``size_of`` is asked where an index told no size; relative
    paths are relative to ``directory``. Sources have no build requirements yet.

    Raises:
        NotAWheel: a package is neither a wheel nor a source that can be built.
        MissingHash: a file has no SHA-256.
        NetworkError: ``size_of`` failed.
    """
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(target.tags())))}
    return tuple(
        _locked(
            package,
            ranks,
            tuple(sorted(child for child, by in parents.items() if package["name"] in by)),
            size_of,
            directory,
        )
        for package in sorted(packages, key=lambda one: str(one["name"]))
    )


def check_can_be_had(requirements: Iterable[Requirement], *, building: bool) -> frozenset[str]:
    """Return the normalised names of those that name a source by its address.

    Raises:
        NotAWheel: one names a repository or another thing that no wheel can be built from, or a
            source although nothing is to be built.
    """
    from packaging.utils import canonicalize_name

    sources: set[str] = set()
    for requirement in requirements:
        url = requirement.url
        if url is None or ("+" not in urlsplit(url).scheme and _filename(url).endswith(".whl")):
            continue
        path = file_path(url)
        if path is not None and not path.exists():
            raise NotAWheel(
                f"{requirement.name} is no wheel but {url}, and that is not there",
                hint=f"correct the path: {path}",
            )
        if not building or not _can_be_built(url):
            raise _not_a_wheel(requirement.name, without_credentials(url))
        sources.add(canonicalize_name(requirement.name))
    return frozenset(sources)


def _can_be_built(url: str) -> bool:
    if "+" in urlsplit(url).scheme:
        return url.startswith("git+")
    path = file_path(url)
    return _filename(url).endswith(SDIST_SUFFIXES) or (path is not None and path.is_dir())


def _not_a_wheel(name: str, what: str) -> NotAWheel:
    return NotAWheel(
        f"{name} is no wheel but {what}",
        hint=f'name a released version, or a wheel: "{name} @ https://example.org/{name}.whl"',
    )


def _filename(place: str) -> str:
    return unquote(urlsplit(place).path.rpartition("/")[2])


def _locked(
    package: Mapping[str, Any],
    ranks: Mapping[Tag, int],
    requires: tuple[str, ...],
    size_of: Callable[[str], int | None],
    directory: Path,
) -> Locked:
    """Return the wheel an installer would take (uv lists all that fit), or the source."""
    name, version = str(package["name"]), str(package.get("version", ""))
    files = sorted(package.get("wheels", ()), key=lambda one: _rank(one, ranks))
    kind = next((one for one in _KINDS if package.get(one)), None)
    file = files[0] if files else package[kind] if kind else {}
    place = str(file.get("url") or file.get("path") or "")
    filename = _filename(place)
    path = file_path(place) if "://" in place else Path(normpath(directory / place))
    if not files and kind in ("directory", "vcs"):
        return _tree(package, kind, path, requires)
    is_wheel = filename.endswith(".whl")
    if not is_wheel and (kind is None or not filename.endswith(SDIST_SUFFIXES)):
        raise _not_a_wheel(name, _kind(package))
    sha256 = file.get("hashes", {}).get("sha256")
    if sha256 is None:
        raise MissingHash(
            f"{name}: the index tells no SHA-256 of {filename}", where=display_url(place)
        )
    if path is not None:
        url, size = None, path.stat().st_size
    else:
        url = without_credentials(place)
        size = int(file.get("size") or size_of(place) or 0)
    if is_wheel or kind is None:
        return LockedWheel(
            name=name,
            version=version,
            filename=filename,
            sha256=sha256,
            size_bytes=size,
            url=url,
            path=path,
            requires=requires,
        )
    return LockedSource(
        name=name,
        version=version,
        kind=kind,
        filename=filename,
        sha256=sha256,
        size_bytes=size,
        url=url,
        path=path,
        requires=requires,
        subdirectory=str(file.get("subdirectory", "")),
    )


def _tree(
    package: Mapping[str, Any], kind: SourceKind, path: Path | None, requires: tuple[str, ...]
) -> LockedSource:
    """Return a source that is no archive: a directory of this machine, or a commit."""
    name, version, file = str(package["name"]), str(package.get("version", "")), package[kind]
    subdirectory = str(file.get("subdirectory", ""))
    if kind == "directory" and path is not None:
        return LockedSource(
            name=name,
            version=version,
            kind=kind,
            filename=path.name,
            path=path,
            requires=requires,
            subdirectory=subdirectory,
        )
    url, commit = str(file.get("url", "")), str(file.get("commit-id", ""))
    if kind != "vcs" or file.get("type") != "git" or not url or not COMMIT.fullmatch(commit):
        raise _not_a_wheel(name, _kind(package))
    return LockedSource(
        name=name,
        version=version,
        kind=kind,
        filename=_filename(url),
        url=repository_url(url),
        requires=requires,
        commit=commit,
        revision=str(file.get("requested-revision", "")),
        subdirectory=subdirectory,
    )


def repository_url(url: str) -> str:
    """Return the address of a repository without what is secret; SSH's user name is not."""
    return without_password(url) if url.startswith("ssh://") else without_credentials(url)


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
