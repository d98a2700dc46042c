# SPDX-License-Identifier: Apache-2.0
"""What the checks are given, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from wheelship.engine.client import Client
from wheelship.fetch.fetcher import Fetcher
from wheelship.lock.machine import MachineSources
from wheelship.oci.platform import Platform
from wheelship.request.model import Request

__all__ = ["Check", "Finding", "Patient", "Status"]

Status: TypeAlias = Literal["ok", "warning", "problem", "skipped"]
"""``problem``: builds will fail; ``warning``: something else will, or is worth knowing;
``skipped``: there was nothing to look at, or no leave to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        code: stable, kebab-case.
        what: one sentence, without credentials.
        hint: what to do about it, to be pasted; None where there is nothing to do.
    """

    code: str
    status: Status
    what: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """The machine and, where one was named, the project.

    Attributes:
        environ: all environment variables.
        home: of the user.
        store: directory of the store; it need not exist.
        python: this process's interpreter.
        native: the Linux platform of this machine.
        apt: directory of apt's configuration, or None.
        now: the time (UTC).
        offline: no server may be asked.
        docker, podman: their clients; None where there is none.
        sources: what pip and uv were told about indexes.
        fetcher: makes the door to the network, with little patience.
        request: the project as read, or None.
        find: finds a program on PATH.
        proc: where the kernel shows itself.
        seconds: how long one server or program may take.
    """

    environ: Mapping[str, str]
    home: Path
    store: Path
    python: Path
    native: Platform
    apt: Path | None
    now: datetime
    offline: bool
    docker: Client | None
    podman: Client | None
    sources: MachineSources
    fetcher: Callable[[], Fetcher]
    request: Request | None
    find: Callable[[str], str | None]
    proc: Path = Path("/proc")
    seconds: float = 6.0


class Check(Protocol):
    """Looks at one thing."""

    def __call__(self, patient: Patient) -> Iterable[Finding]:
        """Return what was found, at least one finding."""
        ...
