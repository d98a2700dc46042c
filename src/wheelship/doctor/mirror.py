# SPDX-License-Identifier: Apache-2.0
"""The Debian mirror: does it answer, is what it sends signed, and is it of today?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wheelship.debian.distribution import (
    RELEASES,
    Distribution,
    Suite,
    distribution,
    release_with_python,
)
from wheelship.debian.errors import ReleaseExpired
from wheelship.debian.keyring import archive_certificates, unexpired
from wheelship.debian.mirror import choose_mirrors, without_credentials
from wheelship.debian.release import check_dates, read_release
from wheelship.debian.resolve import Keyring
from wheelship.doctor.model import Finding, Patient
from wheelship.errors import WheelshipError

__all__ = ["check_mirror"]

_LIMIT_BYTES = 4 * 1024 * 1024


def check_mirror(
    patient: Patient,
    table_of: Callable[[str], Distribution] = distribution,
    keyring: Keyring = archive_certificates,
) -> Iterable[Finding]:
    """Fetch and verify a release file of each archive, for each release that the project uses.

    ``table_of`` and ``keyring`` say who is to be believed.
    """
    wanted = _wanted(patient)
    if not wanted:
        yield Finding(code="debian-mirror", status="skipped", what="no variant has the base debian")
        return
    if patient.offline:
        yield Finding(code="debian-mirror", status="skipped", what="not asked: --offline")
        return
    for codename, explicit in wanted:
        table = table_of(codename)
        mirrors = choose_mirrors(table, explicit=explicit, apt=patient.apt)
        for suite in {one.archive: one for one in reversed(table.suites)}.values():
            address = f"{mirrors.address(suite.archive)}/dists/{suite.name}/InRelease"
            yield _release(patient, table, suite, address, keyring, dated=mirrors.dated)


def _wanted(patient: Patient) -> list[tuple[str, str | None]]:
    """Return release and configured mirror, each pair once."""
    if patient.request is None:
        return [(RELEASES[0], None)]
    pairs = [
        (release_with_python(one.python), one.sources.debian_mirror)
        for one in patient.request.variants.values()
        if one.base == "debian"
    ]
    return list(dict.fromkeys(pairs))


def _release(
    patient: Patient,
    table: Distribution,
    suite: Suite,
    address: str,
    keyring: Keyring,
    *,
    dated: bool,
) -> Finding:
    where = without_credentials(address)
    try:
        data = patient.fetcher().fetch_bytes(address, limit_bytes=_LIMIT_BYTES)
        keys = unexpired(keyring(suite.keys), patient.now, where=where)
        release = read_release(data, suite, table, keys, where=where)
        if dated:
            check_dates(release, patient.now, where=where)
    except ReleaseExpired as error:
        return Finding(
            code="debian-mirror-date",
            status="problem",
            what=f"{where}: {error.message}; the clock says {patient.now:%Y-%m-%d %H:%M} UTC",
            hint=error.hint,
        )
    except WheelshipError as error:
        return Finding(
            code="debian-mirror",
            status="problem",
            what=f"{where}: {error.message}",
            hint=error.hint or 'set another: debian-mirror = "http://ftp.debian.org/debian"',
        )
    return Finding(
        code="debian-mirror",
        status="ok",
        what=f"{where}: signed by Debian, of {release.date:%Y-%m-%d}",
    )
