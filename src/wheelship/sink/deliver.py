# SPDX-License-Identifier: Apache-2.0
"""Fills all outputs of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from wheelship.errors import WheelshipError
from wheelship.events import Emit, Finished, Started
from wheelship.sink.model import Delivered, Parcel, Sink
from wheelship.sink.output import ArchiveOutput, LayoutOutput, Output

__all__ = ["deliver", "sink_of"]


def deliver(parcel: Parcel, outputs: Sequence[Output], emit: Emit) -> tuple[Delivered, ...]:
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
            done = sink_of(output).deliver(parcel, emit)
        except WheelshipError as error:
            emit(Finished("image", subject, "failed", error.message))
            failures.append(_named(error, subject))
        else:
            emit(Finished("image", subject, "done"))
            delivered.append(done)
    if failures:
        raise failures[0]
    return tuple(delivered)


def sink_of(output: Output) -> Sink:
    """Return the sink of one output."""
    match output:
        case LayoutOutput():
            from wheelship.sink.layout import LayoutSink

            return LayoutSink(output)
        case ArchiveOutput():
            from wheelship.sink.archive import ArchiveSink

            return ArchiveSink(output)
        case _:
            assert_never(output)


def _named(error: WheelshipError, output: str) -> WheelshipError:
    """Say which output it was, where the error does not say so itself."""
    if error.where is None:
        error.where = output
    elif error.where not in output and output not in error.where:
        error.where = f"{output}: {error.where}"
    return error
