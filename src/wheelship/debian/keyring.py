# SPDX-License-Identifier: Apache-2.0
"""Debian's archive keys, shipped with the package and pinned by fingerprint."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pysequoia import Cert

__all__ = ["archive_certificates"]


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


def _key_files() -> Iterable[tuple[str, bytes]]:
    for file in resources.files(__package__).joinpath("keys").iterdir():
        if file.name.endswith(".gpg"):
            yield file.name, file.read_bytes()
