# SPDX-License-Identifier: Apache-2.0
"""Where Debian packages come from: an explicit mirror, this machine's apt sources, a default.

The security suite lives in an archive of its own, ``debian-security``, beside ``debian``. A mirror
can therefore be named in three ways:

* the address of the main archive, ending in ``/debian``: its sibling is the security archive;
* a root that holds both ``debian`` and ``debian-security``;
* two addresses with a blank between them, main and security, for repository managers that name
  them as they like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wheelship.debian.control import paragraph
from wheelship.debian.distribution import RELEASES, Distribution, Suite, distribution
from wheelship.debian.errors import InvalidMirror
from wheelship.debian.lock import DebianLock, LockedPackage

__all__ = ["Mirrors", "choose_mirrors", "package_urls", "parse_mirror", "without_credentials"]

_DEFAULT = "http://ftp.debian.org/debian"
_SNAPSHOT = "http://snapshot.debian.org/archive"
_DIRECTORIES = {"main": "debian", "security": "debian-security"}
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)"
)
_UNCHECKED = re.compile(
    r'^\s*Acquire::Check-Valid-Until\s+"?(?:false|no|0)"?\s*;', re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Addresses of the two archives, without a slash at the end.

    ``dated`` is False where the machine's apt was told not to check how old the archive is, as one
    does for a mirror that is frozen on purpose.
    """

    main: str
    security: str
    dated: bool = True

    def address(self, archive: str) -> str:
        """Return the address of ``archive``."""
        return self.security if archive == "security" else self.main


@dataclass(frozen=True, slots=True)
class _Source:
    """One address of one apt source, with the suites and components it is for."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str
    dated: bool


def choose_mirrors(table: Distribution, *, explicit: str | None, apt: Path | None) -> Mirrors:
    """Choose the mirrors of a release.

    ``explicit`` is what the user named, in one of the ways above; ``apt`` the directory of apt's
    configuration (``/etc/apt``), or None where there is none.

    Raises:
        InvalidMirror: ``explicit`` is no address.
    """
    if explicit is not None:
        return parse_mirror(explicit)
    found = _from_apt(table, apt) if apt is not None else None
    return found or parse_mirror(_DEFAULT)


def parse_mirror(text: str) -> Mirrors:
    """Read a mirror as a user names it.

    Raises:
        InvalidMirror: it is no http or https address, or there are more than two.
    """
    addresses = [one.rstrip("/") for one in text.split()]
    for address in addresses:
        if not _is_web(address):
            raise InvalidMirror(
                f"not the address of a mirror: {without_credentials(address)!r}",
                where="debian-mirror",
                hint=f'for example debian-mirror = "{_DEFAULT}"',
            )
    match addresses:
        case [main, security]:
            return Mirrors(main=main, security=security)
        case [main] if main.endswith("/debian"):
            return Mirrors(main=main, security=f"{main}-security")
        case [root]:
            return Mirrors(main=f"{root}/debian", security=f"{root}/debian-security")
        case _:
            raise InvalidMirror(
                "a mirror is one address, or two: main and security",
                where="debian-mirror",
                hint=f'for example debian-mirror = "{_DEFAULT}"',
            )


def package_urls(package: LockedPackage, lock: DebianLock, mirrors: Mirrors) -> tuple[str, ...]:
    """Return where ``package`` can be had, to be tried in this order.

    The last is Debian's snapshot archive at the time of the lock: it keeps what mirrors drop.
    """
    dates = [suite.date for suite in lock.suites if suite.archive == package.archive]
    addresses = [mirrors.address(package.archive)]
    if dates:
        stamp = max(dates).replace("-", "").replace(":", "")
        addresses.append(f"{_SNAPSHOT}/{_DIRECTORIES[package.archive]}/{stamp}")
    return tuple(f"{address}/{package.filename}" for address in addresses)


def without_credentials(url: str) -> str:
    """Return ``url`` without user name and password, for messages."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable)"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _from_apt(table: Distribution, apt: Path) -> Mirrors | None:
    """Return the mirrors of apt's sources for the release, else those for another release.

    A mirror of one release holds them all, and what it sends is verified whatever its address; a
    machine with bookworm would otherwise leave its mirror when it builds on trixie.
    """
    sources = list(_sources(apt))
    others = [distribution(name) for name in RELEASES if name != table.codename]
    found: dict[str, _Source] = {}
    for release in (table, *others):
        for suite in release.suites:
            if suite.archive not in found and (source := _best(suite, sources)) is not None:
                found[suite.archive] = source
    if not found:
        return None
    fallback = parse_mirror(_DEFAULT)
    if "main" in found and found["main"].uri.endswith("/debian"):
        fallback = parse_mirror(found["main"].uri)
    unchecked = any(_UNCHECKED.search(text) for text in _texts(apt, "apt.conf.d", ""))
    return Mirrors(
        main=found["main"].uri if "main" in found else fallback.main,
        security=found["security"].uri if "security" in found else fallback.security,
        dated=not unchecked and all(source.dated for source in found.values()),
    )


def _best(suite: Suite, sources: Iterable[_Source]) -> _Source | None:
    """Return the source that most likely is Debian's own archive of ``suite``."""
    candidates = [
        source
        for source in sources
        if suite.name in source.suites
        and "main" in source.components
        and ("debian-archive" in source.signed_by or not source.signed_by)
    ]
    # Other vendors name their suites after Debian's and often their component "main" too.
    ending = f"/{_DIRECTORIES[suite.archive]}"
    candidates.sort(key=lambda source: (not source.signed_by, not source.uri.endswith(ending)))
    return candidates[0] if candidates else None


def _sources(apt: Path) -> Iterator[_Source]:
    for text in _texts(apt, "sources.list.d", ".sources"):
        yield from _deb822(text)
    for text in (*_texts(apt, ".", "sources.list"), *_texts(apt, "sources.list.d", ".list")):
        yield from _one_line(text)


def _texts(apt: Path, directory: str, ending: str) -> Iterator[str]:
    """Yield the texts of the readable files in a directory of apt's, by name."""
    try:
        paths = sorted(path for path in (apt / directory).iterdir() if path.name.endswith(ending))
    except OSError:
        return
    for path in paths:
        try:
            yield path.read_text("utf-8", "replace")
        except OSError:  # a directory, or readable for root only: apt's business, not ours
            continue


def _deb822(text: str) -> Iterator[_Source]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {name.lower(): value for name, value in paragraph(block).items()}
        if "deb" not in fields.get("types", "").split() or _is_no(fields.get("enabled", "yes")):
            continue
        for uri in fields.get("uris", "").split():
            if _is_web(uri):
                yield _Source(
                    uri=uri.rstrip("/"),
                    suites=tuple(fields.get("suites", "").split()),
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", ""),
                    dated=not _is_no(fields.get("check-valid-until", "yes")),
                )


def _one_line(text: str) -> Iterator[_Source]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is None or not _is_web(match["uri"]):
            continue
        options = {
            name.lower(): value
            for name, _, value in (one.partition("=") for one in (match["options"] or "").split())
        }
        yield _Source(
            uri=match["uri"].rstrip("/"),
            suites=(match["suite"],),
            components=tuple(match["components"].split()),
            signed_by=options.get("signed-by", ""),
            dated=not _is_no(options.get("check-valid-until", "yes")),
        )


def _is_no(value: str) -> bool:
    return value.strip().lower() in ("no", "false", "0", "off", "without")


def _is_web(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
