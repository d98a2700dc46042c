# SPDX-License-Identifier: Apache-2.0
"""Docker's credential helpers: programs ``docker-credential-NAME`` that keep passwords.

Protocol: the registry on stdin of ``get``, one JSON object on stdout
(https://github.com/docker/docker-credential-helpers). A helper is somebody's program: it may be
missing, hang, fail or answer anything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelship.registry.login import Login, bare_host

__all__ = ["HelperFailed", "Helpers"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ANSWER_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 200
_TOKEN_USER = "<token>"  # noqa: S105 - the protocol's sign that the secret is an identity token


class HelperFailed(Exception):
    """The helper gave no usable answer; the message says why and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Helpers:
    """Runs helpers found on the ``PATH`` of ``environ``, each for ``limit_seconds`` at most."""

    environ: Mapping[str, str]
    limit_seconds: float = 30.0

    def get(self, name: str, server: str) -> Login | None:
        """Return what helper ``name`` knows about ``server``; None when it knows nothing.

        Raises:
            HelperFailed: it is missing, hangs, fails or answers nonsense.
        """
        program = f"docker-credential-{name}"
        if not _NAME.fullmatch(name):
            raise HelperFailed(f"{name[:_SHOWN_CHARACTERS]!r} is no name of a credential helper")
        path = shutil.which(program, path=self.environ.get("PATH", ""))
        if path is None:
            raise HelperFailed(f"{program} is not on PATH")
        status, output = self._run(Path(path), server)
        if status != 0:
            said = output.decode("utf-8", "replace")
            if "credentials not found" in said.lower():
                return None
            line = next(iter(said.split("\n")), "")[:_SHOWN_CHARACTERS]
            shown = "".join(one for one in line if one.isprintable()).strip()
            raise HelperFailed(f"{program} failed with status {status}" + (shown and f": {shown}"))
        return _login(program, output, server)

    def _run(self, path: Path, server: str) -> tuple[int, bytes]:
        # A file, not a pipe: a grandchild that keeps a pipe open would outlast the time limit.
        with tempfile.TemporaryFile() as answer:
            try:
                process = subprocess.Popen(
                    [path, "get"],
                    stdin=subprocess.PIPE,
                    stdout=answer,
                    stderr=subprocess.DEVNULL,
                    env=dict(self.environ),
                    start_new_session=True,
                )
            except OSError as error:
                raise HelperFailed(f"{path.name} cannot be started: {error.strerror}") from error
            try:
                process.communicate(server.encode(), timeout=self.limit_seconds)
            except subprocess.TimeoutExpired as error:
                raise HelperFailed(
                    f"{path.name} did not answer within {self.limit_seconds:g} s"
                ) from error
            finally:
                _end(process)
            answer.seek(0)
            return process.returncode, answer.read(_ANSWER_BYTES + 1)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
        process.wait()


def _login(program: str, output: bytes, server: str) -> Login | None:
    try:
        document = json.loads(output[: _ANSWER_BYTES + 1])
        user, secret = document["Username"], document["Secret"]
        about = document.get("ServerURL") or server
    except (ValueError, KeyError, TypeError, AttributeError):
        # The cause would quote the output, and that holds the secret.
        raise HelperFailed(f"{program} answered with something else than credentials") from None
    if not all(isinstance(one, str) for one in (user, secret, about)):
        raise HelperFailed(f"{program} answered with something else than credentials")
    if bare_host(about) != bare_host(server):
        raise HelperFailed(
            f"{program} was asked about {bare_host(server)} and answered about another registry"
        )
    if not secret:
        return None
    try:
        if user == _TOKEN_USER:
            return Login(identity_token=secret)
        return Login(user=user, password=secret)
    except ValueError:
        raise HelperFailed(f"{program} answered with control characters") from None
