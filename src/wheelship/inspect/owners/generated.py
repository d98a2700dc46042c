# SPDX-License-Identifier: Apache-2.0
"""What no package ships because a program makes it: bytecode, caches, records, settings.

Caches are named after whose they are (``pip cache``). They come before all package databases: uv's
and conda's hold whole installed packages, RECORD included, and none of them is installed there.
Records and settings come after the databases, for a package may well ship such a file.
"""

from __future__ import annotations

import re

from wheelship.inspect.model import Owner

__all__ = ["BYTECODE", "cache", "record"]

BYTECODE = Owner("generated", "bytecode")

_CACHE = re.compile(
    r"(?:^|/)\.cache/(?P<tool>[^/]+)/"
    r"|^var/cache/(?P<system>[^/]+)/"
    r"|^(?P<lists>var/lib/apt/lists/)"
    r"|(?:^|/)(?P<conda>[^/]*(?:conda|mamba|miniforge)[^/]*/pkgs/)"
    r"|(?:^|/)(?P<npm>\.npm/)"
    r"|(?:^|/)(?P<cargo>\.cargo/registry/)"
    r"|(?:^|/)(?P<go>go/pkg/mod/cache/)"
    r"|(?:^|/)(?P<ccache>\.ccache/)"
    r"|(?:^|/)(?P<other>\.cache/)"
)
_NAMES = {
    "lists": "apt lists",
    "conda": "conda cache",
    "npm": "npm cache",
    "cargo": "cargo cache",
    "go": "go cache",
    "ccache": "ccache cache",
    "other": "other caches",
}

_RECORD = re.compile(
    r"(?P<loader>etc/ld\.so\.cache)"
    r"|(?P<certificates>etc/ssl/certs/.*|etc/ca-certificates\.conf(?:\.dpkg-.*)?"
    r"|etc/pki/.*|usr/lib/ssl/(?:certs|cert\.pem))"
    r"|(?P<alternatives>etc/alternatives/.*|var/lib/dpkg/alternatives/.*)"
    r"|(?P<accounts>etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-?|etc/\.pwd\.lock|etc/shells"
    r"|var/lib/shells\.state|etc/security/opasswd)"
    r"|(?P<dpkg>var/lib/dpkg/.*)"
    r"|(?P<apt>var/lib/apt/.*|etc/apt/.*|usr/share/keyrings/.*)"
    r"|(?P<logs>var/log/.*)"
    r"|(?P<locales>usr/lib/locale/.*|.*/gconv-modules\.cache|etc/locale\.gen|etc/default/locale)"
    r"|(?P<probe>opt/wheelship/.*)"
    r"|(?P<temporary>(?:var/)?tmp/.*)"
    r"|(?P<system>\.dockerenv|etc/(?:hostname|hosts|resolv\.conf|mtab|fstab|machine-id|environment"
    r"|localtime|timezone|networks|nsswitch\.conf|vconsole\.conf|motd|adjtime|profile|crypttab"
    # of packages whose lists an image without dpkg does not have: their configuration files
    r"|debian_version|ethertypes|host\.conf|inputrc|mime\.types|netconfig|protocols|rpc|services"
    r"|issue(?:\.net)?|dpkg/origins/.*|ld\.so\.conf(?:\.d/.*)?|python3[^/]*/sitecustomize\.py)"
    r"|etc/rc[0-6S]\.d/.*|etc/systemd/.*|etc/pam\.d/common-.*"
    r"|var/lib/(?:systemd|pam|ucf)/.*|usr/share/info/dir|usr/local/man"
    r"|(?:root|home/[^/]+)/\.(?:bashrc|profile|bash_logout|wget-hsts|python_history)"
    r"|var/(?:run|lock|spool/mail)|run/.*)"
)
_RECORDS = {
    "loader": Owner("generated", "loader cache"),
    "certificates": Owner("generated", "certificates"),
    "alternatives": Owner("generated", "alternatives"),
    "accounts": Owner("generated", "accounts"),
    "dpkg": Owner("generated", "dpkg database"),
    "apt": Owner("generated", "apt state"),
    "logs": Owner("generated", "logs"),
    "locales": Owner("generated", "locales"),
    "probe": Owner("generated", "health probe"),
    "temporary": Owner("generated", "temporary files"),
    "system": Owner("generated", "system settings"),
}


def cache(directory: str) -> Owner | None:
    """Return the cache that ``directory`` is in or is."""
    found = _CACHE.search(f"{directory}/")
    if found is None or found.lastgroup is None:
        return None
    if found.lastgroup in ("tool", "system"):
        return Owner("generated", f"{found[found.lastgroup]} cache")
    return Owner("generated", _NAMES[found.lastgroup])


def record(path: str, target: str = "") -> Owner | None:
    """Return what a file that no package lists is a record of; ``target`` is a symlink's."""
    if target.startswith("/etc/alternatives/"):
        return _RECORDS["alternatives"]
    found = _RECORD.fullmatch(path)
    return _RECORDS[found.lastgroup] if found is not None and found.lastgroup else None
