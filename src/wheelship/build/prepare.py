# SPDX-License-Identifier: Apache-2.0
"""From a request to the plan of one image: locks that are current, wheels selected, sources read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from wheelship.build.lockfile import LOCK_NAME, find_debian, read_lock, write_lock
from wheelship.debian.distribution import distribution, release_with_python
from wheelship.debian.fetch import Fetch
from wheelship.debian.lock import DebianLock, LockedPackage
from wheelship.debian.mirror import Mirrors, choose_mirrors, package_urls
from wheelship.errors import InputError
from wheelship.events import Emit
from wheelship.oci.platform import Platform
from wheelship.plan.make import Inputs, plan_image
from wheelship.plan.model import ImagePlan
from wheelship.request.model import Accelerator, Request, Variant
from wheelship.request.sources import snapshot
from wheelship.store.store import Store
from wheelship.wheel.install import Environment
from wheelship.wheel.script import console_script

__all__ = [
    "LockMode",
    "LockOutOfDate",
    "NotSupportedYet",
    "Prepared",
    "Surroundings",
    "UnknownVariant",
    "choose_variants",
    "mirrors_of",
    "package_locations",
    "prepare",
]

LockMode: TypeAlias = Literal["update", "locked", "frozen"]
"""``update`` re-locks what changed, ``locked`` fails instead, ``frozen`` does not look."""


class UnknownVariant(InputError):
    """The configuration has no variant of that name."""

    code = "unknown-variant"


class NotSupportedYet(InputError):
    """The request is right, and this release cannot build it."""

    code = "not-supported-yet"


class LockOutOfDate(InputError):
    """The lock does not fit the request, and the caller forbade to change it."""

    code = "lock-out-of-date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The ambient things preparation needs; ``fetch`` is made when the network is first needed.

    Attributes:
        environ: the environment that uv gets, and that names indexes.
        apt: directory of apt's configuration, or None where there is none.
        now: the time, for the validity of release files.
        created: the time that the image shall carry (RFC 3339).
    """

    store: Store
    emit: Emit
    environ: Mapping[str, str]
    fetch: Callable[[], Fetch]
    apt: Path | None
    now: datetime
    created: str
    offline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The plan of one image, the base's lock, and what was done about the locks.

    ``lock`` says it in words: ``unchanged``, ``not looked at``, or which parts were written.
    """

    plan: ImagePlan
    variant: Variant
    debian: DebianLock
    find_links: tuple[Path, ...]
    indexes: tuple[str, ...]
    lock: str


def choose_variants(request: Request, names: tuple[str, ...], *, every: bool) -> list[Variant]:
    """Return the variants to build.

    Raises:
        UnknownVariant: there is none of that name.
    """
    if every:
        return list(request.variants.values())
    chosen: list[Variant] = []
    for name in names or (request.default_variant,):
        if name not in request.variants:
            known = ", ".join(sorted(request.variants))
            raise UnknownVariant(f"there is no variant {name!r}", hint=f"known variants: {known}")
        chosen.append(request.variants[name])
    return chosen


def package_locations(
    prepared: Prepared, around: Surroundings
) -> Callable[[LockedPackage], tuple[str, ...]]:
    """Return the function that tells where a package of the base can be had."""

    def locate(package: LockedPackage) -> tuple[str, ...]:
        return package_urls(package, prepared.debian, mirrors_of(prepared.variant, around))

    return locate


def mirrors_of(variant: Variant, around: Surroundings) -> Mirrors:
    """Return where this variant's Debian packages come from."""
    return choose_mirrors(
        distribution(release_with_python(variant.python)),
        explicit=variant.sources.debian_mirror,
        apt=around.apt,
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
    entries = read_lock(path)
    release = release_with_python(variant.python)
    wanted = variant.system_packages
    found = find_debian(entries, release, platform.architecture, wanted)
    if found is not None and not upgrade:
        return found, False
    if mode != "update":
        raise LockOutOfDate(
            f"holds no base of {release} for {platform}"
            + (f" with {', '.join(sorted(wanted))}" if wanted else ""),
            where=str(path),
            hint="run `wheelship lock` and commit what it writes",
        )
    from wheelship.debian.resolve import resolve

    same = [
        one
        for one in entries
        if (one.release, one.architecture) == (release, platform.architecture)
    ]
    made = resolve(
        release,
        platform.architecture,
        wanted,
        mirrors_of(variant, around),
        around.fetch(),
        around.now,
        around.emit,
        keep=None if upgrade or not same else same[0],
    )
    needed = _needed(request)
    kept = [
        one
        for one in entries
        if one != found and (one.release, one.architecture, one.requested) in needed
    ]
    write_lock(path, [*kept, made])
    return made, True


def _needed(request: Request) -> set[tuple[str, str, tuple[str, ...]]]:
    return {
        (release_with_python(one.python), platform.architecture, tuple(sorted(set(one.system_packages))))
        for one in request.variants.values()
        for platform in one.platforms
    }


def check_supported(variant: Variant, platform: Platform, native: Platform) -> None:
    """Refuse what this release cannot build, before anything is resolved.

    Raises:
        NotSupportedYet: with what can be built instead.
    """
    if variant.accelerator is not Accelerator.CPU:
        raise NotSupportedYet(
            f"variant {variant.name} is for {variant.accelerator}; this release builds cpu images",
            hint="wheelship build --variant cpu",
        )
    if platform != native:
        raise NotSupportedYet(
            f"an image for {platform} cannot be built on {native} yet",
            hint=f"wheelship build --platform {native}",
        )
