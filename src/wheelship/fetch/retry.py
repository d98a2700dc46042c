# SPDX-License-Identifier: Apache-2.0
"""When to try again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from wheelship.fetch.errors import Cancelled, Transient

__all__ = ["Policy", "Retrier", "wait"]

_T = TypeVar("_T")
_PROGRESS_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient to be.

    Attributes:
        attempts: tries in a row that bring nothing before giving up.
        connect_seconds / read_seconds: how long a server may take to accept a connection, and to
            send the next byte.
        backoff_seconds: wait after the first failure; it doubles up to ``backoff_limit_seconds``.
        retry_after_limit_seconds: a server that asks for a longer wait is given up at once.
        redirects: how many may follow each other.
    """

    attempts: int = 4
    connect_seconds: float = 15.0
    read_seconds: float = 60.0
    backoff_seconds: float = 0.5
    backoff_limit_seconds: float = 10.0
    retry_after_limit_seconds: float = 60.0
    redirects: int = 10


def wait(seconds: float, cancelled: Event) -> None:
    """Wait, but not longer than until ``cancelled``."""
    cancelled.wait(seconds)


class Retrier:
    """Repeats what fails for a moment only.

    ``sleep(seconds, cancelled)`` waits; ``chance()`` returns a number from 0 to 1 that spreads the
    tries of many clients.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        sleep: Callable[[float, Event], None] = wait,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._chance = chance

    def run(
        self,
        action: Callable[[], _T],
        *,
        cancelled: Event,
        progress: Callable[[], int] = lambda: 0,
    ) -> _T:
        """Call ``action`` until it succeeds.

        ``progress`` counts bytes gained for good: a connection that breaks again and again but
        gets on each time is no reason to give up.

        Raises:
            Transient: the last failure, when no tries are left.
            Cancelled: ``cancelled`` was set.
        """
        failures = 0
        best = progress()
        while True:
            if cancelled.is_set():
                raise Cancelled("given up because something else failed")
            try:
                return action()
            except Transient as error:
                gained = progress()
                if gained >= best + _PROGRESS_BYTES:
                    best, failures = gained, 0
                failures += 1
                delay = self._delay(failures, error)
                if failures >= self._policy.attempts or delay is None:
                    raise
            self._sleep(delay, cancelled)

    def _delay(self, failures: int, error: Transient) -> float | None:
        """Return how long to wait; None when the server asks for more than we are ready to."""
        asked = error.retry_after_seconds or 0.0
        if asked > self._policy.retry_after_limit_seconds:
            return None
        backoff = self._policy.backoff_seconds * 2.0 ** (failures - 1)
        spread = 0.5 + self._chance() / 2
        return max(asked, min(backoff, self._policy.backoff_limit_seconds) * spread)
