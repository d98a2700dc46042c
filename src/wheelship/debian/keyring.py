# SPDX-License-Identifier: Apache-2.0
"""Debian's archive keys, shipped with the package and pinned by fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING

from wheelship.debian.errors import ArchiveUntrusted

if TYPE_CHECKING:
    from pysequoia import Cert

__all__ = ["archive_certificates", "unexpired"]


def archive_certificates(fingerprints: Iterable[str]) -> dict[str, Cert]:
    """Return the shipped certificates by fingerprint of the primary key, in lower case.

    Only those that ``fingerprints`` names are returned; whatever else a file holds counts nothing.
    """
    from pysequoia import Cert

    wanted = set(fingerprints)
    found: dict[str, Cert] = {}
    for file in sorted(_key_files(), key=lambda one: one[0]):
        for certificate in Cert.split_bytes(file[1]):
            if certificate.fingerprint in wanted:
                found[certificate.fingerprint] = certificate
    missing = wanted - found.keys()
    assert not missing, f"no shipped key has the fingerprint {sorted(missing)}"  # noqa: S101 - our data
    return found


def unexpired(certificates: Mapping[str, Cert], now: datetime, *, where: str) -> dict[str, Cert]:
    """Return those that are still to be believed at ``now``.

    A signature that was made while its key was valid verifies for ever, and who has the key
    chooses the date that it says.

    Raises:
        ArchiveUntrusted: all have expired.
    """
    valid = {
        fingerprint: one
        for fingerprint, one in certificates.items()
        if one.expiration is None or now < one.expiration
    }
    if certificates and not valid:
        raise ArchiveUntrusted(
            "all keys of that archive known here have expired",
            where=where,
            hint="install the newest wheelship, or set this machine's clock",
        )
    return valid


def _key_files() -> Iterable[tuple[str, bytes]]:
    for file in resources.files(__package__).joinpath("keys").iterdir():
        if file.name.endswith(".gpg"):
            yield file.name, file.read_bytes()
