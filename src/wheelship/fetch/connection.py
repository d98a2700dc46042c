# SPDX-License-Identifier: Apache-2.0
"""One request over a kept connection, and what failures and answers mean; no redirects, no status.

Shared by :mod:`wheelship.fetch.transport` and by clients of other protocols over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from wheelship.fetch.errors import Offline, Transient, UntrustedCertificate, UnusableUrl
from wheelship.fetch.retry import Policy
from wheelship.fetch.url import display_url, origin, without_credentials

if TYPE_CHECKING:
    import ssl

    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["COME_BACK", "REDIRECTS", "Connections", "retry_after", "translate"]

REDIRECTS = (301, 302, 303, 307, 308)
COME_BACK = (408, 425, 429, 500, 502, 503, 504)
_SECONDS = re.compile(r"\d+")


class Connections:
    """Sends requests. Safe for several threads; connections are kept for the next request.

    ``proxies`` maps ``http`` and ``https`` to proxy addresses, and ``no`` to the hosts that are
    reached without one (the form of :func:`urllib.request.getproxies`).
    """

    def __init__(
        self,
        *,
        user_agent: str,
        policy: Policy,
        context: ssl.SSLContext | None,
        proxies: Mapping[str, str],
        offline: bool,
    ) -> None:
        # Whole, before threads import parts of it: when a package has been loaded, Python takes it
        # out of sys.modules for a moment, and whoever imports a part of it just then fails.
        import urllib3  # noqa: F401 - for what importing it does

        self._agent = user_agent
        self._policy = policy
        self._context = context
        self._proxies = dict(proxies)
        self._offline = offline
        self._pools: dict[str | None, PoolManager] = {}

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        body: bytes | Iterable[bytes] | None = None,
        patience: float = 1.0,
    ) -> BaseHTTPResponse:
        """Send one request and return the answer, whatever its status, with its body unread.

        ``patience`` multiplies how long the server may take for the next byte.

        Raises:
            Offline, UnusableUrl: nothing was sent.
            urllib3.exceptions.HTTPError: see :func:`translate`.
        """
        from urllib3 import Timeout

        if origin(url)[0] not in ("http", "https"):
            raise UnusableUrl(f"neither http nor https: {display_url(url)}")
        if self._offline:
            raise Offline(
                f"not fetched, because the network is not to be used: {display_url(url)}",
                hint="run once without --offline",
            )
        timeout = Timeout(
            connect=self._policy.connect_seconds, read=self._policy.read_seconds * patience
        )
        return self._pool(url).request(
            method,
            # Credentials in a redirect are the server's idea, not the user's.
            without_credentials(url),
            body=body,
            headers={"User-Agent": self._agent, "Accept-Encoding": "identity", **headers},
            preload_content=False,
            decode_content=False,
            redirect=False,
            retries=False,
            timeout=timeout,
        )

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


def retry_after(headers: Mapping[str, str]) -> float | None:
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


def translate(error: Exception, url: str) -> Exception:
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
