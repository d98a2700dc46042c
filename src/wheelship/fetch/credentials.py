# SPDX-License-Identifier: Apache-2.0
"""Who we are to which server: from netrc, and from the addresses of indexes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from wheelship.fetch.errors import InvalidNetrc
from wheelship.fetch.url import has_credentials, origin, split

__all__ = ["Credentials"]


class Credentials:
    """Finds user name and password for an address; instances are callable.

    ``urls`` are addresses that carry credentials: these are used for everything of the same
    origin, the entry with the most similar path first. ``netrc`` is asked for other hosts.

    Raises:
        InvalidNetrc: the file is malformed; a file that does not exist is none.
    """

    def __init__(self, *, urls: Iterable[str] = (), netrc: Path | None = None) -> None:
        self._urls = [url for url in urls if has_credentials(url)]
        self._hosts = _read_netrc(netrc)

    def __call__(self, url: str) -> tuple[str, str] | None:
        """Return ``(user, password)`` for ``url``, or None."""
        place = origin(url)
        path = split(url).path
        same = [one for one in self._urls if origin(one) == place]
        if same:
            best = max(same, key=lambda one: _common_components(split(one).path, path))
            parts = split(best)
            return unquote(parts.username or ""), unquote(parts.password or "")
        return self._hosts.get(place[1]) or self._hosts.get("default")


def _common_components(one: str, other: str) -> int:
    count = 0
    for mine, theirs in zip(one.split("/"), other.split("/"), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _read_netrc(path: Path | None) -> dict[str, tuple[str, str]]:
    if path is None or not path.is_file():
        return {}
    import netrc

    try:
        parsed = netrc.netrc(str(path))
    except netrc.NetrcParseError as error:
        raise InvalidNetrc(
            f"malformed: {error.msg}", where=f"{path}:{error.lineno}", hint="correct the line"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidNetrc(f"cannot be read: {error}", where=str(path)) from error
    return {host: (entry[0], entry[2]) for host, entry in parsed.hosts.items()}
