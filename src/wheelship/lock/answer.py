# SPDX-License-Identifier: Apache-2.0
"""What uv locked, as values of ours: one wheel per package, with hash and size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from wheelship.fetch.url import display_url, file_path, without_credentials
from wheelship.lock.errors import MissingHash, NotAWheel
from wheelship.lock.model import LockedWheel

__all__ = ["locked_wheels"]


def locked_wheels(
    packages: Iterable[Mapping[str, Any]],
    parents: Mapping[str, Sequence[str]],
    size_of: Callable[[str], int | None],
) -> tuple[LockedWheel, ...]:
    """Return the wheels of ``packages`` (a PEP 751 array for one target), by name.

    ``parents`` says who requires whom; ``size_of`` is asked where an index told no size.

    Raises:
        NotAWheel: a package is to be built.
        MissingHash: a wheel has no SHA-256.
        NetworkError: ``size_of`` failed.
    """
    return tuple(
        _wheel(
            package,
            tuple(sorted(child for child, by in parents.items() if package["name"] in by)),
            size_of,
        )
        for package in sorted(packages, key=lambda one: str(one["name"]))
    )


def _wheel(
    package: Mapping[str, Any], requires: tuple[str, ...], size_of: Callable[[str], int | None]
) -> LockedWheel:
    """Return the wheel that uv chose; of several, the first is that of the preferred place."""
    name = str(package["name"])
    file = next(iter(package.get("wheels", ())), package.get("archive"))
    place = str(file.get("url") or file.get("path")) if file else ""
    filename = unquote(urlsplit(place).path.rpartition("/")[2])
    if file is None or not filename.endswith(".whl"):
        raise NotAWheel(
            f"{name} is no wheel but {_kind(package)}, and building is not supported yet",
            hint=f'name a released version, or a wheel: "{name} @ https://example.org/{name}.whl"',
        )
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


def _kind(package: Mapping[str, Any]) -> str:
    for key, words in (("vcs", "a repository"), ("directory", "a directory")):
        if key in package:
            place = package[key].get("url") or package[key].get("path")
            return f"{words} ({without_credentials(str(place))})"
    return "source"
