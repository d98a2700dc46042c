# SPDX-License-Identifier: Apache-2.0
"""Turns the files that a PEP 751 lock names into wheels and sources with absolute paths."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelship.fetch.url import file_path, url_filename, without_credentials
from wheelship.lock.answer import COMMIT, repository_url
from wheelship.lock.errors import LOCK_AGAIN, InvalidLock
from wheelship.lock.model import BuildRequirement, LockedSource, LockedWheel

if TYPE_CHECKING:
    from packaging.pylock import (
        Package,
        PackageArchive,
        PackageDirectory,
        PackageSdist,
        PackageVcs,
        PackageWheel,
    )

__all__ = ["SHA256", "build_table", "source_of", "wheel_of"]

SHA256 = re.compile(r"[0-9a-f]{64}")


def wheel_of(lock: Path, package: Package, wheel: PackageWheel) -> LockedWheel:
    """Return the wheel of a package of the lock at ``lock``."""
    path = _local(lock, wheel.path, wheel.url)
    return LockedWheel(
        name=package.name,
        version=str(package.version or ""),
        filename=wheel.filename,
        sha256=wheel.hashes["sha256"],
        size_bytes=wheel.size or 0,
        url=None if path is not None else without_credentials(wheel.url or ""),
        path=path,
        requires=_requires(package),
    )


def source_of(
    lock: Path,
    package: Package,
    file: PackageSdist | PackageArchive | PackageDirectory | PackageVcs,
    build: list[Mapping[str, Any]],
) -> LockedSource:
    """Return the source of a package, which is built with what the rows ``build`` say.

    Raises:
        InvalidLock: it names no commit, or what it is built with cannot be read.
    """
    from packaging.pylock import PackageDirectory, PackageSdist, PackageVcs

    requirements = tuple(_build_requirement(lock, package.name, row) for row in build)
    if isinstance(file, PackageVcs):
        return _repository(lock, package, file, requirements)
    if isinstance(file, PackageDirectory):
        path = Path(os.path.normpath(lock.parent / file.path))
        return LockedSource(
            name=package.name,
            version=str(package.version or ""),
            kind="directory",
            filename=path.name,
            path=path,
            requires=_requires(package),
            subdirectory=file.subdirectory or "",
            build=requirements,
        )
    local = _local(lock, file.path, file.url)
    place = local.name if local is not None else url_filename(file.url or "")
    return LockedSource(
        name=package.name,
        version=str(package.version or ""),
        kind="sdist" if isinstance(file, PackageSdist) else "archive",
        filename=file.filename if isinstance(file, PackageSdist) else place,
        sha256=file.hashes["sha256"],
        size_bytes=file.size or 0,
        url=None if local is not None else without_credentials(file.url or ""),
        path=local,
        requires=_requires(package),
        subdirectory="" if isinstance(file, PackageSdist) else file.subdirectory or "",
        build=requirements,
    )


def _repository(
    lock: Path, package: Package, file: PackageVcs, build: tuple[BuildRequirement, ...]
) -> LockedSource:
    if file.type != "git" or not file.url or not COMMIT.fullmatch(file.commit_id):
        raise InvalidLock(
            f"{package.name}: {file.commit_id[:80]!r} is no commit of a git repository",
            where=str(lock),
            hint=LOCK_AGAIN,
        )
    return LockedSource(
        name=package.name,
        version=str(package.version or ""),
        kind="vcs",
        filename=url_filename(file.url),
        url=repository_url(file.url),
        requires=_requires(package),
        commit=file.commit_id,
        revision=file.requested_revision or "",
        subdirectory=file.subdirectory or "",
        build=build,
    )


def _build_requirement(lock: Path, package: str, row: Mapping[str, Any]) -> BuildRequirement:
    """Read a row of ``build-requires``, which is a wheel of PEP 751 with two more fields."""
    from packaging.pylock import PylockValidationError

    try:
        wheel = _as_wheel(row)
        sha256 = wheel.hashes["sha256"]
        if not SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256[:80]!r} is no sha256")
        architectures = tuple(map(str, row.get("architectures", ())))
    except (PylockValidationError, KeyError, TypeError, ValueError) as error:
        raise InvalidLock(
            f"what {package} is built with cannot be read: {error}",
            where=str(lock),
            hint=LOCK_AGAIN,
        ) from error
    path = _local(lock, wheel.path, wheel.url)
    locked = LockedWheel(
        name=str(row.get("package", "")),
        version=str(row.get("version", "")),
        filename=wheel.filename,
        sha256=sha256,
        size_bytes=wheel.size or 0,
        url=None if path is not None else without_credentials(wheel.url or ""),
        path=path,
    )
    return BuildRequirement(wheel=locked, architectures=architectures)


def _local(lock: Path, path: str | None, url: str | None) -> Path | None:
    if path is not None:
        return Path(os.path.normpath(lock.parent / path))
    return None if url is None else file_path(url)


def build_table(package: Package) -> list[Mapping[str, Any]] | None:
    """Return what the lock says the package is built with; None where it does not say so."""
    table = (package.tool or {}).get("wheelship")
    rows = table.get("build-requires") if isinstance(table, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    return rows


def _requires(package: Package) -> tuple[str, ...]:
    return tuple(sorted(str(one["name"]) for one in package.dependencies or ()))


def _as_wheel(row: Mapping[str, Any]) -> PackageWheel:
    """Return a wheel of a list as ``packaging`` reads it, with all its checks."""
    from packaging.pylock import Pylock

    fields = {k: v for k, v in row.items() if k not in ("package", "version", "architectures")}
    package = {"name": row["package"], "version": row["version"], "wheels": [fields]}
    document = {"lock-version": "1.0", "created-by": "wheelship", "packages": [package]}
    (wheel,) = Pylock.from_dict(document).packages[0].wheels or ()
    return wheel
