# SPDX-License-Identifier: Apache-2.0
"""From a request to the plan of one image: current locks, wheels selected, sources read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wheelship.build.consistent import (
    check_consistency,
    foreign_libraries,
    gpu_packages,
    trusted_wheels,
)
from wheelship.build.foundation import base_lock, base_targets
from wheelship.build.lockfile import LOCK_NAME, all_or_nothing
from wheelship.build.maker import maker_of
from wheelship.build.model import LockMode, Prepared, Surroundings
from wheelship.build.sources import SourceBuilder
from wheelship.build.supply import artifacts_of
from wheelship.build.wheel_lock import locked_wheels
from wheelship.debian.lock import DebianLock
from wheelship.events import Emit, Warned, discard
from wheelship.lock.document import lock_path
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.plan.inputs import Inputs
from wheelship.plan.make import plan_image
from wheelship.plan.model import Foundation
from wheelship.request.model import Request, Variant
from wheelship.request.sources import snapshot
from wheelship.variant.accelerator import accelerator_row
from wheelship.wheel.environment import Environment
from wheelship.wheel.script import console_script

__all__ = ["prepare"]


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
        packages, wheels_written = locked_wheels(
            request, variant, target, targets, around, mode=mode
        )
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
        artifacts=lambda: artifacts_of(variant, around),
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
