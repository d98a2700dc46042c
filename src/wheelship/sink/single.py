# SPDX-License-Identifier: Apache-2.0
"""What places get that hold one platform of an image: engines, and archives for their ``load``."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from wheelship.errors import InputError
from wheelship.events import Emit, Warned
from wheelship.oci.image import Documents
from wheelship.oci.index import ImageIndex, platforms_of
from wheelship.oci.platform import InvalidPlatform, Platform
from wheelship.sink.model import Parcel

__all__ = ["NoPlatformFits", "Single", "single"]


class NoPlatformFits(InputError):
    """A place holds one platform of an image, and none of those that were built is its own."""

    code = "no-platform-fits"


class Single(NamedTuple):
    """A parcel of one platform, and its image as such."""

    parcel: Parcel
    image: Documents


def single(parcel: Parcel, wanted: str, output: str, emit: Emit) -> Single:
    """Return what ``output`` gets of ``parcel``: of several platforms ``wanted``, as linux/arm64.

    An image of one platform is what was asked for, and goes anywhere: engines run another
    architecture's under emulation.

    Raises:
        NoPlatformFits: there are several, and ``wanted`` is none of them.
    """
    if not isinstance(parcel.image, ImageIndex):
        return Single(parcel, parcel.image)
    try:
        found = parcel.image.find(Platform.parse(wanted))
    except InvalidPlatform:
        found = None
    built = platforms_of(parcel.image)
    if found is None:
        raise NoPlatformFits(
            f"holds one platform, its own is {wanted}, and these were built: "
            f"{', '.join(map(str, built))}",
            where=output,
            hint=f"wheelship build --output {output} --platform {built[0]}",
        )
    left = ", ".join(str(one) for one in built if one != found.descriptor.platform)
    emit(
        Warned(
            "one-platform",
            f"{output} holds one platform of an image: it gets {wanted}, and not {left}",
            hint="for all of them in one place: oci:DIR, oci-archive:FILE or registry:REF",
        )
    )
    return Single(replace(parcel, image=found), found)
