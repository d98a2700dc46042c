# SPDX-License-Identifier: Apache-2.0
"""What changed between two locks: which versions, who wants them, how many bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["LockChange", "LockEntry", "PackageChange", "compare_locks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """One package of a lock, whatever its kind.

    Attributes:
        platform: as text, ``linux/amd64``.
        size_bytes: of its file, as it is fetched; 0 where it is not known.
        requires: names of what it depends on, as far as the lock tells.
    """

    platform: str
    name: str
    version: str
    size_bytes: int = 0
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """What happened to one package; ``old`` or ``new`` is None where it was added or removed.

    Attributes:
        old, new: versions; several, one per platform, are joined by a comma.
        direct: the project itself requires it.
        via: the packages that require it.
        growth_bytes: by platform, what its file grew by.
    """

    name: str
    old: str | None
    new: str | None
    direct: bool = False
    via: tuple[str, ...] = ()
    growth_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChange:
    """What a new lock changed.

    Attributes:
        packages: by name.
        bytes: by platform, the sum of all files before (None: the platform is new) and now.
    """

    packages: tuple[PackageChange, ...] = ()
    bytes: Mapping[str, tuple[int | None, int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.packages)

    @property
    def added(self) -> tuple[PackageChange, ...]:
        """What was not there before."""
        return tuple(one for one in self.packages if one.old is None)

    @property
    def removed(self) -> tuple[PackageChange, ...]:
        """What is there no more."""
        return tuple(one for one in self.packages if one.new is None)

    @property
    def changed(self) -> tuple[PackageChange, ...]:
        """What has another version."""
        return tuple(one for one in self.packages if None not in (one.old, one.new))


def compare_locks(
    old: Iterable[LockEntry],
    new: Iterable[LockEntry],
    direct: tuple[Collection[str], Collection[str]] = ((), ()),
) -> LockChange:
    """Compare the packages of two locks, all platforms together.

    ``direct`` are the packages that the project itself required before, and requires now.
    """
    before, after = list(old), list(new)
    was, now = _versions(before), _versions(after)
    parents = _parents(before), _parents(after)
    platforms = sorted({one.platform for one in after})
    return LockChange(
        packages=tuple(
            PackageChange(
                name=name,
                old=was.get(name),
                new=now.get(name),
                direct=name in direct[name in now],
                via=(parents[1] if name in now else parents[0]).get(name, ()),
                growth_bytes=dict(_growth(name, before, after, platforms)),
            )
            for name in sorted(was.keys() | now.keys())
            if was.get(name) != now.get(name)
        ),
        bytes={
            platform: (
                _sum(before, platform) if any(one.platform == platform for one in before) else None,
                _sum(after, platform),
            )
            for platform in platforms
        },
    )


def _versions(packages: Iterable[LockEntry]) -> Mapping[str, str]:
    found: dict[str, set[str]] = {}
    for one in packages:
        found.setdefault(one.name, set()).add(one.version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _parents(packages: Iterable[LockEntry]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for one in packages:
        for child in one.requires:
            found.setdefault(child, set()).add(one.name)
    return {name: tuple(sorted(names)) for name, names in found.items()}


def _growth(
    name: str, before: Iterable[LockEntry], after: Iterable[LockEntry], platforms: Iterable[str]
) -> Iterator[tuple[str, int]]:
    def size(packages: Iterable[LockEntry], platform: str) -> int:
        return sum(
            one.size_bytes for one in packages if (one.name, one.platform) == (name, platform)
        )

    for platform in platforms:
        yield platform, size(after, platform) - size(before, platform)


def _sum(packages: Iterable[LockEntry], platform: str) -> int:
    return sum(one.size_bytes for one in packages if one.platform == platform)
