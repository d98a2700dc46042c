# SPDX-License-Identifier: Apache-2.0
"""What images stand on: locked as Debian packages or as another image, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from wheelship.base.model import BaseImage
from wheelship.build.lockfile import LOCK_NAME, RELOCK, find_debian, read_lock, write_lock
from wheelship.build.model import LockMode, Prepared, Surroundings
from wheelship.debian.distribution import distribution, release_with_python
from wheelship.debian.lock import DebianLock, LockedPackage
from wheelship.debian.mirror import Mirrors, choose_mirrors, package_urls
from wheelship.lock.errors import LockOutOfDate
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.plan.model import Foundation
from wheelship.request.model import Request, Variant

if TYPE_CHECKING:
    from wheelship.build.bases import StoredBase

__all__ = [
    "base_lock",
    "base_targets",
    "debian_lock",
    "debian_maker",
    "mirrors_of",
    "package_locations",
    "stored_base",
]

_Names: TypeAlias = tuple[str, str, tuple[str, ...]]
"""What names an entry: release, architecture, system packages."""


def package_locations(
    prepared: Prepared, around: Surroundings
) -> Callable[[LockedPackage], tuple[str, ...]]:
    """Return the function that tells where a package of the base can be had."""
    locks = [one for one in (prepared.base, prepared.maker) if isinstance(one, DebianLock)]

    def locate(package: LockedPackage) -> tuple[str, ...]:
        lock = next(one for one in locks if package in one.packages)
        return package_urls(package, lock, mirrors_of(prepared.variant, around))

    return locate


def mirrors_of(variant: Variant, around: Surroundings) -> Mirrors:
    """Return where this variant's Debian packages come from."""
    return choose_mirrors(
        distribution(release_with_python(variant.python)),
        explicit=variant.sources.debian_mirror,
        apt=around.apt,
    )


def base_lock(
    request: Request,
    variant: Variant,
    platform: Platform,
    around: Surroundings,
    *,
    mode: LockMode,
    upgrade: bool = False,
) -> tuple[Foundation, bool]:
    """Return what images of ``variant`` stand on, and whether ``wheelship.lock`` was written.

    Raises:
        WheelshipError: see :func:`debian_lock` and :func:`wheelship.build.bases.image_lock`.
    """
    if variant.base == "debian":
        return debian_lock(request, variant, platform, around, mode=mode, upgrade=upgrade)
    from wheelship.build.bases import check_links, image_lock, source_of

    image, written = image_lock(
        request,
        variant,
        platform,
        around.store,
        lambda: source_of(variant.base, request.project.root, around.registry, around.emit),
        around.emit,
        update=mode == "update",
        upgrade=upgrade,
    )
    check_links(image, variant)
    return image, written


def base_targets(
    request: Request,
    variant: Variant,
    around: Surroundings,
    *,
    mode: LockMode,
    upgrade: bool = False,
) -> tuple[tuple[Target, ...], bool]:
    """Return what wheels are chosen for where the base is an image; nothing where it is debian.

    And whether ``wheelship.lock`` was written for that.

    Raises:
        WheelshipError: see :func:`base_lock`.
    """
    if variant.base == "debian":
        return (), False
    from wheelship.build.bases import target_of

    found = [
        base_lock(request, variant, platform, around, mode=mode, upgrade=upgrade)
        for platform in sorted(set(variant.platforms))
    ]
    targets = tuple(target_of(one) for one, _ in found if isinstance(one, BaseImage))
    return targets, any(written for _, written in found)


def stored_base(prepared: Prepared, root: Path, around: Surroundings) -> StoredBase | None:
    """Return where the layers of the base come from; None where the base is debian."""
    base = prepared.base
    if not isinstance(base, BaseImage):
        return None
    from wheelship.build.bases import StoredBase, source_of

    return StoredBase(
        around.store, lambda: source_of(base.reference, root, around.registry, around.emit)
    )


