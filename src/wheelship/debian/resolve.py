# SPDX-License-Identifier: Apache-2.0
"""From "Python 3.11 on bookworm" to a lock of exact packages, trusted from the signature down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from wheelship.debian.closure import Closure
from wheelship.debian.distribution import Distribution, Suite, distribution
from wheelship.debian.errors import ReleaseMismatch, UnknownPackage, UnsatisfiedDependency
from wheelship.debian.fetch import Fetch
from wheelship.debian.index import (
    INDEX_LIMIT_BYTES,
    Available,
    PackageIndex,
    SuiteIndex,
    read_index,
)
from wheelship.debian.keyring import archive_certificates
from wheelship.debian.lock import DebianLock, Group, LockedPackage, LockedSuite
from wheelship.debian.mirror import Mirrors, without_credentials
from wheelship.debian.release import IndexFile, Release, check_dates, read_release
from wheelship.errors import NetworkError
from wheelship.events import Advanced, Emit, Finished, Started, Warned

if TYPE_CHECKING:
    from pysequoia import Cert

__all__ = ["Flavour", "Keyring", "resolve"]

Flavour: TypeAlias = Literal["debian", "debian-debug"]
Keyring: TypeAlias = "Callable[[Iterable[str]], dict[str, Cert]]"

_RELEASE_LIMIT_BYTES = 4 * 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def resolve(  # noqa: PLR0913 - one call is one resolution; every input is named
    release: str | Distribution,
    architecture: str,
    system_packages: Sequence[str],
    mirrors: Mirrors,
    fetch: Fetch,
    now: datetime,
    emit: Emit,
    *,
    flavour: Flavour = "debian",
    keep: DebianLock | None = None,
    keyring: Keyring = archive_certificates,
) -> DebianLock:
    """Choose the packages of a base image.

    ``release`` is a codename, or a table of its own making; ``architecture`` is Debian's name
    (``amd64``, ``arm64``); ``now`` is an aware time. The exact packages of ``keep`` win over newer
    ones where the archive still has them, unless they no longer fit together.

    Raises:
        ArchiveUntrusted, ReleaseMismatch, ReleaseExpired, IndexMismatch: the mirror cannot be
            trusted, or is out of date.
        NetworkError: ``fetch`` failed.
        UnknownRelease, UnknownPackage, UnsatisfiedDependency, ConflictingPackages: what was asked
            for cannot be had.
    """
    table = distribution(release) if isinstance(release, str) else release
    for name in system_packages:
        if not _NAME.fullmatch(name):
            raise UnknownPackage(
                f"{name!r} is no name of a Debian package",
                where="system-packages",
                hint="names only: lower-case letters, digits and + - .; the lock pins versions",
            )
    subject = f"debian {table.codename} {architecture}"
    emit(Started("resolve", subject))
    archive = _Archive(table, architecture, mirrors, fetch, now, emit, subject, keyring)
    releases = [archive.release(suite) for suite in table.suites]
    index = PackageIndex([archive.index(one) for one in releases])
    groups = _groups(table, system_packages, flavour)
    try:
        packages = _choose(index, table, groups, keep)
    except UnsatisfiedDependency:
        if keep is None:
            raise
        packages = _choose(index, table, groups, None)
    lock = DebianLock(
        release=table.codename,
        architecture=architecture,
        suites=tuple(
            LockedSuite(
                name=one.suite.name,
                archive=one.suite.archive,
                date=f"{one.date:%Y-%m-%dT%H:%M:%SZ}",
            )
            for one in releases
        ),
        packages=packages,
    )
    emit(Finished("resolve", subject, "done", f"{len(packages)} packages"))
    return lock


class _Archive:
    """The suites of one release as a mirror offers them."""

    def __init__(  # noqa: PLR0913, PLR0917 - the inputs of the one function above
        self,
        table: Distribution,
        architecture: str,
        mirrors: Mirrors,
        fetch: Fetch,
        now: datetime,
        emit: Emit,
        subject: str,
        keyring: Keyring,
    ) -> None:
        self._table = table
        self._architecture = architecture
        self._mirrors = mirrors
        self._fetch = fetch
        self._now = now
        self._emit = emit
        self._subject = subject
        self._keyring = keyring

    def release(self, suite: Suite) -> Release:
        url = f"{self._address(suite)}/InRelease"
        where = without_credentials(url)
        data = self._get(url, _RELEASE_LIMIT_BYTES)
        certificates = self._keyring(suite.keys)
        release = read_release(data, suite, self._table, certificates, where=where)
        if self._mirrors.dated:
            check_dates(release, self._now, where=where)
        elif release.valid_until is not None and release.valid_until < self._now:
            self._emit(
                Warned(
                    "release-expired",
                    f"{where} was valid until {release.valid_until:%Y-%m-%d} only; this machine's"
                    " apt is told not to mind, so it is accepted",
                    hint="set `debian-mirror` to a mirror that is kept up to date",
                )
            )
        return release

    def index(self, release: Release) -> SuiteIndex:
        directory = f"main/binary-{self._architecture}"
        address = self._address(release.suite)
        packed = self._file(release, f"{directory}/Packages.xz")
        unpacked = self._file(release, f"{directory}/Packages")
        url = f"{address}/{directory}/Packages.xz"
        data: bytes | None = None
        if release.by_hash:
            # By its hash the file stays the same one while the mirror is being updated.
            try:
                data = self._get(
                    f"{address}/{directory}/by-hash/SHA256/{packed.sha256}", packed.size_bytes
                )
            except NetworkError:
                data = None  # some caching proxies do not know by-hash
        if data is None:
            data = self._get(url, packed.size_bytes)
        where = without_credentials(url)
        return read_index(data, release.suite, packed, unpacked, where=where)

    def _file(self, release: Release, name: str) -> IndexFile:
        file = release.files.get(name)
        if file is None or file.size_bytes > INDEX_LIMIT_BYTES:
            raise ReleaseMismatch(
                f"{release.suite.name} offers no usable {name}",
                where=without_credentials(self._address(release.suite)),
                hint=f"is {self._architecture} an architecture of Debian {self._table.version}?",
            )
        return file

    def _address(self, suite: Suite) -> str:
        return f"{self._mirrors.address(suite.archive)}/dists/{suite.name}"

    def _get(self, url: str, limit_bytes: int) -> bytes:
        data = self._fetch(url, limit_bytes=limit_bytes)
        self._emit(Advanced("resolve", self._subject, len(data)))
        return data


def _groups(
    table: Distribution, system_packages: Sequence[str], flavour: Flavour
) -> dict[Group, list[str]]:
    debug = table.debug if flavour == "debian-debug" else ()
    return {
        "base": [seed.name for seed in table.seeds],
        "system": [*(seed.name for seed in debug), *sorted(set(system_packages))],
    }


def _choose(
    index: PackageIndex,
    table: Distribution,
    groups: dict[Group, list[str]],
    keep: DebianLock | None,
) -> tuple[LockedPackage, ...]:
    preferred = {one.name: (one.version, one.sha256) for one in keep.packages} if keep else {}
    closure = Closure(index=index, cuts=table.cuts, preferred=preferred)
    # The base is closed first, so that it is the same whatever a project adds to it.
    closure.add(groups["base"])
    base = frozenset(closure.chosen)
    closure.add(groups["system"])
    closure.check_conflicts()
    requested = frozenset(groups["system"])
    return tuple(
        _locked(package, "base" if name in base else "system", requested=name in requested)
        for name, package in sorted(closure.chosen.items())
    )


def _locked(package: Available, group: Group, *, requested: bool) -> LockedPackage:
    return LockedPackage(
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        archive=package.archive,
        filename=package.filename,
        sha256=package.sha256,
        size_bytes=package.size_bytes,
        source=package.source,
        source_version=package.source_version,
        group=group,
        requested=requested,
    )
