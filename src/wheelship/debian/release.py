# SPDX-License-Identifier: Apache-2.0
"""Release files: what a suite contains at a point in time, vouched for by its archive's keys.

Implements the parts of Debian's repository format (https://wiki.debian.org/DebianRepository/Format,
"Release files") that a reader of binary packages needs. Only SHA256 counts; MD5Sum is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from wheelship.debian.clearsign import verified_text
from wheelship.debian.control import paragraph
from wheelship.debian.distribution import Distribution, Suite
from wheelship.debian.errors import ReleaseExpired, ReleaseMismatch

if TYPE_CHECKING:
    from pysequoia import Cert

__all__ = ["CLOCK_SKEW", "IndexFile", "Release", "check_dates", "read_release"]

CLOCK_SKEW = timedelta(minutes=10)
"""How far two clocks that are set well may differ."""

_AGES = ("stable", "oldstable", "oldoldstable", "oldoldoldstable")
"""What a release is called while it ages; mirrors may be slow to follow."""

_ROW = re.compile(r" ([0-9a-f]{64}) +([0-9]{1,18}) (\S+)")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file of the suite: its SHA-256 in hexadecimal and its size."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A verified release file; ``files`` are named relative to the suite's directory."""

    suite: Suite
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    files: Mapping[str, IndexFile]


def read_release(
    data: bytes,
    suite: Suite,
    table: Distribution,
    certificates: Mapping[str, Cert],
    *,
    where: str,
) -> Release:
    """Verify ``data``, an InRelease file, and read it; its age is left to :func:`check_dates`.

    Raises:
        ArchiveUntrusted: nobody who may has signed it.
        ReleaseMismatch: it is signed but for something else, or lacks what is needed.
    """
    text = verified_text(data, certificates, where=where).decode("utf-8", "replace")
    fields = paragraph(text)
    suffix = suite.name.removeprefix(table.codename)
    _expect(fields, "Origin", ("Debian",), where)
    _expect(fields, "Label", (suite.label,), where)
    _expect(fields, "Codename", (suite.name,), where)
    _expect(fields, "Suite", (suite.name, *(age + suffix for age in _AGES)), where)
    date = _time(fields, "Date", where)
    if date is None:
        raise ReleaseMismatch("the release file has no Date", where=where)
    return Release(
        suite=suite,
        date=date,
        valid_until=_time(fields, "Valid-Until", where),
        by_hash=fields.get("Acquire-By-Hash") == "yes",
        files=_files(fields.get("SHA256", ""), where),
    )


def check_dates(release: Release, now: datetime, *, where: str) -> None:
    """Refuse a release file that is out of date or not yet valid.

    A suite without ``Valid-Until`` (the main suites have none) never goes out of date: that nobody
    holds back its updates cannot be proven.

    Raises:
        ReleaseExpired: see above.
    """
    if release.valid_until is not None and now > release.valid_until:
        raise ReleaseExpired(
            f"the release file of {release.suite.name} was valid until "
            f"{release.valid_until:%Y-%m-%d %H:%M} UTC only",
            where=where,
            hint="the mirror is no longer updated, or this machine's clock is wrong: set another"
            " `debian-mirror`",
        )
    if release.date > now + CLOCK_SKEW:
        raise ReleaseExpired(
            f"the release file of {release.suite.name} is dated {release.date:%Y-%m-%d %H:%M} UTC,"
            " in the future",
            where=where,
            hint="set this machine's clock",
        )


def _expect(fields: Mapping[str, str], name: str, allowed: tuple[str, ...], where: str) -> None:
    found = fields.get(name)
    if found not in allowed:
        raise ReleaseMismatch(
            f"the release file says {name}: {found}, expected {allowed[0]}",
            where=where,
            hint="the mirror offers something else at this address: set another `debian-mirror`",
        )


def _time(fields: Mapping[str, str], name: str, where: str) -> datetime | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        # Debian writes "UTC" for the zone, which the parser reads as no zone at all.
        time = parsedate_to_datetime(value)
    except ValueError as error:
        raise ReleaseMismatch(
            f"the release file's {name} is no date: {value!r}", where=where
        ) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _files(value: str, where: str) -> dict[str, IndexFile]:
    files: dict[str, IndexFile] = {}
    for line in value.splitlines()[1:]:
        row = _ROW.fullmatch(line)
        if row is None or row[3] in files:
            raise ReleaseMismatch(f"the release file has a bad row: {line[:120]!r}", where=where)
        files[row[3]] = IndexFile(row[1], int(row[2]))
    return files
