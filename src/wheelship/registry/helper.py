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
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wheelship.registry.login import Login, bare_host

__all__ = ["HelperFailed", "Helpers"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ANSWER_BYTES = 64 * 1024
_POLL_SECONDS = 0.02
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
        try:
            process = subprocess.Popen(
                [path, "get"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(self.environ),
                start_new_session=True,
            )
        except OSError as error:
            raise HelperFailed(f"{path.name} cannot be started: {error.strerror}") from error
        try:
            output = _converse(process, server.encode(), time.monotonic() + self.limit_seconds)
            if output is None:
                raise HelperFailed(f"{path.name} did not answer within {self.limit_seconds:g} s")
            if len(output) > _ANSWER_BYTES:
                raise HelperFailed(f"{path.name} answered with more than {_ANSWER_BYTES} bytes")
        finally:
            _end(process)
        return process.returncode, output


def _converse(process: subprocess.Popen[bytes], question: bytes, until: float) -> bytes | None:
    """Return what the helper says until it ends, or says too much; None when time is over.

    A child that it leaves behind may keep the pipe open; nobody waits for that.
    """
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(question)
    output = b""
    with process.stdout as stdout, selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while time.monotonic() < until and len(output) <= _ANSWER_BYTES:
            ended = process.poll() is not None
            if selector.select(0 if ended else _POLL_SECONDS):
                piece = os.read(stdout.fileno(), _ANSWER_BYTES)
                output += piece
                if piece:
                    continue
                selector.unregister(stdout)
            if ended:
                return output
    return output if len(output) > _ANSWER_BYTES else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make an end of the helper and of what it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _login(program: str, output: bytes, server: str) -> Login | None:
    try:
        document = json.loads(output)
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
