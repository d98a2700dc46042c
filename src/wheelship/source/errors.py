# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between the word IMAGE and an image that can be read.

InputError
├── NoImage              nothing is there
├── InvalidImage         it is damaged, or contradicts itself
├── UnsupportedImage     it is of a kind that is not read here
└── ImageLacksPlatform   it is there, for other platforms

Beside them: ``NetworkError`` from registries, ``MachineError`` from engines and the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wheelship.errors import InputError
from wheelship.oci.digest import InvalidDigest

__all__ = [
    "ImageLacksPlatform",
    "InvalidImage",
    "NoImage",
    "UnsupportedImage",
    "shown",
    "well_formed",
]

_SHOWN_CHARACTERS = 120


class NoImage(InputError):
    """There is no image at that place."""

    code = "no-image"


class InvalidImage(InputError):
    """The image, or what holds it, is damaged or contradicts itself."""

    code = "invalid-image"


class UnsupportedImage(InputError):
    """The image is of a kind that cannot be read here."""

    code = "unsupported-image"


class ImageLacksPlatform(InputError):
    """The image is there, but not for the platform."""

    code = "image-lacks-platform"


def shown(text: object) -> str:
    """Return what somebody else wrote, short, and without power over a terminal."""
    plain = str(text)
    short = plain if len(plain) <= _SHOWN_CHARACTERS else plain[:_SHOWN_CHARACTERS] + "…"
    return short if short.isprintable() else ascii(short)


@contextmanager
def well_formed(what: str, where: str) -> Iterator[None]:
    """Turn what a malformed document leads to into an error that names it."""
    try:
        yield
    except InvalidDigest as error:
        raise InvalidImage(f"{what} is malformed: {shown(error.message)}", where=where) from error
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise InvalidImage(f"{what} is malformed: {shown(why)}", where=where) from error
