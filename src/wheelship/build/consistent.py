# SPDX-License-Identifier: Apache-2.0
"""Holds locked wheels against what is known of their accelerator, once per lock.

The verdict depends on the wheels, the variant and the data files alone, so the store remembers it:
a build with nothing to do neither reads nor imports what it takes to judge.
"""

from __future__ import annotations

from collections.abc import Mapping

from wheelship.events import Emit, Warned
from wheelship.lock.model import Locked, LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.request.model import Variant
from wheelship.store.store import Store
from wheelship.variant.accelerator import data_digest
from wheelship.variant.model import AcceleratorRow

__all__ = ["check_consistency", "foreign_libraries", "gpu_packages", "trusted_wheels"]

_VERSION = 1
"""Raised whenever the same wheels could be judged otherwise."""


def check_consistency(
    wheels: tuple[Locked, ...], variant: Variant, target: Target, *, store: Store, emit: Emit
) -> None:
    """Check that ``wheels`` belong together and into an image of ``variant``; warn of the rest.

    Raises:
        InconsistentPackages: they do not; with everything that is wrong.
        AcceleratorLacksPlatform: there is no such accelerator for the target.
    """
    key = _verdict_key(wheels, variant, target)
    known, warnings = store.marked(key)
    if not known:
        from wheelship.lock.consistency import (
            advice_on,
            check_machine,
            check_selection,
            subject_of,
        )

        subject = subject_of(wheels, variant, target)
        check_machine(subject.row, [target])
        check_selection(subject)
        warnings = [[one.code, str(one), one.hint] for one in advice_on(subject)]
        store.mark(key, warnings)
    for code, message, hint in warnings:
        emit(Warned(code, message, hint))


def gpu_packages(row: AcceleratorRow) -> tuple[str, ...]:
    """Return the packages whose device code decides where an image runs.

    None where device code comes in packages of its own: those are found by their names.
    """
    names = {name for one in row.families if one.devices is None for name in one.packages}
    return tuple(sorted(name for name in names if "*" not in name))


def trusted_wheels(row: AcceleratorRow, wheels: tuple[LockedWheel, ...]) -> frozenset[str]:
    """Return the packages whose label says that they were built for the accelerator.

    Their libraries need not be read to know what they are linked to.
    """
    return frozenset(
        wheel.name
        for wheel in wheels
        if (family := row.family_of(wheel.name)) is not None
        and (wheel.label in family.labels or family.plain_versions(wheel.name) is not None)
    )


def foreign_libraries(row: AcceleratorRow) -> Mapping[str, tuple[str, ...]]:
    """Return what no library in the image may be linked to, by accelerator.

    Nothing for cuda: its wheels are read through for their device code only where GPUs are named,
    reading 5 GB more would cost as much as building the image, and nobody publishes a build that is
    linked to ROCm under a name or label of something else.
    """
    return {} if row.accelerator == "cuda" else row.foreign_libraries


def _verdict_key(wheels: tuple[Locked, ...], variant: Variant, target: Target) -> Digest:
    facts = [
        "consistency",
        _VERSION,
        data_digest(),
        str(variant.accelerator),
        variant.accelerator_version,
        [str(target), target.python_full, target.glibc],
        list(variant.gpu_targets),
        sorted([name, list(globs)] for name, globs in variant.omit.items()),
        [[one.name, one.version, one.filename, list(one.requires)] for one in wheels],
    ]
    return Digest.of(canonical_json(facts))
