# SPDX-License-Identifier: Apache-2.0
"""Addresses: what of them may be shown, where they belong, which file they name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from wheelship.fetch.errors import UnusableUrl

__all__ = [
    "display_url",
    "file_path",
    "has_credentials",
    "origin",
    "without_credentials",
    "without_password",
]

_PORTS = {"http": 80, "https": 443}


def without_credentials(url: str) -> str:
    """Return ``url`` without user name and password; what is no address is returned as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def without_password(url: str) -> str:
    """Return ``url`` with a user name at most, which is part of an address of SSH."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + host))


def has_credentials(url: str) -> bool:
    """Tell whether the address carries a user name or a password."""
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return False


def display_url(url: str) -> str:
    """Return what of ``url`` may stand in a message: no credentials, no query.

    Storage services put short-lived signatures into the query.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "<malformed address>"
    query = "…" if parts.query else ""
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port (RFC 6454).

    Raises:
        UnusableUrl: the address is malformed.
    """
    parts = split(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise UnusableUrl(f"malformed port: {display_url(url)}") from error
    return (parts.scheme, (parts.hostname or "").lower(), port)


def split(url: str) -> SplitResult:
    """Take an address apart.

    Raises:
        UnusableUrl: it is malformed.
    """
    try:
        return urlsplit(url)
    except ValueError as error:
        raise UnusableUrl(f"malformed address: {error}") from error


def file_path(url: str) -> Path | None:
    """Return the path that a ``file:`` address names, None for other kinds.

    Raises:
        UnusableUrl: it names a file of another host.
    """
    parts = split(url)
    if parts.scheme != "file":
        return None
    if parts.netloc not in ("", "localhost"):
        raise UnusableUrl(f"a file of another host cannot be read: {display_url(url)}")
    from urllib.request import url2pathname  # 40 ms that only local files are worth

    return Path(url2pathname(parts.path))


def url_filename(url: str) -> str:
    """Return the decoded last component of the address's path."""
    return unquote(split(url).path.rpartition("/")[2])
