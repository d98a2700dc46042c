# SPDX-License-Identifier: Apache-2.0
"""From a request to the plan of one image: current locks, wheels selected, sources read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from wheelship.build.consistent import (
    check_consistency,
    foreign_libraries,
    gpu_packages,
    trusted_wheels,
)
from wheelship.build.foundation import base_lock, base_targets
from wheelship.build.lockfile import LOCK_NAME, all_or_nothing
from wheelship.build.maker import maker_of
from wheelship.build.sources import SourceBuilder, open_sources
from wheelship.debian.lock import DebianLock
from wheelship.errors import InputError
from wheelship.events import Emit, Warned, discard
from wheelship.lock.document import lock_path
from wheelship.lock.inputs import lock_inputs
from wheelship.lock.model import Locked, LockedWheel
from wheelship.lock.selection import Selection, load_selection, selection_key
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.plan.make import Inputs, plan_image
from wheelship.plan.model import Foundation, ImagePlan
from wheelship.request.model import Request, Variant
from wheelship.request.sources import snapshot
from wheelship.request.uv import index_variable
from wheelship.store.store import Store
from wheelship.variant.accelerator import accelerator_row
from wheelship.wheel.environment import Environment
from wheelship.wheel.script import console_script

if TYPE_CHECKING:
    from wheelship.build.artifacts import StoredArtifacts
    from wheelship.fetch.fetcher import Fetcher
    from wheelship.lock.locking import Resolved
    from wheelship.lock.machine import MachineSources
    from wheelship.lock.read import Lock
    from wheelship.lock.resolve import Upgrade
    from wheelship.registry.client import RegistryClient

__all__ = [
    "LockMode",
    "Prepared",
    "Surroundings",
    "UnknownVariant",
    "UnlockedPlatform",
    "choose_images",
    "choose_variants",
    "index_urls",
    "prepare",
    "resolve_wheels",
]

LockMode: TypeAlias = Literal["update", "locked", "frozen"]
"""``update`` re-locks what changed, ``locked`` fails instead, ``frozen`` does not look."""


class UnknownVariant(InputError):
    """The configuration has no variant of that name."""

    code = "unknown-variant"


class UnlockedPlatform(InputError):
    """The variant is for other platforms, so its lock does not cover this one."""

    code = "unlocked-platform"


class FetcherMaker(Protocol):
    """Makes the door to the network."""

    def __call__(self, urls: tuple[str, ...] = ()) -> Fetcher:
        """Return it; ``urls`` are configured addresses that may carry credentials."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The ambient things preparation needs; the functions are called when something is missing.

    Attributes:
        environ: the environment that uv gets.
        fetcher: makes the door to the network.
        registry: makes the door to registries.
        machine: reads what pip's and uv's settings say about where packages come from.
        apt: directory of apt's configuration, or None where there is none.
        now: the time, for the validity of release files.
        created: the time that the image shall carry (RFC 3339).
    """

    store: Store
    emit: Emit
    environ: Mapping[str, str]
    fetcher: FetcherMaker
    machine: Callable[[], MachineSources]
    apt: Path | None
    now: datetime
    created: str
    offline: bool
    registry: Callable[[], RegistryClient]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The plan of one image, the base's lock, and what was done about the locks.

    ``maker`` is the base whose interpreter compiles, None = the image's own. ``lock`` says in
    words what was done: ``unchanged``, ``not looked at``, or which parts were written.
    """

    plan: ImagePlan
    variant: Variant
    base: Foundation
    lock: str
    maker: Foundation | None = None


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


def choose_images(
    variants: Sequence[Variant], platforms: tuple[Platform, ...], *, every: bool
) -> list[tuple[str, Platform]]:
    """Return variant and platform of each image to build; without ``platforms``, all of a variant.

    Of ``every`` variant those count that are for the platform: ROCm's are not for all.

    Raises:
        UnlockedPlatform: a variant is not for a platform.
        AcceleratorLacksPlatform: nor can it be.
    """
    wanted = [
        (variant, platform)
        for variant in variants
        for platform in platforms or sorted(set(variant.platforms))
    ]
    for_it = dict.fromkeys((one.name, to) for one, to in wanted if to in one.platforms)
    for variant, platform in wanted:
        if platform not in variant.platforms and not (every and for_it):
            _refuse_impossible(variant, platform)
            listed = ", ".join(f'"{one}"' for one in sorted({*variant.platforms, platform}))
            raise UnlockedPlatform(
                f"variant {variant.name} is not for {platform}", hint=f"platforms = [{listed}]"
            )
    return list(for_it)


