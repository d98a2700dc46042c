# SPDX-License-Identifier: Apache-2.0
"""Credentials from Docker's and Podman's files (``config.json``, ``auth.json``) and helpers."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from wheelship.events import Emit, Warned, discard
from wheelship.registry.errors import InvalidDockerConfig
from wheelship.registry.helper import HelperFailed, Helpers
from wheelship.registry.login import Login, bare_host

__all__ = ["Keychain", "config_files"]

_FILE_BYTES = 4 * 1024 * 1024
# What Docker Hub's credentials are filed under, for historical reasons.
_HUB_SERVER = "https://index.docker.io/v1/"


def config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where credentials may be, the most specific first; the files need not exist.

    ``REGISTRY_AUTH_FILE`` alone when it is set, as Podman has it; else ``DOCKER_CONFIG`` (or
    ``~/.docker``), then Podman's files.
    """
    if named := environ.get("REGISTRY_AUTH_FILE"):
        return (Path(named),)
    found = []
    home = environ.get("HOME")
    if directory := environ.get("DOCKER_CONFIG"):
        found.append(Path(directory, "config.json"))
    elif home:
        found.append(Path(home, ".docker", "config.json"))
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        found.append(Path(runtime, "containers", "auth.json"))
    if config := environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config"):
        found.append(Path(config, "containers", "auth.json"))
    return tuple(found)


class Keychain:
    """Looks up who we are to a registry; each registry is looked up once. Safe for threads.

    A helper that fails is reported as a warning, and the next place is asked: public images need no
    credentials. :meth:`complaints` says what went wrong, should the registry then refuse.
    """

    def __init__(self, files: tuple[Path, ...], helpers: Helpers, *, emit: Emit = discard) -> None:
        self._files = files
        self._helpers = helpers
        self._emit = emit
        self._lock = Lock()
        self._documents: dict[Path, dict[str, Any]] = {}
        self._known: dict[tuple[str, str], Login | None] = {}
        self._complaints: dict[str, str] = {}

    def find(self, host: str, repository: str) -> Login | None:
        """Return the credentials for ``repository`` on ``host`` (as in a reference), if any.

        Raises:
            InvalidDockerConfig: a file is malformed or cannot be read.
        """
        host = bare_host(host)
        with self._lock:
            key = (host, repository)
            if key not in self._known:
                self._known[key] = self._look_up(host, repository)
            return self._known[key]

    def complaints(self, host: str) -> str | None:
        """Return why a helper could not be asked about ``host``, if one could not."""
        return self._complaints.get(bare_host(host))

    def _look_up(self, host: str, repository: str) -> Login | None:
        for path in self._files:
            document = self._read(path)
            helper = _helper_for(document, host)
            found = self._ask(helper, host) if helper else None
            found = found or _entry(path, document, host, repository)
            if found is not None:
                return found
        return None

    def _ask(self, helper: str, host: str) -> Login | None:
        try:
            return self._helpers.get(helper, _HUB_SERVER if host == "docker.io" else host)
        except HelperFailed as error:
            if host not in self._complaints:
                self._complaints[host] = str(error)
                self._emit(
                    Warned(
                        "credential-helper",
                        f"no credentials for {host} from a helper: {error}",
                        hint="correct credsStore or credHelpers in Docker's config.json",
                    )
                )
            return None

    def _read(self, path: Path) -> dict[str, Any]:
        if path not in self._documents:
            self._documents[path] = _document(path)
        return self._documents[path]


def _document(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as file:
            text = file.read(_FILE_BYTES)
    except OSError as error:
        raise InvalidDockerConfig(
            f"cannot be read: {error.strerror}",
            where=str(path),
            hint="make it readable, or point DOCKER_CONFIG to another directory",
        ) from error
    try:
        document: dict[str, Any] = json.loads(text or b"{}")
        for table, kind in (("auths", dict), ("credHelpers", dict), ("credsStore", str)):
            if not isinstance(document.get(table) or kind(), kind):
                raise InvalidDockerConfig(
                    f"{table!r} is no {'table' if kind is dict else 'text'}", where=str(path)
                )
    except (ValueError, AttributeError):
        # The cause would quote the file, and that holds passwords.
        raise InvalidDockerConfig(
            "is no JSON object",
            where=str(path),
            hint="correct it, or move it away and: docker login HOST",
        ) from None
    return document


def _helper_for(document: dict[str, Any], host: str) -> str | None:
    for server, name in (document.get("credHelpers") or {}).items():
        if bare_host(server) == host and isinstance(name, str) and name:
            return name
    return document.get("credsStore") or None


def _entry(path: Path, document: dict[str, Any], host: str, repository: str) -> Login | None:
    """Return the best entry of ``auths``: Podman files some under ``host/namespace``."""
    best: tuple[int, Login] | None = None
    for server, entry in (document.get("auths") or {}).items():
        depth = _depth(server, host, repository)
        if depth is None or not isinstance(entry, dict):
            continue
        login = _login_of(path, server, entry)
        if login is not None and (best is None or depth > best[0]):
            best = (depth, login)
    return None if best is None else best[1]


def _depth(server: str, host: str, repository: str) -> int | None:
    """Return how many components of ``repository`` the entry names; None when it does not fit."""
    if bare_host(server) != host:
        return None
    is_address = "://" in server
    path = server.split("://", 1)[-1].partition("/")[2].strip("/")
    if is_address or path in ("", "v1", "v2"):
        return 0
    fits = repository == path or repository.startswith(path + "/")
    return path.count("/") + 1 if fits else None


def _login_of(path: Path, server: str, entry: dict[str, Any]) -> Login | None:
    texts = {
        name: entry.get(name) or "" for name in ("auth", "username", "password", "identitytoken")
    }
    try:
        if not all(isinstance(one, str) for one in texts.values()):
            raise ValueError(server)
        user, password = texts["username"], texts["password"]
        if texts["auth"]:
            decoded = base64.b64decode(texts["auth"], validate=True).decode()
            user, colon, password = decoded.partition(":")
            if not colon:
                raise ValueError(server)
            password = password.rstrip("\0")
        if texts["identitytoken"]:
            return Login(user=user, identity_token=texts["identitytoken"])
        return Login(user=user, password=password) if user or password else None
    except (ValueError, binascii.Error):
        # The cause would quote the entry, and that holds the password.
        raise InvalidDockerConfig(
            f"the entry of {server!r} is malformed",
            where=str(path),
            hint=f"docker logout {bare_host(server)} && docker login {bare_host(server)}",
        ) from None
