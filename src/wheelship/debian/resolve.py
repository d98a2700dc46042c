# SPDX-License-Identifier: Apache-2.0
"""From "Python 3.11 on bookworm" to a lock of exact packages, trusted from the signature down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from wheelship.debian.closure import Closure
from wheelship.debian.distribution import Distribution, Suite, distribution
from wheelship.debian.errors import (
    IndexMismatch,
    InvalidDebianLock,
    ReleaseExpired,
    ReleaseMismatch,
    UnknownPackage,
    UnsatisfiedDependency,
)
from wheelship.debian.fetch import Fetch
from wheelship.debian.index import (
    INDEX_LIMIT_BYTES,
    Available,
    PackageIndex,
    SuiteIndex,
    read_index,
)
from wheelship.debian.keyring import archive_certificates, unexpired
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
    seen: Mapping[str, str] | None = None,
) -> DebianLock:
    """Choose the packages of a base image.

    ``release`` is a codename, or a table of its own making; ``architecture`` is Debian's name
    (``amd64``, ``arm64``); ``now`` is an aware time. The exact packages of ``keep`` win over newer
    ones where the archive still has them, unless they no longer fit together. ``seen`` are the
    dates of release files that were locked before, by suite (RFC 3339): an older one is refused,
    as nothing else tells that somebody holds back the updates of a suite that never expires.

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
    archive = _Archive(table, architecture, mirrors, fetch, now, emit, subject, keyring, seen or {})
    releases = [archive.release(suite) for suite in table.suites]
    index = PackageIndex([archive.index(one) for one in releases])
    groups = _groups(table, system_packages, flavour)
    try:
        packages = _choose(index, table, groups, architecture, keep)
    except UnsatisfiedDependency:
        if keep is None:
            raise
        packages = _choose(index, table, groups, architecture, None)
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
        seen: Mapping[str, str],
    ) -> None:
        self._table = table
        self._architecture = architecture
        self._mirrors = mirrors
        self._fetch = fetch
        self._now = now
        self._emit = emit
        self._subject = subject
        self._keyring = keyring
        self._seen = seen

    def release(self, suite: Suite) -> Release:
        url = f"{self._address(suite)}/InRelease"
        where = without_credentials(url)
        data = self._get(url, _RELEASE_LIMIT_BYTES)
        certificates = unexpired(self._keyring(suite.keys), self._now, where=where)
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
        self._check_rollback(release, where)
        return release

    def _check_rollback(self, release: Release, where: str) -> None:
        date, before = f"{release.date:%Y-%m-%dT%H:%M:%SZ}", self._seen.get(release.suite.name, "")
        if date >= before:
            return
        what = f"the release file of {release.suite.name} is of {date}, older than {before}"
        if not self._mirrors.dated:
            self._emit(Warned("release-expired", f"{where}: {what}, which is locked"))
            return
        raise ReleaseExpired(
            f"{what}, which is locked: the mirror is behind, or somebody holds back updates",
            where=where,
            hint="set another `debian-mirror`; to go back on purpose, remove wheelship.lock",
        )

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
        try:
            data = self._fetch(url, limit_bytes=limit_bytes)
        except NetworkError as error:
            error.hint = error.hint or "is it a Debian mirror? Set another `debian-mirror`"
            raise
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
    architecture: str,
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
        _locked(
            package,
            "base" if name in base else "system",
            architecture,
            requested=name in requested,
        )
        for name, package in sorted(closure.chosen.items())
    )


def _locked(
    package: Available, group: Group, architecture: str, *, requested: bool
) -> LockedPackage:
    """Return what the lock says; what no lock could say is the fault of the archive's index."""
    if package.architecture not in ("all", architecture):
        raise IndexMismatch(
            f"the index for {architecture} offers {package.name} for {package.architecture}"
        )
    try:
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
    except InvalidDebianLock as error:
        what = f"the index describes {package.name} in a way that is not possible: {error.message}"
        raise IndexMismatch(what) from error