def _refuse_impossible(variant: Variant, platform: Platform) -> None:
    from wheelship.lock.consistency import check_machine
    from wheelship.lock.target import Target
    from wheelship.variant.accelerator import accelerator_row

    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    check_machine(row, [Target(python=variant.python, platform=platform)])


def index_urls(variant: Variant, around: Surroundings) -> tuple[str, ...]:
    """Return all addresses of indexes as configured: some may carry credentials."""
    sources, machine = variant.sources, around.machine()
    named = [sources.index, *sources.extra_indexes]
    named += [_with_login(*one, around.environ) for one in sources.named_indexes]
    named += [sources.torch_index, *sources.link_pages, machine.index]
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        # uv writes an index as NAME=URL or URL, several with blanks between them.
        entries = around.environ.get(name, "").split()
        named += [
            one if "=" not in one.partition("://")[0] else one.partition("=")[2] for one in entries
        ]
    return tuple(one for one in (*named, *machine.extra_indexes) if one)


def _with_login(name: str, address: str, environ: Mapping[str, str]) -> str:
    """Return the address of an index of uv's with the credentials that uv finds for its name."""
    user = environ.get(index_variable(name, "USERNAME"), "")
    password = environ.get(index_variable(name, "PASSWORD"), "")
    scheme, mark, rest = address.partition("://")
    if not (user or password) or not mark or "@" in rest.partition("/")[0]:
        return address
    from urllib.parse import quote

    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def prepare(
    request: Request,
    variant: Variant,
    platform: Platform,
    around: Surroundings,
    *,
    mode: LockMode,
    native: Platform,
    note: Callable[[str], None],
) -> Prepared:
    """Return the plan of ``variant`` on ``platform``, from locks that are current.

    ``native`` is what this machine can run: its architecture's interpreter compiles. ``note`` is
    called with the name of each phase when it ends.

    Raises:
        LockOutOfDate, MissingLock: nothing can be built from this.
        WheelshipError: what resolving, reading locks and reading sources raise.
    """
    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    root = request.project.root
    # The locks of wheels and base belong together: what fails between them changes neither.
    with all_or_nothing((root / LOCK_NAME, lock_path(root, variant.name))):
        # Which wheels fit, only the Python and the C library of an image tell: it comes first.
        targets, image_written = base_targets(request, variant, around, mode=mode)
        fitting = (one for one in targets if one.platform == platform)
        target = next(fitting, Target(python=variant.python, platform=platform))
        packages, wheels_written = _locked(request, variant, target, targets, around, mode=mode)
        check_consistency(
            packages,
            variant,
            target,
            store=around.store,
            # What was resolved a moment ago has been commented on.
            emit=discard if wheels_written else around.emit,
        )
        base, base_written = base_lock(request, variant, platform, around, mode=mode)
        maker = maker_of(request, variant, base, native, around, mode=mode)
    builder = SourceBuilder(
        store=around.store,
        emit=around.emit,
        artifacts=lambda: _artifacts(variant, around),
        environ=around.environ,
        machine=native.architecture,
        offline=around.offline,
    )
    wheels = builder.wheels(packages, variant, target)
    note("lock")
    interpreter = Environment(python=variant.python).interpreter
    sources = snapshot(request.project, variant, partial(console_script, interpreter))
    note("sources")
    _warn_of_waivers(variant, wheels, base, around.emit)
    plan = plan_image(
        Inputs(
            name=request.image_name,
            project=request.project,
            variant=variant,
            platform=platform,
            wheels=wheels,
            base=base,
            snapshot=sources,
            environment=dict(row.environment),
            created=around.created,
            gpu_packages=gpu_packages(row),
            foreign_libraries=foreign_libraries(row),
            trusted=trusted_wheels(row, wheels),
            maker=maker.foundation,
            bytecode_left_out=maker.left_out,
        )
    )
    written = [
        name
        for name, done in (
            (lock_path(request.project.root, variant.name).name, wheels_written),
            (LOCK_NAME, base_written or image_written or maker.written),
        )
        if done
    ]
    kept = "not looked at" if mode == "frozen" else "unchanged"
    note("plan")
    return Prepared(
        plan=plan,
        variant=variant,
        base=base,
        maker=maker.foundation,
        lock=f"wrote {' and '.join(written)}" if written else kept,
    )


