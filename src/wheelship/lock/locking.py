# SPDX-License-Identifier: Apache-2.0
"""Makes the lock of a variant: resolves each platform, checks the result, writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelship.errors import InputError
from wheelship.events import Emit, Finished, Started
from wheelship.lock.allowed import check_allowed
from wheelship.lock.backend import pin_builds
from wheelship.lock.change import LockChange, LockEntry, compare_locks
from wheelship.lock.consistency import check_machine, check_selection, subject_of
from wheelship.lock.current import check_current
from wheelship.lock.document import lock_path, render_lock, write_lock
from wheelship.lock.errors import LockLacksPlatform, MissingLock
from wheelship.lock.held import NOTHING_HELD, held_versions, resolve_held
from wheelship.lock.inputs import LockInputs, lock_inputs
from wheelship.lock.machine import MachineSources
from wheelship.lock.model import Locked, LockedSource
from wheelship.lock.preference import Preferences, Siblings
from wheelship.lock.read import Lock, parse_lock, read_lock
from wheelship.lock.remarks import remarks_on
from wheelship.lock.resolve import Resolver
from wheelship.lock.target import Target
from wheelship.lock.upgrade import Upgrade
from wheelship.lock.uv import Uv
from wheelship.lock.uv_lock import read_uv_lock
from wheelship.request.choice import allowed_hashes, chosen_extras
from wheelship.request.model import Project, Variant
from wheelship.request.requirement import requirement_name
from wheelship.variant.accelerator import accelerator_row

__all__ = [
    "LockContext",
    "Resolved",
    "resolve_variant",
    "targets_of",
]

_KEEP_ALL = Upgrade()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockContext:
    """The ambient things a resolution needs.

    Attributes:
        uv: the program (``uv.find_uv_bin()``).
        python: this process's interpreter.
        environment: all environment variables.
        machine: pip's and uv's settings for where packages come from.
        size_of: asks a server for the size of a file (:meth:`Fetcher.size`).
        source: returns the local file or directory of a source, fetched if need be; None = nothing
            may be built.
        temporary: where temporary files may be made; None = the system's place.
    """

    uv: Path
    python: Path
    environment: Mapping[str, str]
    machine: MachineSources
    size_of: Callable[[str], int | None]
    emit: Emit
    offline: bool = False
    source: Callable[[LockedSource], Path] | None = None
    temporary: Path | None = None


def targets_of(variant: Variant) -> tuple[Target, ...]:
    """Return what the lock of ``variant`` covers, on the base debian."""
    platforms = sorted(set(variant.platforms))
    return tuple(Target(python=variant.python, platform=platform) for platform in platforms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A lock that is made and not written yet."""

    path: Path
    text: str
    change: LockChange

    @property
    def lock(self) -> Lock:
        """The lock as its readers see it."""
        return parse_lock(self.text.encode(), self.path)

    def write(self) -> bool:
        """Write it; see :func:`~wheelship.lock.document.write_lock`."""
        return write_lock(self.path, self.text)


_ALONE = Siblings()


