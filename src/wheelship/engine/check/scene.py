# SPDX-License-Identifier: Apache-2.0
"""What the steps of a check look at: the image, what was asked for, and the running service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

from wheelship.engine.check.exchange import Message, Response, ask
from wheelship.engine.check.probes import FACTS, INTERPRETER
from wheelship.engine.errors import StartFailed
from wheelship.engine.model import Clock, Executed, ImageFiles, Running
from wheelship.request.model import Check, Health

__all__ = ["CheckSpec", "Facts", "Scene", "tail"]

_PROBE_SECONDS = 30.0
_SHOWN_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """What to check; the image's own configuration says the rest.

    Attributes:
        check: imports to try and the request to send.
        health: the HTTP health probe; None = run the image's own health check instead.
        project: directory that the request's file is relative to.
        writable: directories the service may write to, beside the image's volumes.
        start_seconds: how long it may take to become healthy, to import and to answer.
        grace_seconds: how long it may take to stop.
    """

    check: Check
    project: Path
    health: Health | None = None
    writable: tuple[str, ...] = ()
    start_seconds: float = 120.0
    grace_seconds: float = 10.0


class Facts(TypedDict):
    """What a process inside the image sees; per directory an errno name, empty = it could write."""

    uid: int
    gid: int
    capabilities: str
    no_new_privileges: str
    prefix: str
    closed: dict[str, str]
    open: dict[str, str]


class Scene:
    """One running image under examination; ``writable`` are all its writable directories."""

    def __init__(
        self,
        image: ImageFiles,
        spec: CheckSpec,
        running: Running,
        clock: Clock,
        *,
        writable: tuple[str, ...],
        port: int | None,
        message: Message | None,
    ) -> None:
        self.image, self.spec, self.running, self.clock = image, spec, running, clock
        self.port, self.message = port, message
        self._writable = writable

    def execute(self, argv: Sequence[str], *, seconds: float = _PROBE_SECONDS) -> Executed:
        """Run a command beside the service.

        Raises:
            StartFailed: it cannot be executed.
        """
        return self.running.execute(argv, timeout_seconds=seconds)

    def ask(self, port: int, message: Message, *, seconds: float) -> Response:
        """Send one HTTP request.

        Raises:
            NoAnswer: no response came.
        """
        return ask(self.running.dial, port, message, timeout_seconds=seconds)

    @property
    def probe_command(self) -> tuple[str, ...] | None:
        """The image's own health check in exec form; None when it has none."""
        check = self.image.config.healthcheck
        return check.test[1:] if check is not None and check.test[:1] == ("CMD",) else None

    @cached_property
    def facts(self) -> Facts:
        """What the surroundings look like from inside, asked once.

        Raises:
            StartFailed: the image has no Python, or it does not work.
        """
        # Where nothing protects this machine's files, nothing is tried on them.
        mode = "open" if "read-only-root" in self.running.unproven else "closed"
        done = self.execute([INTERPRETER, "-c", FACTS, mode, "/tmp", *self._writable])  # noqa: S108 - the image's own
        try:
            facts: Facts = json.loads(done.stdout)
        except ValueError as error:
            said = tail(done.stderr or done.stdout)
            raise StartFailed(
                f"{INTERPRETER} in the image ended with {done.status}: {said}"
            ) from error
        return facts


def tail(text: bytes) -> str:
    """Return the last line, which is where programs say what is wrong."""
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:_SHOWN_CHARACTERS] if lines else "no output"
