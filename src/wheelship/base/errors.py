# SPDX-License-Identifier: Apache-2.0
"""Why an image cannot be a base."""

from __future__ import annotations

from wheelship.errors import InputError

__all__ = [
    "BaseLacksPlatform",
    "BaseLacksPython",
    "BaseOccupied",
    "BaseTooOld",
    "ForeignArchitecture",
    "InvalidBase",
    "InvalidBaseLock",
    "NotGlibc",
    "PythonNotAllowed",
    "TooManyLayers",
    "UnusableLayer",
]


class InvalidBase(InputError):
    """The base image is malformed, or of a kind that cannot be used."""

    code = "invalid-base"


class InvalidBaseLock(InputError):
    """An entry for a base image in ``wheelship.lock`` cannot be right."""

    code = "invalid-base-lock"


class UnusableLayer(InputError):
    """A layer of the base is encrypted, not to be distributed, or packed in an unknown way."""

    code = "unusable-base-layer"


class BaseLacksPlatform(InvalidBase):
    """The layout of the base holds no image for the platform."""

    code = "base-lacks-platform"


class BaseLacksPython(InputError):
    """The base image has no Python of the wanted version."""

    code = "base-lacks-python"


class NotGlibc(InputError):
    """The Python of the base image runs on another C library than glibc."""

    code = "base-not-glibc"


class BaseTooOld(InputError):
    """The C library of the base image is older than any wheel is made for."""

    code = "base-too-old"


class ForeignArchitecture(InputError):
    """The Python of the base image is for another architecture than the image says."""

    code = "base-architecture"


class BaseOccupied(InputError):
    """The base image has files or links of its own where wheelship's must go."""

    code = "base-occupied"


class TooManyLayers(InputError):
    """With the layers of the base image there are more than Docker can run."""

    code = "too-many-layers"


class PythonNotAllowed(InputError):
    """The project's ``requires-python`` does not allow the exact Python of the base image."""

    code = "base-python-not-allowed"
