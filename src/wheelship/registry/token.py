# SPDX-License-Identifier: Apache-2.0
"""Proves to one registry who we are: Basic, or bearer tokens that are kept per scope.

Protocol: https://distribution.github.io/distribution/spec/auth/token/ (GET) and …/oauth/ (POST).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any
from urllib.parse import urlencode, urlsplit

from wheelship.registry.address import check_realm
from wheelship.registry.challenge import Challenge, parse_challenges
from wheelship.registry.errors import RegistryAnswer
from wheelship.registry.login import Login

__all__ = ["Authenticator", "Fetch"]

_CLIENT = "wheelship"
_LIFE_SECONDS = 60.0  # what the protocol says when a token tells nothing
_MARGIN = 0.8
_TOKEN_CHARACTERS = 1024 * 1024

# Sends a request to a token service and returns the body of its answer 200:
# method, address, headers, body.
Fetch = Callable[[str, str, Mapping[str, str], bytes | None], bytes]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    until: float


class Authenticator:
    """Keeps what one registry asked for and the tokens it gave. Safe for several threads.

    ``registry`` is the address of its API; ``login`` is who we are there, None for anybody.
    """

    def __init__(
        self,
        registry: str,
        login: Login | None,
        fetch: Fetch,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._login = login
        self._fetch = fetch
        self._clock = clock
        self._lock = RLock()  # a refusal of the token service is redacted while it is held
        self._challenge: Challenge | None = None
        self._tokens: dict[frozenset[str], _Token] = {}

    @property
    def login(self) -> Login | None:
        """Who we are."""
        return self._login

    def headers(self, scopes: frozenset[str]) -> dict[str, str]:
        """Return the headers for a request that needs ``scopes``; none before it is asked.

        Raises:
            RegistryDenied: the token service does not give a token for them.
            NetworkError: it does not answer usefully, or must not be asked.
        """
        with self._lock:
            challenge = self._challenge
            if challenge is None:
                return {}
            if challenge.scheme == "basic":
                return self._basic()
            token = self._tokens.get(scopes)
            if token is None or token.until <= self._clock():
                token = self._tokens[scopes] = self._new_token(challenge, scopes)
            return {"Authorization": f"Bearer {token.text}"}

    def challenged(self, asked: list[str], scopes: frozenset[str], used: Mapping[str, str]) -> bool:
        """Learn from an answer 401 to a request with the headers ``used``.

        Returns whether another try with :meth:`headers` may help.
        """
        found = {one.scheme: one for one in reversed(parse_challenges(asked))}
        challenge = found.get("bearer")
        if challenge is None and self._login is not None and self._login.password:
            challenge = found.get("basic")
        with self._lock:
            if challenge is None:
                return False
            token = self._tokens.get(scopes)
            if token is not None and used.get("Authorization") == f"Bearer {token.text}":
                del self._tokens[scopes]
            self._challenge = challenge
            return challenge.scheme == "bearer" or not used.get("Authorization")

    def redact(self, text: str) -> str:
        """Return ``text`` without any secret that we have, should a server repeat one."""
        with self._lock:
            secrets = [token.text for token in self._tokens.values()]
            if self._login is not None:
                secrets += self._login.secrets
                secrets += [self._basic()["Authorization"].partition(" ")[2]]
        for secret in secrets:
            text = text.replace(secret, "***") if secret else text
        return text

    def _basic(self) -> dict[str, str]:
        assert self._login is not None  # noqa: S101 - challenged() takes Basic with a login only
        pair = f"{self._login.user}:{self._login.password}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    def _new_token(self, challenge: Challenge, scopes: frozenset[str]) -> _Token:
        realm, service = challenge.get("realm"), challenge.get("service")
        check_realm(realm, self._registry)
        wanted = " ".join(sorted(scopes))
        if self._login is not None and self._login.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": _CLIENT,
                "scope": wanted,
                "refresh_token": self._login.identity_token,
            }
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            body = self._fetch("POST", realm, kind, urlencode(form).encode())
        else:
            pairs = [("scope", scope) for scope in sorted(scopes)]
            if service:
                pairs.insert(0, ("service", service))
            if self._login is not None:
                pairs.append(("account", self._login.user))
            joint = "&" if urlsplit(realm).query else "?"
            headers = self._basic() if self._login is not None else {}
            body = self._fetch("GET", realm + joint + urlencode(pairs), headers, None)
        return self._read(body)

    def _read(self, body: bytes) -> _Token:
        try:
            document: Any = json.loads(body)
            text = document.get("token") or document.get("access_token")
            life = document.get("expires_in") or _LIFE_SECONDS
            seconds = max(float(life), 0.0)
        except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
            # The cause would quote the answer, and that may hold the token.
            raise self._no_token() from None
        if (
            not isinstance(text, str)
            or not 0 < len(text) <= _TOKEN_CHARACTERS
            or not text.isascii()
            or any(not one.isprintable() for one in text)
        ):
            raise self._no_token()
        return _Token(text, self._clock() + seconds * _MARGIN)

    def _no_token(self) -> RegistryAnswer:
        return RegistryAnswer(
            "the token service answered with something else than a token",
            where=urlsplit(self._registry).netloc,
        )
