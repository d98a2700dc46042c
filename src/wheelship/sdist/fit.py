# SPDX-License-Identifier: Apache-2.0
"""Whether a wheel that was built on this machine can be loaded by an image."""

from __future__ import annotations

from wheelship.lock.model import LockedSource
from wheelship.lock.target import Target
from wheelship.sdist.errors import SdistNeedsNative, SdistNeedsNewer
from wheelship.sdist.find import Built

__all__ = ["check_fits"]


def check_fits(built: Built, source: LockedSource, target: Target) -> None:
    """Check that ``built`` can be loaded by the image that ``target`` describes.

    Raises:
        SdistNeedsNative: it holds compiled code of another architecture.
        SdistNeedsNewer: its compiled code needs a newer C library.
    """
    subject = f"{source.name} {built.version}"
    wanted = target.platform.architecture
    if built.architecture not in (None, wanted):
        raise SdistNeedsNative(
            f"{subject} has no wheel for {target}, only source, and what is built from it here "
            f"is compiled for {built.architecture} ({built.filename})",
            where=source.filename,
            hint=f"build this image on a machine with {wanted}, or the wheel, and name its place:"
            f"\npip wheel --no-deps --wheel-dir wheels {source.name}=={built.version}\n"
            'find-links = ["wheels"]',
        )
    if built.glibc_minor > target.glibc:
        raise SdistNeedsNewer(
            f"{subject} was compiled here against glibc 2.{built.glibc_minor}, and the image has "
            f"2.{target.glibc}",
            where=source.filename,
            hint="build the wheel on the image's Debian release, or an older system, and name its "
            "directory:\n"
            f"pip wheel --no-deps --wheel-dir wheels {source.name}=={built.version}\n"
            'find-links = ["wheels"]',
        )
