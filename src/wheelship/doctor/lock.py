# SPDX-License-Identifier: Apache-2.0
"""The project's locks: there, readable, and made from what the project asks for now?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wheelship.base.model import BaseImage
from wheelship.build.bases import target_of
from wheelship.build.lockfile import LOCK_NAME, LockFile, find_debian, find_image, read_lock
from wheelship.debian.distribution import release_with_python
from wheelship.doctor.model import Finding, Patient
from wheelship.errors import WheelshipError
from wheelship.lock.document import lock_path
from wheelship.lock.errors import InvalidLock
from wheelship.lock.inputs import lock_inputs
from wheelship.lock.read import read_lock as read_wheels
from wheelship.request.model import Project, Variant

__all__ = ["check_locks"]


def check_locks(patient: Patient) -> Iterable[Finding]:
    """Compare each variant's locks with the project."""
    request = patient.request
    if request is None:
        yield Finding(code="locks", status="skipped", what="no project was named")
        return
    locked = read_lock(request.project.root / LOCK_NAME)
    for variant in request.variants.values():
        missing, hint = list(_missing(locked, variant)), f"wheelship lock --variant {variant.name}"
        try:
            targets = tuple(map(target_of, _images(locked, variant)))
            wheels = read_wheels(lock_path(request.project.root, variant.name))
            if not missing:
                wheels.require_current(lock_inputs(request.project, variant, targets))
        except InvalidLock as error:  # which locking reads too
            missing.append(error.message)
            hint = error.hint or hint
        except WheelshipError as error:
            missing.append(error.message)
        yield _finding(request.project, variant, missing, hint)


def _finding(project: Project, variant: Variant, missing: list[str], hint: str) -> Finding:
    if not missing:
        return Finding(code="locks", status="ok", what=f"{variant.name}: current")
    name = lock_path(project.root, variant.name).name
    text = "; ".join(" ".join(one.split()) for one in missing)
    return Finding(
        code="locks",
        # A build brings them up to date by itself; with --locked it does not.
        status="warning",
        what=f"{variant.name}: {name} or {LOCK_NAME} is not current: {text}",
        hint=hint,
    )


def _images(locked: LockFile, variant: Variant) -> Iterator[BaseImage]:
    if variant.base == "debian":
        return
    for platform in sorted(set(variant.platforms)):
        found = find_image(locked.images, variant.base, platform, variant.python)
        if found is not None:
            yield found


def _missing(locked: LockFile, variant: Variant) -> Iterator[str]:
    """Yield what the lock of bases lacks for ``variant``."""
    for platform in sorted(set(variant.platforms)):
        if variant.base != "debian":
            if find_image(locked.images, variant.base, platform, variant.python) is None:
                yield f"{LOCK_NAME} holds no {variant.base} for {platform}"
            continue
        release, architecture = release_with_python(variant.python), platform.architecture
        if find_debian(locked.debian, release, architecture, variant.system_packages) is None:
            yield f"{LOCK_NAME} holds no such base of {release} for {platform}"
