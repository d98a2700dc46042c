# SPDX-License-Identifier: Apache-2.0
"""Fills all outputs of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, assert_never

from wheelship.errors import WheelshipError
from wheelship.events import Emit, Finished, Started
from wheelship.sink.model import Delivered, Parcel, Sink, Tools
from wheelship.sink.output import ArchiveOutput, EngineOutput, LayoutOutput, Output, RegistryOutput

if TYPE_CHECKING:
    from wheelship.registry.client import RegistryClient

__all__ = ["deliver", "refuse_missing_tools", "sink_of"]


def deliver(
    parcel: Parcel, outputs: Sequence[Output], tools: Tools, emit: Emit
) -> tuple[Delivered, ...]:
    """Put the image into each of ``outputs``; one that fails keeps no other from being filled.

    Raises:
        WheelshipError: the first failure, with its output named; the others are told as events.
    """
    delivered: list[Delivered] = []
    failures: list[WheelshipError] = []
    for output in outputs:
        subject = str(output)
        emit(Started("image", subject))
        try:
            done = sink_of(output, tools).deliver(parcel, emit)
        except WheelshipError as error:
            emit(Finished("image", subject, "failed", error.message))
            failures.append(_named(error, subject))
        else:
            emit(Finished("image", subject, "done"))
            delivered.append(done)
    if failures:
        raise failures[0]
    return tuple(delivered)


def _registry(tools: Tools) -> Callable[[], RegistryClient]:
    assert tools.registry is not None  # noqa: S101 - the command line always gives one
    return tools.registry


def refuse_missing_tools(outputs: Sequence[Output], tools: Tools) -> None:
    """Refuse outputs that this machine has no program for, before anything is built.

    Raises:
        DockerMissing, PodmanMissing: there is no client for the engine.
    """
    engines = [output.engine for output in outputs if isinstance(output, EngineOutput)]
    if engines:
        from wheelship.engine.trouble import refuse_missing

        for engine in engines:
            refuse_missing(tools.of(engine), engine)


def sink_of(output: Output, tools: Tools) -> Sink:
    """Return the sink of one output."""
    match output:
        case LayoutOutput():
            from wheelship.sink.layout import LayoutSink

            return LayoutSink(output)
        case ArchiveOutput():
            from wheelship.sink.archive import ArchiveSink

            return ArchiveSink(output, tools.native)
        case EngineOutput():
            from wheelship.sink.engine import EngineSink

            return EngineSink(output, tools.of(output.engine))
        case RegistryOutput():
            from wheelship.sink.registry import RegistrySink

            return RegistrySink(output, _registry(tools))
        case _:
            assert_never(output)


def _named(error: WheelshipError, output: str) -> WheelshipError:
    """Say which output it was, where the error does not say so itself."""
    if error.where is None:
        error.where = output
    elif error.where not in output and output not in error.where:
        error.where = f"{output}: {error.where}"
    return error
