# SPDX-License-Identifier: Apache-2.0
"""One request and its answer: redirects followed safely, failures told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from wheelship.fetch.connection import (
    COME_BACK,
    REDIRECTS,
    Connections,
    retry_after,
    translate,
)
from wheelship.fetch.errors import HttpStatus, InsecureRedirect, Transient, Unauthorized
from wheelship.fetch.retry import Policy
from wheelship.fetch.url import display_url, origin

if TYPE_CHECKING:
    import ssl

    from urllib3 import BaseHTTPResponse

__all__ = ["CredentialsFor", "Transport"]

CredentialsFor = Callable[[str], tuple[str, str] | None]

_RANGE_ANSWERS = (206, 416)


class Transport:
    """Opens addresses. Safe for several threads; ``proxies`` as for ``Connections``."""

    def __init__(
        self,
        *,
        user_agent: str,
        policy: Policy,
        context: ssl.SSLContext | None,
        credentials: CredentialsFor,
        proxies: Mapping[str, str],
        offline: bool,
    ) -> None:
        self._policy = policy
        self._credentials = credentials
        self._connections = Connections(
            user_agent=user_agent, policy=policy, context=context, proxies=proxies, offline=offline
        )

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, *, method: str = "GET"
    ) -> Iterator[BaseHTTPResponse]:
        """Send one request, follow its redirects, yield the answer with its body unread.

        Only 200 is yielded, and what answers a range (206, 416); anything else is raised.

        Raises:
            Transient: another try may help; also while the body is read inside the block.
            NetworkError: another try would not.
        """
        from urllib3.exceptions import HTTPError

        response: BaseHTTPResponse | None = None
        try:
            response = self._follow(url, dict(headers or {}), method)
            yield response
        except HTTPError as error:
            raise translate(error, url) from error
        finally:
            if response is not None:
                response.close()

    def _follow(self, url: str, headers: dict[str, str], method: str) -> BaseHTTPResponse:
        here, status = url, 0
        for _ in range(self._policy.redirects + 1):
            response = self._connections.send(method, here, {**headers, **self._identity(here)})
            if response.status not in REDIRECTS:
                _check_status(response, here, ranged="Range" in headers)
                return response
            response.close()
            status = response.status
            here = _redirected(here, status, response.headers.get("Location"))
        raise HttpStatus(
            f"redirected more than {self._policy.redirects} times: {display_url(url)}",
            status=status,
        )

    def _identity(self, url: str) -> dict[str, str]:
        """Return the headers that depend on the host: credentials never travel to another one."""
        from urllib3.util import make_headers

        found = self._credentials(url)
        return {} if found is None else make_headers(basic_auth=f"{found[0]}:{found[1]}")


def _redirected(url: str, status: int, location: str | None) -> str:
    if not location:
        raise HttpStatus(f"redirected to nowhere: {display_url(url)}", status=status)
    target = urljoin(url, location)
    if origin(url)[0] == "https" and origin(target)[0] != "https":
        raise InsecureRedirect(
            f"{display_url(url)} redirects to {display_url(target)}, which is not protected",
            hint="use another index or mirror",
        )
    return target


def _check_status(response: BaseHTTPResponse, url: str, *, ranged: bool) -> None:
    status = response.status
    if status == HTTPStatus.OK or (ranged and status in _RANGE_ANSWERS):
        return
    shown = display_url(url)
    response.close()
    if status in COME_BACK:
        raise Transient(
            f"the server answered {status} {response.reason or ''}".rstrip() + f": {shown}",
            hint="try again later",
            retry_after_seconds=retry_after(response.headers),
        )
    if status in (401, 403, 407):
        raise Unauthorized(
            f"the server answered {status}: {shown}",
            status=status,
            hint="put the credentials for this host into ~/.netrc:\n"
            f"machine {origin(url)[1]} login USER password PASSWORD",
        )
    raise HttpStatus(
        f"the server answered {status} {response.reason or ''}".rstrip() + f": {shown}",
        status=status,
    )
