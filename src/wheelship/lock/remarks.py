# SPDX-License-Identifier: Apache-2.0
"""What is worth saying about a lock that was just made, although it can be used as it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from wheelship.events import Warned
from wheelship.fetch.url import has_credentials, origin
from wheelship.lock.consistency import advice_on, subject_of
from wheelship.lock.machine import MachineSources
from wheelship.lock.model import Locked, LockedSource
from wheelship.lock.target import Target
from wheelship.request.model import Variant
from wheelship.request.uv import index_variable

__all__ = ["remarks_on"]

Selections: TypeAlias = Mapping[Target, tuple[Locked, ...]]


def remarks_on(
    variant: Variant,
    selections: Selections,
    machine: MachineSources,
    environment: Mapping[str, str],
) -> Iterator[Warned]:
    """Yield a warning for each: advice on the choice, missing credentials, builds from source.

    ``environment`` are the variables that uv saw, which may name credentials.
    """
    yield from _advice(variant, selections)
    yield from _credentials(variant, selections, machine, environment)
    yield from _builds(selections)


def _advice(variant: Variant, selections: Selections) -> Iterator[Warned]:
    """Yield what is no mistake and yet not what was meant, once for all platforms."""
    found = (
        finding
        for target, wheels in selections.items()
        for finding in advice_on(subject_of(wheels, variant, target))
    )
    for code, message, hint in dict.fromkeys((one.code, str(one), one.hint) for one in found):
        yield Warned(code, message, hint)


def _credentials(
    variant: Variant,
    selections: Selections,
    machine: MachineSources,
    environment: Mapping[str, str],
) -> Iterator[Warned]:
    """Say that the lock alone is not enough where an address was given with credentials."""
    sources = variant.sources
    indexes = [sources.index, *sources.extra_indexes, sources.torch_index, machine.index]
    indexes += [
        *(address for _, address in sources.named_indexes),
        *sources.link_pages,
        *machine.extra_indexes,
    ]
    private = {origin(one) for one in indexes if one and has_credentials(one)}
    for name, address in sources.named_indexes:
        if index_variable(name, "PASSWORD") in environment and "://" in address:
            private.add(origin(address))
    used = {origin(wheel.url) for one in selections.values() for wheel in one if wheel.url}
    for scheme, host, _ in sorted(private & used):
        yield Warned(
            "lock-needs-credentials",
            f"wheels of {variant.name} come from {scheme}://{host}, which wants credentials; "
            "they are not in the lock",
            hint=f"where the lock is used, ~/.netrc needs:\n"
            f"machine {host} login USER password PASSWORD",
        )


def _builds(selections: Selections) -> Iterator[Warned]:
    """Say which packages have no wheel: building one runs code that its source brings."""
    named = {one.name: one for found in selections.values() for one in found}
    sources = [one for _, one in sorted(named.items()) if isinstance(one, LockedSource)]
    for one in sources:
        yield Warned(
            "built-from-source",
            f"{f'{one.name} {one.version}'.rstrip()} has no wheel; one is built from its "
            "source, which runs code of that source on this machine",
            hint="to allow no such builds: sdist = false",
        )
