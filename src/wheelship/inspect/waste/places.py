# SPDX-License-Identifier: Apache-2.0
"""What stands for many files in a list: the directory that people would name."""

from __future__ import annotations

from wheelship.inspect.waste.subject import Subject

__all__ = ["outline", "within_site"]

_DEPTH = 4


def outline(path: str) -> str:
    """Return a package's directory below ``site-packages``, of others the first four parts."""
    site = Subject.site_of(path)
    if site:
        return f"{site}/{path[len(site) + 1 :].partition('/')[0]}"
    parts = path.split("/")
    return path if len(parts) <= _DEPTH else "/".join(parts[:_DEPTH])


def within_site(path: str) -> str:
    """Return ``path`` from its ``site-packages`` on, as ``omit`` names it; empty outside of any."""
    site = Subject.site_of(path)
    return path[len(site) + 1 :] if site else ""
