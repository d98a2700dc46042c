# SPDX-License-Identifier: Apache-2.0
"""Files with credentials: can they be read, by us and by nobody else? Their content is not told."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable
from pathlib import Path

from wheelship.doctor.model import Finding, Patient
from wheelship.errors import InputError
from wheelship.fetch.credentials import Credentials
from wheelship.registry.keychain import config_files

__all__ = ["check_credentials"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_credentials(patient: Patient) -> Iterable[Finding]:
    """Look at netrc, at the files of Docker and Podman with their helpers, and at keyring."""
    found = [*_netrc(patient), *_registries(patient), *_keyring(patient)]
    yield from found or [
        Finding(
            code="credentials",
            status="skipped",
            what="no netrc, no file of Docker or Podman: everything is asked for without a name",
        )
    ]


def _netrc(patient: Patient) -> Iterable[Finding]:
    named = patient.environ.get("NETRC")
    path = Path(named) if named else patient.home / ".netrc"
    if not path.is_file():
        if named:
            yield Finding(
                code="netrc",
                status="warning",
                what=f"NETRC names {path}, which is not there",
                hint="unset NETRC",
            )
        return
    try:
        Credentials(netrc=path)
    except InputError as error:
        yield Finding(
            code="netrc",
            status="problem",
            what=f"{error.where}: {error.message}",
            hint=error.hint or f"chmod 600 {path}",
        )
        return
    yield _readable(path, "netrc")


def _registries(patient: Patient) -> Iterable[Finding]:
    for path in config_files(patient.environ):
        if not path.is_file():
            continue
        try:
            document = json.loads(path.read_bytes() or b"{}")
            helpers = {document.get("credsStore"), *(document.get("credHelpers") or {}).values()}
            inline = any((document.get("auths") or {}).values())
        except (OSError, ValueError, AttributeError):
            # The cause would quote the file.
            yield Finding(
                code="registry-credentials",
                status="problem",
                what=f"{path} cannot be read, or is no JSON object",
                hint=f"mv {path} {path}.broken && docker login HOST",
            )
            continue
        missing = [
            f"docker-credential-{name}"
            for name in sorted(one for one in helpers if isinstance(one, str) and one)
            if patient.find(f"docker-credential-{name}") is None
        ]
        if missing:
            yield Finding(
                code="credential-helper",
                status="warning",
                what=f"{path} names {', '.join(missing)}, which is not on PATH",
                hint="install it, or remove credsStore and credHelpers from that file",
            )
        elif inline:
            yield _readable(path, "registry-credentials")
        else:
            yield Finding(code="registry-credentials", status="ok", what=f"{path}: readable")


def _keyring(patient: Patient) -> Iterable[Finding]:
    if patient.environ.get("UV_KEYRING_PROVIDER") != "subprocess":
        return
    if patient.find("keyring") is None:
        yield Finding(
            code="keyring",
            status="warning",
            what="UV_KEYRING_PROVIDER=subprocess, and there is no program keyring on PATH",
            hint="uv tool install keyring",
        )
    else:
        yield Finding(code="keyring", status="ok", what="uv asks the program keyring")


def _readable(path: Path, code: str) -> Finding:
    mode = path.stat().st_mode
    if mode & _OTHERS:
        return Finding(
            code=f"{code}-mode",
            status="warning",
            what=f"{path} holds passwords and others may read it (mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod 600 {path}",
        )
    return Finding(code=code, status="ok", what=f"{path}: readable by you alone")
