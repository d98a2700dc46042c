# SPDX-License-Identifier: Apache-2.0
"""Makes the lock of a variant: resolves each platform, checks the result, writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelship.events import Emit, Finished, Started, Warned
from wheelship.fetch.url import has_credentials, origin
from wheelship.lock.consistency import advice_on, check_machine, check_selection, subject_of
from wheelship.lock.document import lock_path, render_lock, write_lock
from wheelship.lock.errors import MissingLock
from wheelship.lock.inputs import lock_inputs
from wheelship.lock.machine import MachineSources
from wheelship.lock.model import LockChange, LockedWheel, compare_locks
from wheelship.lock.read import Lock, read_lock
from wheelship.lock.resolve import Resolver, Upgrade
from wheelship.lock.target import Target
from wheelship.lock.uv import Uv
from wheelship.request.model import Project, Variant
from wheelship.variant.accelerator import accelerator_row

__all__ = ["LockContext", "lock_variant", "targets_of"]

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
        temporary: where temporary files may be made; None = the system's place.
    """

    uv: Path
    python: Path
    environment: Mapping[str, str]
    machine: MachineSources
    size_of: Callable[[str], int | None]
    emit: Emit
    offline: bool = False
    temporary: Path | None = None


def targets_of(variant: Variant) -> tuple[Target, ...]:
    """Return what the lock of ``variant`` covers, on the base debian."""
    platforms = sorted(set(variant.platforms))
    return tuple(Target(python=variant.python, platform=platform) for platform in platforms)


def lock_variant(
    project: Project,
    variant: Variant,
    context: LockContext,
    upgrade: Upgrade = _KEEP_ALL,
    *,
    targets: tuple[Target, ...] = (),
) -> LockChange:
    """Resolve ``variant`` and write its lock; return what changed.

    ``targets`` are what it is to cover where the base is another image than Debian's.

    Versions of an existing lock are kept where the requirements allow it and ``upgrade`` does not
    say otherwise. Nothing is written when anything fails.

    Raises:
        Unresolvable, SdistOnly, NotAWheel, MissingHash: the requirements have no usable answer.
        InconsistentPackages, AcceleratorLacksPlatform: the answer does not suit the accelerator.
        InvalidLock: there is a lock, but it is damaged; its versions would be lost.
        NetworkError, MachineError: an index, uv or the disk failed.
    """
    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    targets = targets or targets_of(variant)
    check_machine(row, targets)
    path = lock_path(project.root, variant.name)
    before = _existing(path)
    inputs = lock_inputs(project, variant, targets)
    uv = Uv(
        binary=context.uv,
        python=context.python,
        environment=context.environment,
        offline=context.offline,
    )
    resolver = Resolver(
        name=project.name,
        inputs=inputs,
        row=row,
        sources=variant.sources,
        machine=context.machine,
        uv=uv,
        size_of=context.size_of,
        temporary=context.temporary,
    )
    selections: dict[Target, tuple[LockedWheel, ...]] = {}
    context.emit(Started("resolve", variant.name))
    try:
        for target in targets:
            pins = _pins(before, selections, target, upgrade)
            # What is new for the first platform is taken over by the others where they can.
            wheels = resolver.resolve(target, pins, _KEEP_ALL if selections else upgrade)
            check_selection(subject_of(wheels, variant, target))
            selections[target] = wheels
        write_lock(path, render_lock(inputs, selections, path.parent))
    except BaseException:
        context.emit(Finished("resolve", variant.name, "failed"))
        raise
    packages = {(wheel.name, wheel.version) for one in selections.values() for wheel in one}
    context.emit(Finished("resolve", variant.name, "done", f"{len(packages)} packages"))
    _advise(variant, context, selections)
    _warn_of_credentials(variant, context, selections)
    return compare_locks(before.versions() if before else (), packages)


def _existing(path: Path) -> Lock | None:
    try:
        return read_lock(path)
    except MissingLock:
        return None


def _pins(
    before: Lock | None,
    selections: Mapping[Target, tuple[LockedWheel, ...]],
    target: Target,
    upgrade: Upgrade,
) -> dict[str, str]:
    """Return the versions to prefer on ``target``: those just found win over locked ones."""
    locked = before.pins(target) if before else {}
    pins = {name: version for name, version in locked.items() if upgrade.keeps(name)}
    for wheels in selections.values():
        pins |= {wheel.name: wheel.version for wheel in wheels}
    return pins


def _advise(
    variant: Variant, context: LockContext, selections: Mapping[Target, tuple[LockedWheel, ...]]
) -> None:
    """Warn of what is no mistake and yet not what was meant, once for all platforms."""
    found = (
        finding
        for target, wheels in selections.items()
        for finding in advice_on(subject_of(wheels, variant, target))
    )
    for code, message, hint in dict.fromkeys((one.code, str(one), one.hint) for one in found):
        context.emit(Warned(code, message, hint))


def _warn_of_credentials(
    variant: Variant, context: LockContext, selections: Mapping[Target, tuple[LockedWheel, ...]]
) -> None:
    """Say that the lock alone is not enough where an address was given with credentials."""
    sources = variant.sources
    indexes = [sources.index, *sources.extra_indexes, sources.torch_index, context.machine.index]
    indexes += context.machine.extra_indexes
    private = {origin(one) for one in indexes if one and has_credentials(one)}
    used = {origin(wheel.url) for one in selections.values() for wheel in one if wheel.url}
    for scheme, host, _ in sorted(private & used):
        context.emit(
            Warned(
                "lock-needs-credentials",
                f"wheels of {variant.name} come from {scheme}://{host}, which wants credentials; "
                "they are not in the lock",
                hint=f"where the lock is used, ~/.netrc needs:\n"
                f"machine {host} login USER password PASSWORD",
            )
        )
