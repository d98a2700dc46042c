# SPDX-License-Identifier: Apache-2.0
"""Which certificate authorities are trusted: those of the system, or those the user names."""

from __future__ import annotations

import ssl
from pathlib import Path

from wheelship.fetch.errors import MissingFile

__all__ = ["system_context"]

# A Python that was not built for this distribution looks for authorities where there are none.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def system_context(*, cert_file: str | None = None, cert_dir: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies servers.

    ``cert_file`` and ``cert_dir`` replace the system's authorities (``SSL_CERT_FILE``,
    ``SSL_CERT_DIR``).

    Raises:
        MissingFile: they name nothing that holds certificates.
    """
    if cert_file is None and cert_dir is None:
        found = ssl.get_default_verify_paths()
        if not any(Path(path).exists() for path in (found.openssl_cafile, found.openssl_capath)):
            cert_file = next((path for path in _BUNDLES if Path(path).is_file()), None)
    try:
        return ssl.create_default_context(cafile=cert_file, capath=cert_dir)
    except (OSError, ssl.SSLError) as error:
        raise MissingFile(
            f"no certificates could be read: {error}",
            where=cert_file or cert_dir,
            hint="point SSL_CERT_FILE to a bundle of certificates in PEM format, or unset it",
        ) from error
