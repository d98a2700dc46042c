# SPDX-License-Identifier: Apache-2.0
"""What preparing an image needs from outside, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from wheelship.events import Emit
from wheelship.plan.model import Foundation, ImagePlan
from wheelship.request.model import Variant
from wheelship.store.store import Store

if TYPE_CHECKING:
    from wheelship.fetch.fetcher import Fetcher
    from wheelship.lock.machine import MachineSources
    from wheelship.registry.client import RegistryClient

__all__ = ["FetcherMaker", "LockMode", "Prepared", "Surroundings"]

LockMode: TypeAlias = Literal["update", "locked", "frozen"]
"""``update`` re-locks what changed, ``locked`` fails instead, ``frozen`` does not look."""


class FetcherMaker(Protocol):
    """Makes the door to the network."""

    def __call__(self, urls: tuple[str, ...] = ()) -> Fetcher:
        """Return it; ``urls`` are configured addresses that may carry credentials."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The ambient things preparation needs; the functions are called when something is missing.

    Attributes:
        environ: the environment that uv gets.
        fetcher: makes the door to the network.
        registry: makes the door to registries.
        machine: reads what pip's and uv's settings say about where packages come from.
        apt: directory of apt's configuration, or None where there is none.
        now: the time, for the validity of release files.
        created: the time that the image shall carry (RFC 3339).
    """

    store: Store
    emit: Emit
    environ: Mapping[str, str]
    fetcher: FetcherMaker
    machine: Callable[[], MachineSources]
    apt: Path | None
    now: datetime
    created: str
    offline: bool
    registry: Callable[[], RegistryClient]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The plan of one image, the base's lock, and what was done about the locks.

    ``maker`` is the base whose interpreter compiles, None = the image's own. ``lock`` says in
    words what was done: ``unchanged``, ``not looked at``, or which parts were written.
    """

    plan: ImagePlan
    variant: Variant
    base: Foundation
    lock: str
    maker: Foundation | None = None
