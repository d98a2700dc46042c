# SPDX-License-Identifier: Apache-2.0
"""Locks the variants of a project in one run: wheels and base together, each variant on its own.

The locks of a variant's wheels and of its base belong together, so both are written or neither. A
variant that fails takes nothing from the others: their locks are written all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.build.foundation import base_lock, base_targets
from wheelship.build.lockfile import LOCK_NAME, all_or_nothing
from wheelship.build.maker import lock_makers, maker_of
from wheelship.build.model import Surroundings
from wheelship.build.wheel_lock import resolve_wheels
from wheelship.debian.lock import DebianLock
from wheelship.errors import InputError, WheelshipError
from wheelship.events import Warned
from wheelship.lock.change import LockChange, LockEntry, compare_locks
from wheelship.lock.document import lock_path
from wheelship.lock.errors import LockOutOfDate
from wheelship.lock.inputs import lock_inputs
from wheelship.oci.platform import Platform
from wheelship.plan.model import Foundation
from wheelship.request.model import Request, Variant

if TYPE_CHECKING:
    from wheelship.lock.read import Lock
    from wheelship.lock.upgrade import Upgrade

__all__ = ["UnknownPackage", "VariantLocked", "check_locks", "lock_variants"]


class UnknownPackage(InputError):
    """A package that is to be upgraded is in no lock."""

    code = "unknown-package"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantLocked:
    """What locking one variant changed: among its wheels, and among what its base is made of."""

    wheels: LockChange
    base: LockChange


def lock_variants(
    request: Request,
    variants: Iterable[Variant],
    around: Surroundings,
    upgrade: Upgrade,
    *,
    native: Platform,
    write: bool = True,
    done: Callable[[str, VariantLocked], None],
) -> None:
    """Lock ``variants`` one after the other and tell ``done`` of each that succeeded.

    Without ``write`` the project is left as it was, and ``done`` hears what would change. What
    ``native``, this machine, compiles with is locked too where a variant is for other platforms.

    Raises:
        WheelshipError: of the first variant that failed; the others are locked. What is wrong with
            further ones is said by events.
        UnknownPackage: what is to be upgraded is nowhere.
    """
    variants = list(variants)
    _check_known(request, variants, upgrade, around)
    failed: dict[str, WheelshipError] = {}
    made: list[Lock] = []
    root = request.project.root
    with ExitStack() as stack:
        if not write:
            stack.enter_context(all_or_nothing([root / LOCK_NAME], keep=False))
        for variant in variants:
            try:
                change, lock = _lock(
                    request, variant, around, upgrade, tuple(made), native=native, write=write
                )
            except WheelshipError as error:
                failed[variant.name] = error
            else:
                made.append(lock)
                done(variant.name, change)
    for name, further in list(failed.items())[1:]:
        message = f"{name} was not locked either: [{further.code}] {_placed(further)}"
        around.emit(Warned("not-locked", message, hint=further.hint))
    for first in failed.values():
        raise first


def check_locks(
    request: Request, variants: Iterable[Variant], around: Surroundings, *, native: Platform
) -> None:
    """Check that the locks of ``variants`` are what the project asks for now; nothing is resolved.

    Raises:
        LockOutOfDate: they are not; the error says how they differ, variant by variant.
        MissingLock, InvalidLock: a lock is not there, or damaged.
    """
    from wheelship.lock.locking import targets_of
    from wheelship.lock.read import read_lock

    lines: list[str] = []
    names: list[str] = []
    for variant in variants:
        path = lock_path(request.project.root, variant.name)
        try:
            targets, _ = base_targets(request, variant, around, mode="locked")
            lock = read_lock(path)
            lock.require_current(lock_inputs(request.project, variant, targets))
            for target in targets or targets_of(variant):
                lock.select(target)
                base, _ = base_lock(request, variant, target.platform, around, mode="locked")
                maker_of(request, variant, base, native, around, mode="locked")
        except LockOutOfDate as error:
            names.append(Path(error.where or "").name)
            lines += [f"{variant.name}: {line}" for line in error.differences]
    if lines:
        raise LockOutOfDate(
            ", ".join(dict.fromkeys(names)), lines, hint="wheelship lock, and commit what it writes"
        )


def _check_known(
    request: Request, variants: Iterable[Variant], upgrade: Upgrade, around: Surroundings
) -> None:
    """See that what is to be upgraded is a package of these variants, and may be upgraded here."""
    from wheelship.lock.read import read_locks
    from wheelship.request.choice import chosen_requirements
    from wheelship.request.requirement import requirement_name
    from wheelship.request.table import nearest_key

    chosen = list(variants)
    if request.project.uv_lock and (upgrade.everything or upgrade.packages):
        names = "".join(f" --upgrade-package {one}" for one in sorted(upgrade.packages))
        text = "the versions of wheels are those of uv.lock, which wheelship does not change"
        around.emit(Warned("uv-lock-decides", text, hint=f"uv lock{names or ' --upgrade'}"))
    locks = read_locks(lock_path(request.project.root, one.name) for one in chosen)
    if len(locks) < len(chosen):
        return  # what is not locked yet may bring anything
    known = {name for lock in locks for name, _ in lock.versions()}
    built = [pins for lock in locks for pins in lock.build_pins(lambda _: True).values()]
    known |= {name for pins in built for name in pins}
    known |= {
        requirement_name(text)
        for one in chosen
        for text in chosen_requirements(request.project, one)
    }
    for name in sorted(upgrade.packages - known):
        nearest = nearest_key(name, known)
        raise UnknownPackage(
            f"{name} is not locked for {', '.join(one.name for one in chosen)}",
            where="--upgrade",
            hint=f"did you mean {nearest!r}?" if nearest else "see pylock.*.toml for the names",
        )


def _lock(
    request: Request,
    variant: Variant,
    around: Surroundings,
    upgrade: Upgrade,
    made: tuple[Lock, ...],
    *,
    native: Platform,
    write: bool,
) -> tuple[VariantLocked, Lock]:
    root = request.project.root
    paths = [root / LOCK_NAME, lock_path(root, variant.name)]
    with all_or_nothing(paths):
        before = _base(request, variant, around)
        everything = upgrade.everything
        targets, _ = base_targets(request, variant, around, mode="update", upgrade=everything)
        resolved = resolve_wheels(request, variant, around, upgrade, targets=targets, made=made)
        for platform in () if targets else variant.platforms:
            base_lock(request, variant, platform, around, mode="update", upgrade=upgrade.everything)
        lock_makers(request, variant, native, around, upgrade=upgrade.everything)
        if write:
            resolved.write()
        base = compare_locks(before, _base(request, variant, around))
    return VariantLocked(wheels=resolved.change, base=base), resolved.lock


def _base(request: Request, variant: Variant, around: Surroundings) -> list[LockEntry]:
    """Return what the locked base of a variant is made of, as far as it is locked."""
    found: list[LockEntry] = []
    for platform in sorted(set(variant.platforms)):
        try:
            base, _ = base_lock(request, variant, platform, around, mode="frozen")
        except LockOutOfDate:
            continue
        found += _parts(base, str(platform))
    return found


def _parts(base: Foundation, platform: str) -> Iterator[LockEntry]:
    if isinstance(base, DebianLock):
        for one in base.packages:
            yield LockEntry(
                platform=platform, name=one.name, version=one.version, size_bytes=one.size_bytes
            )
        return
    size = sum(layer.size_bytes for layer in base.layers)
    yield LockEntry(
        platform=platform, name=base.reference, version=str(base.digest), size_bytes=size
    )


def _placed(error: WheelshipError) -> str:
    return f"{error.where}: {error.message}" if error.where else error.message
