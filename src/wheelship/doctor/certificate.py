# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities: are any found, and do those that the user names load?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wheelship.doctor.model import Finding, Patient
from wheelship.fetch.errors import MissingFile
from wheelship.fetch.tls import system_context

__all__ = ["check_certificates"]

_OTHERS = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_INSTALL = "sudo apt-get install ca-certificates"


def check_certificates(patient: Patient) -> Iterable[Finding]:
    """Load what downloads would trust, and say where else authorities were named."""
    environ = patient.environ
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    named = " and ".join(
        f"{name}={environ[name]}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in environ
    )
    try:
        context = system_context(cert_file=file, cert_dir=folder)
    except MissingFile as error:
        yield Finding(
            code="certificates",
            status="problem",
            what=f"{named or 'the system'}: {error.message}",
            hint=error.hint,
        )
        return
    count = context.cert_store_stats()["x509_ca"]
    # A directory is read certificate by certificate, when one is needed.
    lazily = folder is not None and Path(folder).is_dir() and any(Path(folder).iterdir())
    if not count and not lazily:
        yield Finding(
            code="certificates",
            status="problem",
            what=f"{named or 'the system'} holds no certificate authority: nothing can be fetched "
            "with https",
            hint="unset SSL_CERT_FILE SSL_CERT_DIR" if named else _INSTALL,
        )
        return
    yield Finding(
        code="certificates",
        status="ok",
        what=f"{count or 'a directory of'} authorities from {named or 'the system'}",
    )
    others = [f"{name}={environ[name]}" for name in _OTHERS if environ.get(name)]
    if others and not named:
        bundle = others[0].partition("=")[2]
        yield Finding(
            code="certificates-of-others",
            status="warning",
            what=f"{', '.join(others)} is for other programs; wheelship and uv do not read it",
            hint=f"export SSL_CERT_FILE={bundle}",
        )