def resolve_variant(
    project: Project,
    variant: Variant,
    context: LockContext,
    upgrade: Upgrade = _KEEP_ALL,
    *,
    targets: tuple[Target, ...] = (),
    siblings: Siblings = _ALONE,
) -> Resolved:
    """Resolve ``variant``; nothing is written.

    ``targets`` are what it is to cover where the base is another image than Debian's.

    Versions of an existing lock are kept where the requirements allow it and ``upgrade`` does not
    say otherwise; what is new prefers the versions of ``siblings``. Where the project has a
    ``uv.lock``, its versions are taken over.

    Raises:
        Unresolvable, SdistOnly, NotAWheel, MissingHash: the requirements have no usable answer.
        InconsistentPackages, AcceleratorLacksPlatform: the answer does not suit the accelerator.
        UvLockOutOfDate, UvLockMisfit, HashDiffers: the versions of ``uv.lock`` cannot be used.
        InvalidLock: there is a lock, but it is damaged; its versions would be lost.
        NetworkError, MachineError: an index, uv or the disk failed.
    """
    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    targets = targets or targets_of(variant)
    check_machine(row, targets)
    path = lock_path(project.root, variant.name)
    before = _existing(path)
    resolver = _resolver(project, variant, context, targets)
    universal = read_uv_lock(project.root / "uv.lock") if project.uv_lock else None
    selections: dict[Target, tuple[Locked, ...]] = {}
    context.emit(Started("resolve", variant.name))
    try:
        for target in targets:
            held = NOTHING_HELD
            if universal is not None:
                check_current(universal, project, variant, target)
                held = held_versions(
                    universal, project, variant, target, row, resolver.local_wheels()
                )
            pins = Preferences(row, before, selections, siblings).of(
                target, upgrade, held.preferred
            )
            # What is new for the first platform is taken over by the others where they can.
            commits = before.commits(upgrade.keeps) if before else {}
            asked = _KEEP_ALL if selections else upgrade
            wheels = resolve_held(resolver, target, pins, asked, held, commits)
            held.check_hashes(wheels)
            check_allowed(wheels, allowed_hashes(project, variant), row)
            check_selection(subject_of(wheels, variant, target))
            selections[target] = wheels
        if context.source is not None:
            kept = before.build_pins(upgrade.keeps) if before else {}
            selections = pin_builds(selections, resolver, context.source, kept, upgrade)
    except BaseException:
        context.emit(Finished("resolve", variant.name, "failed"))
        raise
    packages = {(wheel.name, wheel.version) for one in selections.values() for wheel in one}
    context.emit(Finished("resolve", variant.name, "done", f"{len(packages)} packages"))
    for remark in remarks_on(variant, selections, context.machine, context.environment):
        context.emit(remark)
    return Resolved(
        path=path,
        text=render_lock(resolver.inputs, selections, path.parent),
        change=compare_locks(
            _packages_of(before, targets),
            _packages(selections),
            (_direct(before.inputs if before else None), _direct(resolver.inputs)),
        ),
    )


def _resolver(
    project: Project, variant: Variant, context: LockContext, targets: tuple[Target, ...]
) -> Resolver:
    return Resolver(
        name=project.name,
        inputs=lock_inputs(project, variant, targets),
        row=accelerator_row(variant.accelerator, variant.accelerator_version),
        sources=variant.sources,
        machine=context.machine,
        uv=Uv(
            binary=context.uv,
            python=context.python,
            environment=context.environment,
            offline=context.offline,
        ),
        size_of=context.size_of,
        rules=None if context.source is None else variant.sdist,
        temporary=context.temporary,
        settings=project.uv,
        uv_sources=project.uv.chosen(chosen_extras(project, variant), variant.groups),
        emit=context.emit,
    )


def _existing(path: Path) -> Lock | None:
    try:
        return read_lock(path)
    except MissingLock:
        return None


def _direct(inputs: LockInputs | None) -> frozenset[str]:
    return (
        frozenset(requirement_name(text) for text in inputs.requirements) if inputs else frozenset()
    )


def _packages_of(lock: Lock | None, targets: Iterable[Target]) -> Iterator[LockEntry]:
    """Yield what a lock held; where it cannot be used as it stands, its versions alone."""
    if lock is None:
        return
    for target in targets:
        try:
            yield from _packages({target: lock.select(target)})
        except LockLacksPlatform:
            continue
        except InputError:
            for name, version in lock.pins(target).items():
                yield LockEntry(platform=str(target.platform), name=name, version=version)


def _packages(selections: Mapping[Target, Iterable[Locked]]) -> Iterator[LockEntry]:
    for target, wheels in selections.items():
        for wheel in wheels:
            yield LockEntry(
                platform=str(target.platform),
                name=wheel.name,
                version=wheel.version,
                size_bytes=wheel.size_bytes,
                requires=wheel.requires,
            )
