# SPDX-License-Identifier: Apache-2.0
"""The wheelship table to write: few settings, each with what it means and where it was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from wheelship.discover.model import Discovery, Found, ProposedVariant
from wheelship.request.start import Start, possible_starts

__all__ = ["EACH", "Choice", "Proposal", "Setting", "Value", "propose", "settle"]

Value: TypeAlias = str | int | tuple[Found[str], ...] | tuple[str, ...]

EACH = "each as named"
"""Why a list has the items it has, where each item says it itself."""

_GPU_EXAMPLES = {"cuda": "sm_90", "rocm": "gfx942"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a project can leave open: how it starts, where it listens, what says it is well."""

    start: Start
    port: Found[int] | None = None
    health: Found[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of the table.

    Attributes:
        table: tables within the wheelship table, empty for its own keys.
        meaning: one sentence on what the key does.
        found: why this value and no other.
    """

    table: tuple[str, ...] = ()
    key: str
    value: Value
    meaning: str
    found: Found[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Settings, and by table the comments that stand at its end: what could be set, and is not."""

    settings: tuple[Setting, ...]
    asides: tuple[tuple[tuple[str, ...], str], ...]

    @property
    def tables(self) -> tuple[tuple[str, ...], ...]:
        """The tables in the order they are written, the wheelship table itself first."""
        named = {one.table for one in self.settings} | {table for table, _ in self.asides}
        return tuple(sorted({(), *named}))


def settle(discovery: Discovery, start: Start, *, port: int | None = None) -> Choice:
    """Return the choice of ``start``, listening on ``port`` where that is given."""
    ports = [one for one in discovery.ports if port in (None, one.value)]
    listens = next(iter(ports), None)
    if start.application is not None:
        extras = discovery.extras.value if discovery.extras else ()
        groups = discovery.groups.value if discovery.groups else ()
        wanted = port or (listens.value if listens else None)
        again = possible_starts(discovery.project, [start.application], wanted, extras, groups)
        start = next(iter(again), start)
    elif port is not None or listens is not None:
        start = replace(start, port=port or (listens.value if listens else None))
    if start.port is None:
        return Choice(start=start)
    if listens is None or listens.value != start.port:
        why = "as you said" if port == start.port else f"what {start.server} usually takes"
        listens = Found(value=start.port, why=why)
    return Choice(start=start, port=listens, health=next(iter(discovery.health), None))


def propose(discovery: Discovery, choice: Choice) -> Proposal:
    """Return the table for the project, nothing in it that would hold without it."""
    settings = [
        *_start(choice),
        *_stop_signal(discovery, choice.start),
        *_dependencies(discovery),
        *_surroundings(discovery, choice),
        *_variants(discovery.variants),
    ]
    return Proposal(settings=tuple(settings), asides=tuple(_asides(discovery, choice)))


def _start(choice: Choice) -> Iterator[Setting]:
    start = choice.start
    what = start.application
    meaning = "What the container runs; a list, since no shell splits it."
    why = f"{start.server} serves the {what}" if what else f"the console script {start.server}"
    yield Setting(
        key="command",
        value=start.command,
        meaning=meaning,
        found=Found(value="", why=why),
    )
    if choice.port is not None:
        yield Setting(
            key="port",
            value=choice.port.value,
            meaning="Where it listens.",
            found=Found(value="", why=choice.port.why, place=choice.port.place),
        )
    if choice.health is not None and choice.port is not None:
        yield Setting(
            key="health",
            value=choice.health.value,
            meaning="Who asks this path learns whether the service is well.",
            found=choice.health,
        )


def _stop_signal(discovery: Discovery, start: Start) -> Iterator[Setting]:
    found = discovery.stop_signal
    if found is None and start.stop_signal is not None:
        why = f"{start.server} tidies up on Ctrl-C, which sends it"
        found = Found(value=start.stop_signal, why=why)
    if found is not None:
        yield Setting(
            key="stop-signal",
            value=found.value,
            meaning="The signal that ends it; without this line SIGTERM.",
            found=found,
        )


def _dependencies(discovery: Discovery) -> Iterator[Setting]:
    for key, found in (("extras", discovery.extras), ("groups", discovery.groups)):
        if found is not None:
            yield Setting(
                key=key,
                value=found.value,
                meaning="Optional dependencies that go into the image.",
                found=Found(value="", why=found.why, place=found.place),
            )
    runtime = discovery.runtime
    if runtime is not None:
        reason = Found(value="", why=runtime.why, place=runtime.place)
        if runtime.value.base is not None:
            yield Setting(
                key="base",
                value=runtime.value.base,
                meaning="The image to build on, locked by its digest.",
                found=reason,
            )
        yield Setting(
            key="python",
            value=runtime.value.python,
            meaning="The Python to run on.",
            found=reason,
        )


def _surroundings(discovery: Discovery, choice: Choice) -> Iterator[Setting]:
    if discovery.system_packages and not _on_another_base(discovery):
        yield Setting(
            key="system-packages",
            value=discovery.system_packages,
            meaning="Debian packages. Many wheels bring their libraries: try without them.",
            found=Found(value="", why=EACH),
        )
    if discovery.writable:
        yield Setting(
            key="writable",
            value=discovery.writable,
            meaning="Directories to write to, beside /tmp: volumes on a read-only root.",
            found=Found(value="", why=EACH),
        )
    for name, value in choice.start.env.items():
        yield Setting(
            table=("env",),
            key=name,
            value=value,
            meaning="",
            found=Found(value="", why=f"{choice.start.server} listens where this says"),
        )
    for name, found in discovery.env:
        if name not in choice.start.env:
            yield Setting(table=("env",), key=name, value=found.value, meaning="", found=found)


def _variants(variants: Sequence[Found[ProposedVariant]]) -> Iterator[Setting]:
    for found in variants:
        variant, table = found.value, ("variants", found.value.name)
        reason = Found(value="", why=found.why, place=found.place)
        if variant.version is not None:
            yield Setting(
                table=table,
                key="version",
                value=variant.version,
                meaning=f"The release of {variant.name} that packages are built for.",
                found=reason,
            )
        if variant.extras:
            yield Setting(
                table=table,
                key="extras",
                value=variant.extras,
                meaning="Optional dependencies of this variant alone.",
                found=Found(value="", why="the extra is named like the accelerator"),
            )
        if variant.requirements:
            yield Setting(
                table=table,
                key="requirements",
                value=variant.requirements,
                meaning="Requirements files of this variant alone.",
                found=Found(value="", why="the file is named like the accelerator"),
            )


def _on_another_base(discovery: Discovery) -> bool:
    return discovery.runtime is not None and discovery.runtime.value.base is not None


def _asides(discovery: Discovery, choice: Choice) -> Iterator[tuple[tuple[str, ...], str]]:
    if choice.port is not None and choice.health is None:
        yield (), "No health check was found. With a path here, engines know when it is well:"
        yield (), 'health = "/healthz"'
    if discovery.system_packages and _on_another_base(discovery):
        names = ", ".join(map(_with_reason, discovery.system_packages))
        yield (), f"The base must have these itself: {names}."
    if discovery.dropped_packages:
        names = ", ".join(map(_with_reason, discovery.dropped_packages))
        yield (), f"Debian packages left out: {names}."
    for remark in discovery.remarks:
        yield (), f"Note: {remark}."
    for found in discovery.variants:
        table = ("variants", found.value.name)
        if found.value.version is None:
            yield table, f"For machines without a GPU; proposed because of {found}."
        example = _GPU_EXAMPLES.get(found.value.name)
        if example is not None:
            yield table, f'The GPUs it must run on: gpu-targets = ["{example}"]'


def _with_reason(found: Found[str]) -> str:
    return f"{found.value} ({found.why})"
