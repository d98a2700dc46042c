# SPDX-License-Identifier: Apache-2.0
"""Which addresses a registry may send us to (facts: traps §5.4).

A registry names a token service, redirects to storage and says where uploads go. All three are its
choice, so none of them may weaken the protection or reach into this machine or its network.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urljoin

from wheelship.fetch.url import display_url, origin
from wheelship.oci.reference import is_loopback
from wheelship.registry.errors import UnsafeAddress

__all__ = ["check_realm", "redirect_target", "upload_target"]


def check_realm(realm: str, registry: str) -> None:
    """Refuse a token service that credentials must not go to; ``registry`` is its API's address.

    It must be https; a registry without TLS may name its own host, or loopback if it is there.

    Raises:
        UnsafeAddress: it is anything else, or lies in this machine or its private network while the
            registry does not.
    """
    scheme, host, _ = origin(realm)
    own_scheme, own_host, _ = origin(registry)
    near = host == own_host or (is_loopback(host) and is_loopback(own_host))
    if near and own_scheme == "http" and scheme in ("http", "https"):
        return
    if scheme != "https":
        raise UnsafeAddress(
            f"the registry {own_host} asks for credentials at {display_url(realm)}, "
            "which is not protected",
            hint="the registry's operator must set an https realm",
        )
    if host != own_host and _is_inside(host) and not _is_inside(own_host):
        raise UnsafeAddress(
            f"the registry {own_host} asks for credentials at {display_url(realm)}, "
            "an address inside this machine or its private network",
        )


def redirect_target(url: str, location: str | None, *, anywhere: bool) -> str:
    """Return where ``location`` leads from ``url``.

    ``anywhere`` allows another origin: for content that is verified by its digest, and without
    credentials.

    Raises:
        UnsafeAddress: it may not be followed.
    """
    if not location:
        raise UnsafeAddress(f"redirected to nowhere: {display_url(url)}")
    target = urljoin(url, location)
    here, there = origin(url), origin(target)
    if there == here:
        return target
    what = f"{display_url(url)} redirects to {display_url(target)}"
    if there[0] not in ("http", "https"):
        raise UnsafeAddress(f"{what}, which is neither http nor https")
    if here[0] == "https" and there[0] == "http":
        raise UnsafeAddress(
            f"{what}, which is not protected",
            hint="behind a proxy: tell the registry its https address (http.host, "
            "X-Forwarded-Proto)",
        )
    if not anywhere:
        raise UnsafeAddress(f"{what}, another server, which is not to get this request")
    if _is_local(there[1]) and not _is_local(here[1]):
        raise UnsafeAddress(f"{what}, an address inside this machine")
    return target


def upload_target(url: str, location: str | None) -> str:
    """Return where an upload goes on: the same registry, whatever ``Location`` says.

    Raises:
        UnsafeAddress: it leads to another server, to which neither layers nor credentials go.
    """
    if not location:
        raise UnsafeAddress(f"the registry does not say where the upload goes: {display_url(url)}")
    target = urljoin(url, location)
    if origin(target) != origin(url):
        raise UnsafeAddress(
            f"the registry wants the upload to go to another server: {display_url(target)}",
            hint="behind a proxy: tell the registry its own address (http.host, "
            "X-Forwarded-Proto, or relative URLs)",
        )
    return target


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_local(host: str) -> bool:
    """Tell whether the host is this machine, or an address that only this link knows."""
    address = _address(host)
    return is_loopback(host) or (
        address is not None and (address.is_link_local or address.is_unspecified)
    )


def _is_inside(host: str) -> bool:
    address = _address(host)
    return _is_local(host) or (address is not None and not address.is_global)