def _warn_of_waivers(
    variant: Variant, wheels: tuple[LockedWheel, ...], base: Foundation, emit: Emit
) -> None:
    """Say which waivers are for packages that the image does not have."""
    packages = base.packages if isinstance(base, DebianLock) else ()
    for name in sorted(variant.omit.keys() - {wheel.name for wheel in wheels}):
        text = f"omit names {name}, but the image has no such package"
        emit(Warned("omit-without-effect", text, hint="remove it"))
    locked = {
        "waive-record": {wheel.name: wheel.version for wheel in wheels},
        "waive-scripts": {package.name: package.version for package in packages},
    }
    given = {"waive-record": variant.waive_record, "waive-scripts": variant.waive_scripts}
    for key, waivers in given.items():
        for one in waivers:
            version = locked[key].get(one.package)
            # A script that is waived for another version is an error of its own.
            other = key == "waive-record" and one.version not in (None, version)
            if version is None or other:
                named = f"{one.package} {one.version or ''}".rstrip()
                held = "no such package" if version is None else f"{one.package} {version}"
                text = f"{key} names {named}, but the image has {held}"
                emit(Warned("unused-waiver", text, hint="remove it"))


def _locked(
    request: Request,
    variant: Variant,
    target: Target,
    targets: tuple[Target, ...],
    around: Surroundings,
    *,
    mode: LockMode,
) -> tuple[tuple[Locked, ...], bool]:
    """Return the wheels and sources for ``target``, and whether the lock was written for it."""
    path = lock_path(request.project.root, variant.name)
    inputs = lock_inputs(request.project, variant, targets)
    current = None if mode == "frozen" else str(inputs.digest)
    selection = _selection(path, target, around.store)
    if selection is not None and current in (None, selection.request):
        return selection.packages, False
    if mode != "update":
        from wheelship.lock.read import read_lock as read_wheels

        lock = read_wheels(path)
        if mode == "locked":
            lock.require_current(inputs)
        return lock.select(target), False
    resolve_wheels(request, variant, around, targets=targets).write()
    selection = _selection(path, target, around.store)
    assert selection is not None  # noqa: S101 - the lock was just written for this target
    return selection.packages, True


def _selection(path: Path, target: Target, store: Store) -> Selection | None:
    """Return what the lock gives for ``target``; None without a lock, or one for other targets."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    key = selection_key(data, path, target)
    _, document = store.marked(key)
    if isinstance(document, str) and (kept := load_selection(document.encode())) is not None:
        return kept
    from wheelship.lock.errors import LockLacksPlatform
    from wheelship.lock.read import parse_lock

    lock = parse_lock(data, path)
    try:
        selection = Selection(request=lock.request, packages=lock.select(target))
    except LockLacksPlatform:
        return None
    store.mark(key, selection.to_bytes().decode())
    return selection


def resolve_wheels(
    request: Request,
    variant: Variant,
    around: Surroundings,
    upgrade: Upgrade | None = None,
    *,
    targets: tuple[Target, ...] = (),
    made: tuple[Lock, ...] = (),
) -> Resolved:
    """Resolve ``variant`` with uv; its lock is not written yet.

    ``targets`` are those of :func:`base_targets`; ``made`` are the locks of other variants that
    were made in the same run. Versions of theirs, and of other variants' locks that are there, are
    preferred for what is new.

    Raises:
        WheelshipError: see :func:`wheelship.lock.locking.resolve_variant`.
    """
    from uv import find_uv_bin

    from wheelship.lock.locking import LockContext, resolve_variant
    from wheelship.lock.preference import Siblings
    from wheelship.lock.read import read_locks
    from wheelship.lock.resolve import Upgrade
    from wheelship.lock.uv import clean_environment

    root = request.project.root
    others = [lock_path(root, name) for name in request.variants if name != variant.name]
    siblings = Siblings(
        made=made,
        found=read_locks(path for path in others if all(path != one.path for one in made)),
    )
    with open_sources(
        around.store,
        lambda: _artifacts(variant, around),
        environ=around.environ,
        offline=around.offline,
    ) as source:
        context = LockContext(
            uv=Path(find_uv_bin()),
            python=Path(sys.executable),
            environment=clean_environment(around.environ),
            machine=around.machine(),
            size_of=lambda url: around.fetcher().size(url),
            emit=around.emit,
            offline=around.offline,
            source=source,
        )
        return resolve_variant(
            request.project,
            variant,
            context,
            upgrade or Upgrade(),
            targets=targets,
            siblings=siblings,
        )


def _artifacts(variant: Variant, around: Surroundings) -> StoredArtifacts:
    """Return where sources, and what they are built with, come from."""
    from wheelship.build.artifacts import StoredArtifacts

    return StoredArtifacts(
        around.store,
        find_links=lambda: variant.sources.find_links + around.machine().find_links,
        locate=lambda _: (),
        fetcher=lambda: around.fetcher(index_urls(variant, around)),
        emit=around.emit,
    )
