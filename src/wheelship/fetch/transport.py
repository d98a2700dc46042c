# SPDX-License-Identifier: Apache-2.0
"""One request and its answer: redirects followed safely, failures told apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from wheelship.fetch.errors import (
    HttpStatus,
    InsecureRedirect,
    Offline,
    Transient,
    Unauthorized,
    UntrustedCertificate,
    UnusableUrl,
)
from wheelship.fetch.retry import Policy
from wheelship.fetch.url import display_url, origin, without_credentials

if TYPE_CHECKING:
    import ssl

    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["CredentialsFor", "Transport"]

CredentialsFor = Callable[[str], tuple[str, str] | None]

_REDIRECTS = (301, 302, 303, 307, 308)
_RANGE_ANSWERS = (206, 416)
_COME_BACK = (408, 425, 429, 500, 502, 503, 504)
_SECONDS = re.compile(r"\d+")


class Transport:
    """Opens addresses. Safe for several threads; connections are kept for the next request.

    ``proxies`` maps ``http`` and ``https`` to proxy addresses, and ``no`` to the hosts that are
    reached without one (the form of :func:`urllib.request.getproxies`).
    """

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
        self._agent = user_agent
        self._policy = policy
        self._context = context
        self._credentials = credentials
        self._proxies = dict(proxies)
        self._offline = offline
        self._pools: dict[str | None, PoolManager] = {}

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
            raise _translate(error, url) from error
        finally:
            if response is not None:
                response.close()

    def _follow(self, url: str, headers: dict[str, str], method: str) -> BaseHTTPResponse:
        from urllib3 import Timeout

        timeout = Timeout(connect=self._policy.connect_seconds, read=self._policy.read_seconds)
        here, status = url, 0
        for _ in range(self._policy.redirects + 1):
            if origin(here)[0] not in ("http", "https"):
                raise UnusableUrl(f"neither http nor https: {display_url(here)}")
            if self._offline:
                raise Offline(
                    f"not fetched, because the network is not to be used: {display_url(here)}",
                    hint="run once without --offline",
                )
            response = self._pool(here).request(
                method,
                # Credentials in a redirect are the server's idea, not the user's.
                without_credentials(here),
                headers={**headers, **self._identity(here)},
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=timeout,
            )
            if response.status not in _REDIRECTS:
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

        headers = {"User-Agent": self._agent, "Accept-Encoding": "identity"}
        found = self._credentials(url)
        if found is not None:
            headers |= make_headers(basic_auth=f"{found[0]}:{found[1]}")
        return headers

    def _pool(self, url: str) -> PoolManager:
        from urllib3 import PoolManager, ProxyManager

        scheme, host, port = origin(url)
        proxy = self._proxies.get(scheme) or self._proxies.get("all")
        if proxy and _is_direct(host, port, self._proxies.get("no", "")):
            proxy = None
        if proxy not in self._pools:
            self._pools[proxy] = (
                ProxyManager(proxy, ssl_context=self._context, maxsize=8)
                if proxy
                else PoolManager(ssl_context=self._context, maxsize=8)
            )
        return self._pools[proxy]


def _is_direct(host: str, port: int, no_proxy: str) -> bool:
    """Tell whether ``NO_PROXY`` names the host: itself, a domain it is in, or ``*``."""
    for entry in no_proxy.lower().replace(",", " ").split():
        name = entry.removeprefix("*").removeprefix(".")
        if not name or f"{host}:{port}" == name or f".{host}".endswith(f".{name}"):
            return True
    return False


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
    if status in _COME_BACK:
        raise Transient(
            f"the server answered {status} {response.reason or ''}".rstrip() + f": {shown}",
            hint="try again later",
            retry_after_seconds=_retry_after(response.headers),
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


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the wait a server asks for (RFC 9110, section 10.2.3), in seconds.

    A date counts from the server's own clock.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None


def _translate(error: Exception, url: str) -> Exception:
    """Return our error for one of urllib3's."""
    import ssl

    from urllib3.exceptions import LocationValueError, SSLError

    shown = display_url(url)
    chain = [error, *error.args, error.__cause__, error.__context__]
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        return UntrustedCertificate(
            f"the certificate of {origin(url)[1]} cannot be verified: {_reason(error)}",
            where=shown,
            hint="if a company's authority signed it, point SSL_CERT_FILE to a bundle with it",
        )
    if isinstance(error, LocationValueError):
        return UnusableUrl(f"not an address: {shown}")
    kind = "no protected connection" if isinstance(error, SSLError) else "no answer"
    return Transient(
        f"{kind} from {origin(url)[1]}: {_reason(error)}",
        where=shown,
        hint="check the network, and HTTPS_PROXY if there is a proxy",
    )


def _reason(error: Exception) -> str:
    """Return the last part of urllib3's message, which has no address in it."""
    text = str(error.args[-1] if error.args else error)
    return re.sub(r"^<?[\w.]*\([^)]*\)>?:? ?", "", text).strip() or type(error).__name__
