# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between this machine and a server.

NetworkError
├── Offline               the network is not to be used
├── Cancelled             given up because other work failed
├── HttpStatus            the server said no
│   └── Unauthorized      it wants credentials, or other ones
├── InsecureRedirect      the server points from https to something weaker
├── UntrustedCertificate  its certificate is not signed by an authority known here
├── UnusableUrl           no such kind of address can be fetched
├── ResponseTooLarge      it sent more than was agreed
├── SizeMismatch          the file is not as long as promised
├── HashMismatch          the file is not the one that was promised
└── Transient             another try may help; raised when no more tries are left

What is wrong with local files (``MissingFile``, ``FileMismatch``, ``InvalidNetrc``) is the user's
input.
"""

from __future__ import annotations

from wheelship.errors import InputError, NetworkError

__all__ = [
    "Cancelled",
    "FileMismatch",
    "HashMismatch",
    "HttpStatus",
    "InsecureRedirect",
    "InvalidNetrc",
    "MissingFile",
    "Offline",
    "ResponseTooLarge",
    "SizeMismatch",
    "Transient",
    "Unauthorized",
    "UntrustedCertificate",
    "UnusableUrl",
]


class Offline(NetworkError):
    """A file is missing here, and the network is not to be used."""

    code = "offline"


class Cancelled(NetworkError):
    """The download was given up because other work of the same command failed."""

    code = "download-cancelled"


class HttpStatus(NetworkError):
    """The server answered, but not with the file; ``status`` is what it answered."""

    code = "http-status"

    def __init__(
        self, message: str, *, status: int, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


class Unauthorized(HttpStatus):
    """The server wants credentials, or other ones than it got."""

    code = "http-unauthorized"


class InsecureRedirect(NetworkError):
    """The server redirects from https to an address without that protection."""

    code = "insecure-redirect"


class UntrustedCertificate(NetworkError):
    """The server's certificate cannot be verified."""

    code = "untrusted-certificate"


class UnusableUrl(NetworkError):
    """The address is malformed, or of a kind that cannot be fetched."""

    code = "unusable-url"


class ResponseTooLarge(NetworkError):
    """The server sent more than was agreed."""

    code = "response-too-large"


class SizeMismatch(NetworkError):
    """The server's file is not as long as the lock says."""

    code = "download-size-mismatch"


class HashMismatch(NetworkError):
    """The server's file does not have the SHA-256 that the lock says."""

    code = "download-hash-mismatch"


class Transient(NetworkError):
    """No connection, a broken one, or a server that asks to come back later.

    ``retry_after_seconds`` is the wait that the server asked for, if it did.
    """

    code = "unreachable"

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class MissingFile(InputError):
    """A local file that should be there is not, or cannot be read."""

    code = "missing-file"


class FileMismatch(InputError):
    """A local file is not the one that was promised."""

    code = "file-mismatch"


class InvalidNetrc(InputError):
    """The file of credentials cannot be understood."""

    code = "invalid-netrc"
