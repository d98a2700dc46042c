# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between this machine and a registry.

NetworkError
├── RegistryDenied        it wants credentials, or others, or gives no permission
├── ImageNotFound         it has no such repository, tag or blob
├── PlatformMissing       the image is for other platforms
├── RegistryRefused       it does not take what it was sent
├── UnsafeAddress         it points to an address that must not get credentials or data
├── RegistryAnswer        it answered with something that is none of the protocol's answers
└── Transient
    └── DigestMismatch    it sent something else than its name says

A file of credentials that cannot be understood (``InvalidDockerConfig``) is the user's input.
"""

from __future__ import annotations

from wheelship.errors import InputError, NetworkError
from wheelship.fetch.errors import Transient

__all__ = [
    "DigestMismatch",
    "ImageNotFound",
    "InvalidDockerConfig",
    "PlatformMissing",
    "RegistryAnswer",
    "RegistryDenied",
    "RegistryRefused",
    "UnsafeAddress",
]


class RegistryDenied(NetworkError):
    """The registry wants credentials, or other ones, or they do not permit this."""

    code = "registry-denied"


class ImageNotFound(NetworkError):
    """The registry has no such repository, tag or blob, or hides it from us."""

    code = "image-not-found"


class PlatformMissing(NetworkError):
    """The image exists, but not for the platform."""

    code = "image-platform-missing"


class RegistryRefused(NetworkError):
    """The registry does not take what it was sent; ``status`` is what it answered."""

    code = "registry-refused"

    def __init__(
        self, message: str, *, status: int, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


class UnsafeAddress(NetworkError):
    """The registry names an address that must not get credentials or data."""

    code = "registry-unsafe-address"


class RegistryAnswer(NetworkError):
    """The registry's answer is none that the protocol knows."""

    code = "registry-answer"


class DigestMismatch(Transient):
    """The registry sent, or says it stored, something else than its digest promises."""

    code = "registry-digest-mismatch"


class InvalidDockerConfig(InputError):
    """Docker's file of credentials cannot be understood."""

    code = "invalid-docker-config"
