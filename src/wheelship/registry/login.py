# SPDX-License-Identifier: Apache-2.0
"""Who we are to one registry; the secret shows in no ``repr``."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

__all__ = ["Login", "bare_host"]

_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_SCHEMES = ("https://", "http://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User and password, or an identity token (OAuth2 refresh token) that stands for both.

    Raises:
        ValueError: a part could break out of a header.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for part in (self.user, self.password, self.identity_token):
            if any(unicodedata.category(one) == "Cc" for one in part):
                raise ValueError("control characters in credentials")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in a message."""
        return tuple(one for one in (self.password, self.identity_token) if one)


def bare_host(server: str) -> str:
    """Return the host, with port, of what configuration files and helpers call a server."""
    text = server.lower()
    for scheme in _SCHEMES:
        text = text.removeprefix(scheme)
    host = text.partition("/")[0]
    return _HUB[0] if host in _HUB else host
