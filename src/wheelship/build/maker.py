# SPDX-License-Identifier: Apache-2.0
"""Whose interpreter compiles the bytecode of an image: its own, or one that this machine can run.

An image for another architecture gets its bytecode from the same locked Python of the build
machine's architecture. ``wheelship.lock`` holds that one too, so that a build stays a function of
its locks (docs/explanation/base.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wheelship.base.model import BaseImage
from wheelship.build.lockfile import LOCK_NAME, read_lock
from wheelship.build.model import LockMode, Surroundings
from wheelship.debian.lock import DebianLock
from wheelship.events import Warned
from wheelship.oci.platform import Platform
from wheelship.plan.interpreter import interpreter_build
from wheelship.plan.model import Foundation
from wheelship.request.model import Request, Variant

__all__ = ["Maker", "find_debian_maker", "lock_makers", "maker_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Whose interpreter compiles.

    Attributes:
        foundation: the base that has it; None = the image's own base.
        left_out: why no interpreter can be had, so that the image gets no bytecode; else None.
        written: ``wheelship.lock`` was written for it.
    """

    foundation: Foundation | None = None
    left_out: str | None = None
    written: bool = False


def maker_of(
    request: Request,
    variant: Variant,
    base: Foundation,
    native: Platform,
    around: Surroundings,
    *,
    mode: LockMode,
) -> Maker:
    """Return whose interpreter compiles for an image on ``base`` when ``native`` builds it.

    Warns where the image gets no bytecode, and where another version than its own makes it.

    Raises:
        LockOutOfDate: it is not locked, and ``mode`` forbids to lock it.
        WheelshipError: see :func:`wheelship.build.foundation.base_lock`.
    """
    if variant.bytecode == "none" or _platform(base) == native:
        return Maker()
    maker = _locked(request, variant, native, around, mode=mode)
    if maker.left_out is not None:
        around.emit(
            Warned(
                "bytecode-left-out",
                f"the image for {_platform(base)} gets no bytecode, so it starts more slowly: "
                f"{maker.left_out}",
                hint=f"build it on a machine for {_platform(base)}, or choose a base that exists "
                f'for {native} too; bytecode = "none" says that it is meant so',
            )
        )
    elif maker.foundation is not None:
        _warn_of_another(maker.foundation, base, variant.python, around)
    return maker


def lock_makers(
    request: Request,
    variant: Variant,
    native: Platform,
    around: Surroundings,
    *,
    upgrade: bool = False,
) -> bool:
    """Lock what ``native`` compiles with for the other platforms of ``variant``, when it must.

    ``upgrade`` also brings up to date what other machines compile with: their Python has to stay
    the one that the images have. Returns whether ``wheelship.lock`` was written.

    Raises:
        WheelshipError: see :func:`wheelship.build.foundation.base_lock`.
    """
    if variant.bytecode == "none":
        return False
    wanted = {native} if set(variant.platforms) - {native} else set()
    if upgrade:
        wanted |= _others(request, variant)
    found = [
        _locked(request, variant, platform, around, mode="update", upgrade=upgrade)
        for platform in sorted(wanted - set(variant.platforms))
    ]
    return any(one.written for one in found)


def find_debian_maker(
    entries: Iterable[DebianLock], release: str, architecture: str, requested: tuple[str, ...]
) -> DebianLock | None:
    """Return the entry whose Python compiles on ``architecture``.

    All entries of a release and an architecture have one; that of the same system packages comes
    first, as it is locked together with the image's, then the one without any.
    """
    wanted = tuple(sorted(set(requested)))
    fitting = [one for one in entries if (one.release, one.architecture) == (release, architecture)]
    fitting.sort(key=lambda one: (one.requested != wanted, one.requested))
    return next(iter(fitting), None)


def _locked(
    request: Request,
    variant: Variant,
    native: Platform,
    around: Surroundings,
    *,
    mode: LockMode,
    upgrade: bool = False,
) -> Maker:
    from wheelship.build.foundation import debian_maker

    if variant.base == "debian":
        lock, written = debian_maker(request, variant, native, around, mode=mode, upgrade=upgrade)
        return Maker(foundation=lock, written=written)
    from wheelship.build.bases import image_maker, source_of

    image, written = image_maker(
        request,
        variant,
        native,
        around.store,
        lambda: source_of(variant.base, request.project.root, around.registry, around.emit),
        around.emit,
        update=mode == "update",
        upgrade=upgrade,
    )
    left_out = None if image is not None else f"{variant.base} has no image for {native}"
    return Maker(foundation=image, left_out=left_out, written=written)


def _others(request: Request, variant: Variant) -> set[Platform]:
    """Return the platforms for which something is locked that could compile for ``variant``."""
    locked = read_lock(request.project.root / LOCK_NAME)
    if variant.base != "debian":
        named = [(one.reference, one.python.minor, one.platform) for one in locked.images]
        named += [(one.reference, one.python, one.platform) for one in locked.absent]
        wanted = (variant.base, variant.python)
        return {platform for *key, platform in named if tuple(key) == wanted}
    from wheelship.debian.distribution import release_with_python

    release = release_with_python(variant.python)
    return {
        Platform(one.architecture)
        for one in locked.debian
        if one.release == release and not one.requested
    }


def _platform(base: Foundation) -> Platform:
    return base.platform if isinstance(base, BaseImage) else Platform(base.architecture)


def _warn_of_another(
    maker: Foundation, base: Foundation, python: str, around: Surroundings
) -> None:
    """Say that the image's Python is not quite the one that compiles for it.

    Bytecode is the same within 3.11 unless a release fixes the compiler, so it runs; but a machine
    of the image's own architecture may write other bytes.
    """
    ours, theirs = (_version(one, python) for one in (maker, base))
    if ours == theirs:
        return
    around.emit(
        Warned(
            "interpreter-differs",
            f"Python {ours} compiles for an image with Python {theirs}: the bytecode runs, and a "
            f"machine for {_platform(base)} may make other layers of it",
            hint="when both exist in the same version: wheelship lock --upgrade",
        )
    )


def _version(base: Foundation, python: str) -> str:
    """Return the version of an interpreter without what tells architectures apart."""
    if isinstance(base, BaseImage):
        return base.python.version
    return interpreter_build(base, python).rpartition("/")[2]
