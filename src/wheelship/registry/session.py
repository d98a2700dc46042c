# SPDX-License-Identifier: Apache-2.0
"""Requests to one registry: who we are is proven, redirects are followed safely, answers judged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from wheelship.fetch.connection import COME_BACK, REDIRECTS, Connections, retry_after, translate
from wheelship.fetch.errors import ResponseTooLarge, Transient
from wheelship.fetch.retry import Policy, Retrier
from wheelship.fetch.url import display_url, origin
from wheelship.registry.address import redirect_target
from wheelship.registry.errors import (
    ImageNotFound,
    RegistryAnswer,
    RegistryDenied,
    RegistryRefused,
)
from wheelship.registry.login import Login
from wheelship.registry.token import Authenticator

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["Answer", "Body", "Session", "read_body"]

_T = TypeVar("_T")
_PIECE_BYTES = 64 * 1024
_TOKEN_BYTES = 1024 * 1024
_ERROR_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 200
_DOCUMENT_SECONDS = 120.0
_BODY_PATIENCE = 5.0  # storing a large layer takes the registry longer than any other answer

# Makes the body anew for each try.
Body = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What matters of an answer whose body nobody needs."""

    status: int
    headers: Mapping[str, str]
    url: str


class Session:
    """Talks to the registry whose API is at ``base``; safe for several threads.

    ``host`` is what the user calls it. ``complaint`` says why credentials may be missing.
    """

    def __init__(
        self,
        host: str,
        base: str,
        connections: Connections,
        *,
        policy: Policy,
        retrier: Retrier,
        login: Login | None,
        complaint: str | None,
    ) -> None:
        self.host = host
        self.base = base
        self._retrier = retrier
        self._connections = connections
        self._policy = policy
        self._complaint = complaint
        self._auth = Authenticator(base, login, self._fetch_token)

    def repeat(
        self,
        action: Callable[[], _T],
        *,
        cancelled: Event | None = None,
        progress: Callable[[], int] = lambda: 0,
    ) -> _T:
        """Call ``action`` again while that may help (see :class:`~wheelship.fetch.retry.Retrier`).

        Raises:
            NetworkError: the last failure.
        """
        return self._retrier.run(action, cancelled=cancelled or Event(), progress=progress)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        scopes: frozenset[str],
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        expected: tuple[int, ...] = (HTTPStatus.OK,),
    ) -> Iterator[BaseHTTPResponse]:
        """Send a request to ``path`` (or a whole address); yield the answer, its body unread.

        Raises:
            Transient: another try may help; also while the body is read inside the block.
            NetworkError: the status is none of ``expected``.
        """
        from urllib3.exceptions import HTTPError

        url = path if "://" in path else self.base + path
        response: BaseHTTPResponse | None = None
        try:
            response = self._follow(method, url, scopes, dict(headers or {}), body)
            if response.status not in expected:
                raise self._failure(response, url)
            yield response
        except HTTPError as error:
            raise translate(error, url) from error
        finally:
            if response is not None:
                response.close()

    def ask(
        self,
        method: str,
        path: str,
        scopes: frozenset[str],
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        expected: tuple[int, ...] = (HTTPStatus.OK,),
    ) -> Answer:
        """Send a request whose answer's body does not matter.

        Raises:
            NetworkError: as :meth:`open`.
        """
        with self.open(
            method, path, scopes, headers=headers, body=body, expected=expected
        ) as response:
            # Read, so that the connection serves the next request.
            if method != "HEAD":
                response.read(_ERROR_BYTES, decode_content=False)
                response.release_conn()
            url = path if "://" in path else self.base + path
            return Answer(status=response.status, headers=response.headers, url=url)

    def _follow(
        self,
        method: str,
        url: str,
        scopes: frozenset[str],
        headers: dict[str, str],
        body: Body | None,
    ) -> BaseHTTPResponse:
        here, home, tries = url, origin(self.base), 0
        proven = False
        for _ in range(self._policy.redirects + 2):
            # Credentials never travel to another server, not even to another port.
            own = self._auth.headers(scopes) if origin(here) == home else {}
            response = self._connections.send(
                method,
                here,
                {**headers, **own},
                body=None if body is None else body(),
                patience=1.0 if body is None else _BODY_PATIENCE,
            )
            if response.status == HTTPStatus.UNAUTHORIZED and origin(here) == home and not proven:
                asked = response.headers.getlist("WWW-Authenticate")
                if self._auth.challenged(asked, scopes, own):
                    response.close()
                    proven = True
                    continue
            if response.status not in REDIRECTS:
                return response
            response.close()
            tries += 1
            if tries > self._policy.redirects:
                break
            reads = method in ("GET", "HEAD")
            if not reads and response.status not in (307, 308):
                raise RegistryAnswer(
                    f"the registry redirects a {method} with {response.status}",
                    where=display_url(here),
                )
            here = redirect_target(here, response.headers.get("Location"), anywhere=reads)
        raise RegistryAnswer(
            f"redirected more than {self._policy.redirects} times", where=display_url(url)
        )

    def _fetch_token(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> bytes:
        """Send one request to the token service; whoever repeats the request repeats this."""
        from urllib3.exceptions import HTTPError

        response: BaseHTTPResponse | None = None
        try:
            response = self._connections.send(method, url, headers, body=body)
            status = response.status
            if status == HTTPStatus.OK:
                return read_body(response, _TOKEN_BYTES, url)
            if status in COME_BACK:
                raise _come_back(response, url, "")
            if status in REDIRECTS:
                raise RegistryAnswer(
                    "the token service redirects; credentials do not follow", where=display_url(url)
                )
            raise self._denied(f"the token service answered {status}", status)
        except HTTPError as error:
            raise translate(error, url) from error
        finally:
            if response is not None:
                response.close()

    def _failure(self, response: BaseHTTPResponse, url: str) -> Exception:
        status = response.status
        said, codes = self._said(response, url)
        if status in COME_BACK:
            return _come_back(response, url, said)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return self._denied(f"the registry answered {status}{said}", status)
        if status == HTTPStatus.NOT_FOUND:
            return ImageNotFound(
                f"the registry does not have it{said}",
                where=display_url(url),
                hint=f"check the name; if it is private: docker login {self.host}",
            )
        if "DIGEST_INVALID" in codes or "SIZE_INVALID" in codes:
            # Our own bytes were right (they are hashed while they are sent): damaged on their way.
            return Transient(f"the registry received something else{said}", where=display_url(url))
        return RegistryRefused(
            f"the registry answered {status} {response.reason or ''}".rstrip() + said,
            status=status,
            where=display_url(url),
        )

    def _denied(self, message: str, status: int) -> RegistryDenied:
        login = self._auth.login
        if login is None:
            why = "no credentials for it were found"
            if self._complaint is not None:
                why = self._complaint
        elif status == HTTPStatus.FORBIDDEN:
            why = f"{login.user or 'the token'} may not do this"
        else:
            why = f"the credentials of {login.user or 'the token'} do not suffice"
        return RegistryDenied(
            self._auth.redact(f"{message}: {why}"),
            where=self.host,
            hint=f"docker login {self.host}",
        )

    def _said(self, response: BaseHTTPResponse, url: str) -> tuple[str, set[str]]:
        """Return the registry's own words, fit to be shown, and its error codes."""
        try:
            document = json.loads(read_body(response, _ERROR_BYTES, url))
            errors = [one for one in document["errors"] if isinstance(one, dict)]
        except (ValueError, KeyError, TypeError, RecursionError, Transient, ResponseTooLarge):
            return "", set()
        codes = {str(one.get("code")) for one in errors}
        words = "; ".join(f"{one.get('code')}: {one.get('message')}" for one in errors)
        words = self._auth.redact(words)[:_SHOWN_CHARACTERS]
        shown = "".join(one for one in words if one.isprintable())
        return (f" ({shown})" if shown else ""), codes


def _come_back(response: BaseHTTPResponse, url: str, said: str) -> Transient:
    return Transient(
        f"the registry answered {response.status} {response.reason or ''}".rstrip() + said,
        where=urlsplit(url).netloc.rpartition("@")[2],
        hint="try again later",
        retry_after_seconds=retry_after(response.headers),
    )


def read_body(response: BaseHTTPResponse, limit_bytes: int, url: str) -> bytes:
    """Return the whole body, of at most ``limit_bytes`` that arrive in reasonable time.

    Raises:
        ResponseTooLarge: there is more.
        Transient: it breaks off or trickles.
    """
    from urllib3.exceptions import HTTPError

    body, began = bytearray(), time.monotonic()
    try:
        while piece := response.read1(_PIECE_BYTES, decode_content=False):
            body += piece
            if len(body) > limit_bytes:
                raise ResponseTooLarge(f"longer than {limit_bytes} bytes", where=display_url(url))
            if time.monotonic() - began > _DOCUMENT_SECONDS:
                raise Transient(
                    f"not complete after {_DOCUMENT_SECONDS:g} s", where=display_url(url)
                )
    except HTTPError as error:
        raise translate(error, url) from error
    return bytes(body)
