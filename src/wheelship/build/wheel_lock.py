# SPDX-License-Identifier: Apache-2.0
"""The lock of a variant's wheels: used while it is current, made anew by uv when it is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.build.model import LockMode, Surroundings
from wheelship.build.sources import open_sources
from wheelship.build.supply import artifacts_of
from wheelship.lock.document import lock_path
from wheelship.lock.inputs import lock_inputs
from wheelship.lock.model import Locked
from wheelship.lock.selection import Selection, load_selection, selection_key
from wheelship.lock.target import Target
from wheelship.request.model import Request, Variant
from wheelship.store.store import Store

if TYPE_CHECKING:
    from wheelship.lock.locking import Resolved
    from wheelship.lock.read import Lock
    from wheelship.lock.upgrade import Upgrade

__all__ = ["locked_wheels", "resolve_wheels"]


def locked_wheels(
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
    from wheelship.lock.upgrade import Upgrade
    from wheelship.lock.uv import clean_environment

    root = request.project.root
    others = [lock_path(root, name) for name in request.variants if name != variant.name]
    siblings = Siblings(
        made=made,
        found=read_locks(path for path in others if all(path != one.path for one in made)),
    )
    with open_sources(
        around.store,
        lambda: artifacts_of(variant, around),
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
