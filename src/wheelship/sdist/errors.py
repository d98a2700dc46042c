# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while a wheel is built from source."""

from __future__ import annotations

from wheelship.errors import InputError, MachineError

__all__ = [
    "InvalidSdist",
    "SdistBuildFailed",
    "SdistNeedsNative",
    "SdistNeedsNewer",
    "SdistNoPython",
    "WrongBuild",
]


class SdistBuildFailed(InputError):
    """The build backend of a source failed; its last lines stand in the message."""

    code = "sdist-build-failed"


class SdistNeedsNative(InputError):
    """A wheel with compiled code was built, and it is for another architecture than the image."""

    code = "sdist-needs-native"


class SdistNeedsNewer(InputError):
    """The wheel that was built here needs a newer C library than the image has."""

    code = "sdist-needs-newer"


class SdistNoPython(MachineError):
    """This machine has no interpreter of the image's version to build with."""

    code = "sdist-no-python"


class InvalidSdist(InputError):
    """The archive of a source is malformed, too large, or tries to leave its directory."""

    code = "invalid-sdist"


class WrongBuild(InputError):
    """The backend built a wheel of another package or version, or for another Python."""

    code = "wrong-build"
