# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while a lock is made, read or held against its request."""

from __future__ import annotations

from collections.abc import Iterable

from wheelship.errors import InputError, MachineError, NetworkError

__all__ = [
    "LOCK_AGAIN",
    "AcceleratorLacksPlatform",
    "GpuTargetsMissing",
    "HashDiffers",
    "HashNotAllowed",
    "IndexOffline",
    "IndexUnauthorized",
    "IndexUnreachable",
    "InvalidLock",
    "InvalidUvLock",
    "LockLacksPlatform",
    "LockNotWritable",
    "LockOutOfDate",
    "MissingHash",
    "MissingLock",
    "NoWheelForPlatform",
    "NotAWheel",
    "PlatformExcluded",
    "SdistOnly",
    "SourceUnusable",
    "Unresolvable",
    "UvFailed",
    "UvLockMisfit",
    "UvLockOutOfDate",
    "UvMissing",
]

LOCK_AGAIN = "lock again: wheelship lock"
"""The hint where a lock does not serve any more."""


class Unresolvable(InputError):
    """No set of versions meets all requirements; ``explanation`` is uv's."""

    code = "unresolvable"

    def __init__(
        self, message: str, *, explanation: str, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.explanation = explanation


class PlatformExcluded(InputError):
    """The project says that it is not meant to run on a platform of the variant."""

    code = "platform-excluded"


class SdistOnly(Unresolvable):
    """A package has no wheel for the target, only its source; ``packages`` are such ones."""

    code = "sdist-only"

    def __init__(
        self,
        message: str,
        *,
        explanation: str,
        packages: tuple[str, ...] = (),
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, explanation=explanation, where=where, hint=hint)
        self.packages = packages


class SourceUnusable(InputError):
    """What a source says about how it is built cannot be read, or its backend fails to say it."""

    code = "source-unusable"


class NotAWheel(InputError):
    """A requirement or a lock names no wheel but a repository, a directory or source."""

    code = "not-a-wheel"


class IndexUnreachable(NetworkError):
    """An index did not answer, or answered with an error."""

    code = "index-unreachable"


class IndexUnauthorized(NetworkError):
    """An index wants credentials, or other ones than it got."""

    code = "index-unauthorized"


class IndexOffline(NetworkError):
    """What an index said is not known here, and the network is not to be used."""

    code = "offline"


class UvMissing(MachineError):
    """The uv program is not where its package should have put it."""

    code = "uv-missing"


class UvFailed(MachineError):
    """Uv ended in a way that is neither an answer nor a known failure."""

    code = "uv-failed"


class MissingLock(InputError):
    """There is no lock, and none may be made."""

    code = "missing-lock"


class InvalidLock(InputError):
    """The lock is no well-formed PEP 751 document, or contradicts itself."""

    code = "invalid-lock"


class MissingHash(InvalidLock):
    """A wheel in the lock has no SHA-256, so nothing could tell that it is the right one."""

    code = "missing-hash"


class LockLacksPlatform(InputError):
    """The lock was not made for this platform or Python."""

    code = "lock-lacks-platform"


class NoWheelForPlatform(InputError):
    """A locked package has no wheel that the target can use."""

    code = "no-wheel-for-platform"


class LockOutOfDate(InputError):
    """The request changed since the lock was made; ``differences`` says what, line by line."""

    code = "lock-out-of-date"

    def __init__(self, where: str, differences: Iterable[str], *, hint: str) -> None:
        self.differences = tuple(differences)
        lines = "".join(f"\n  {line}" for line in self.differences)
        super().__init__(f"is out of date:{lines}", where=where, hint=hint)


class InvalidUvLock(InputError):
    """The project's ``uv.lock`` cannot be read, or contradicts itself."""

    code = "invalid-uv-lock"


class UvLockOutOfDate(LockOutOfDate):
    """The project's requirements changed since its ``uv.lock`` was made."""

    code = "uv-lock-out-of-date"


class UvLockMisfit(InputError):
    """A version in ``uv.lock`` has no wheel that the image could load."""

    code = "uv-lock-misfit"


class HashDiffers(InputError):
    """An index has another file than the one ``uv.lock`` names."""

    code = "hash-differs"


class HashNotAllowed(InputError):
    """Requirements files name hashes, and a wheel is not among them."""

    code = "hash-not-allowed"


class LockNotWritable(MachineError):
    """The lock cannot be written into the project."""

    code = "lock-not-writable"


class AcceleratorLacksPlatform(InputError):
    """The accelerator does not exist for a platform of the variant."""

    code = "accelerator-lacks-platform"


class GpuTargetsMissing(InputError):
    """The release has device code in packages of its own, and no GPU is named to choose by."""

    code = "gpu-targets-missing"
