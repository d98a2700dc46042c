# SPDX-License-Identifier: Apache-2.0
"""Proxies: are their addresses right, and does anybody listen there?"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from wheelship.doctor.model import Finding, Patient
from wheelship.fetch.url import display_url

__all__ = ["check_proxies"]

_NETWORK = re.compile(r"[\d.:a-fA-F]+/\d{1,3}")
_PORTS = {"http": 80, "https": 443}


def check_proxies(patient: Patient) -> Iterable[Finding]:
    """Look at the variables as downloads do: lower case wins over upper case."""
    chosen = {name: _variable(patient, name) for name in ("http_proxy", "https_proxy")}
    used = {name: address for name, address in chosen.items() if address}
    if not used:
        yield Finding(code="proxies", status="ok", what="none set")
        return
    for name, address in used.items():
        yield _proxy(name, address, patient)
    if "https_proxy" not in used:
        yield Finding(
            code="proxy-for-https",
            status="warning",
            what="HTTP_PROXY is set and HTTPS_PROXY is not: https goes without a proxy",
            hint='export HTTPS_PROXY="$HTTP_PROXY"',
        )
    networks = _NETWORK.findall(_variable(patient, "no_proxy") or "")
    if networks:
        yield Finding(
            code="no-proxy",
            status="warning",
            what=f"NO_PROXY names networks ({', '.join(networks)}), of which only some programs "
            "make sense; hosts in them are asked through the proxy",
            hint="name hosts or domains: export NO_PROXY=localhost,127.0.0.1,.example.org",
        )


def _variable(patient: Patient, name: str) -> str | None:
    return patient.environ.get(name) or patient.environ.get(name.upper())


def _proxy(name: str, address: str, patient: Patient) -> Finding:
    shown = f"{name.upper()} {display_url(address)}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in _PORTS or not host or not port:
        return Finding(
            code="proxy-address",
            status="problem",
            # What cannot be taken apart may have a password anywhere.
            what=f"{name.upper()} is not the address of an http or https proxy",
            hint=f"export {name.upper()}=http://proxy.example.org:3128",
        )
    if patient.offline:
        return Finding(code="proxy", status="skipped", what=f"{shown} was not tried: --offline")
    try:
        socket.create_connection((host, port), timeout=patient.seconds).close()
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return Finding(
            code="proxy-unreachable",
            status="problem",
            what=f"{shown}: {reason}",
            hint=f"correct it, or without a proxy: unset {name.upper()} {name}",
        )
    return Finding(code="proxy", status="ok", what=f"{shown} accepts connections")