def debian_lock(
    request: Request,
    variant: Variant,
    platform: Platform,
    around: Surroundings,
    *,
    mode: LockMode,
    upgrade: bool = False,
) -> tuple[DebianLock, bool]:
    """Return the base's lock, and whether ``wheelship.lock`` was written for it.

    Raises:
        LockOutOfDate: it is missing or does not fit, and ``mode`` forbids to make it.
        WheelshipError: see :func:`wheelship.debian.resolve.resolve`.
    """
    path = request.project.root / LOCK_NAME
    release = release_with_python(variant.python)
    wanted = variant.system_packages
    found = find_debian(read_lock(path).debian, release, platform.architecture, wanted)
    if found is not None and not upgrade:
        return found, False
    if mode != "update":
        extra = f" with {', '.join(sorted(wanted))}" if wanted else ""
        raise LockOutOfDate(
            str(path), [f"it holds no base of {release} for {platform}{extra}"], hint=RELOCK
        )
    return _resolved(request, variant, platform, wanted, around, upgrade=upgrade), True


def debian_maker(
    request: Request,
    variant: Variant,
    platform: Platform,
    around: Surroundings,
    *,
    mode: LockMode,
    upgrade: bool = False,
) -> tuple[DebianLock, bool]:
    """Return the lock of the base whose Python compiles on ``platform``, and whether it is new.

    Any base of the release will do; one that has to be locked for this is without system packages,
    so that all variants share it.

    Raises:
        LockOutOfDate: it is missing, and ``mode`` forbids to make it.
        WheelshipError: see :func:`wheelship.debian.resolve.resolve`.
    """
    from wheelship.build.maker import find_debian_maker

    path = request.project.root / LOCK_NAME
    release, wanted = release_with_python(variant.python), variant.system_packages
    entries = read_lock(path).debian
    found = find_debian_maker(entries, release, platform.architecture, wanted)
    if found is not None and not upgrade:
        return found, False
    if mode != "update":
        raise LockOutOfDate(
            str(path),
            [f"it holds no base of {release} for {platform}, whose Python compiles here"],
            hint=f'{RELOCK}, or set bytecode = "none"',
        )
    packages = () if found is None else found.requested
    return _resolved(request, variant, platform, packages, around, upgrade=upgrade), True


def _resolved(
    request: Request,
    variant: Variant,
    platform: Platform,
    wanted: tuple[str, ...],
    around: Surroundings,
    *,
    upgrade: bool,
) -> DebianLock:
    """Resolve a base and write it into the lock, in the place of the one it had."""
    from wheelship.debian.resolve import resolve

    path = request.project.root / LOCK_NAME
    locked = read_lock(path)
    release = release_with_python(variant.python)
    same = [
        one
        for one in locked.debian
        if (one.release, one.architecture) == (release, platform.architecture)
    ]
    made = resolve(
        release,
        platform.architecture,
        wanted,
        mirrors_of(variant, around),
        around.fetcher().fetch_bytes,
        around.now,
        around.emit,
        keep=None if upgrade or not same else same[0],
        seen=_newest_dates(locked.debian, release),
    )
    needed = _needed(request)
    kept = [
        one
        for one in locked.debian
        if one != find_debian(same, release, platform.architecture, wanted)
        and (_names(one) in needed or _may_compile(one, needed))
    ]
    write_lock(path, [*kept, made], locked.images, locked.absent)
    return made


def _newest_dates(entries: Iterable[DebianLock], release: str) -> dict[str, str]:
    """Return the date of the newest release file that was ever locked, by suite."""
    dates: dict[str, str] = {}
    for entry in entries:
        for suite in entry.suites if entry.release == release else ():
            dates[suite.name] = max(suite.date, dates.get(suite.name, ""))
    return dates


def _names(entry: DebianLock) -> _Names:
    return entry.release, entry.architecture, entry.requested


def _may_compile(entry: DebianLock, needed: set[_Names]) -> bool:
    """Tell whether some machine may compile with ``entry``, which is for no image.

    It stays while its release is used: one developer's machine must not drop what another's needs.
    """
    return not entry.requested and entry.release in {release for release, _, _ in needed}


def _needed(request: Request) -> set[_Names]:
    return {
        (
            release_with_python(one.python),
            platform.architecture,
            tuple(sorted(set(one.system_packages))),
        )
        for one in request.variants.values()
        if one.base == "debian"
        for platform in one.platforms
    }
