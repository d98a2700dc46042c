# SPDX-License-Identifier: Apache-2.0
"""Layers are shown by their numbers while they are read, and not at all when they were before."""

from __future__ import annotations

from wheelship.cli.reading import LayerReading
from wheelship.events import Advanced, Event, Finished, Started, Warned
from wheelship.oci.digest import Digest

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


def test_a_layer_that_is_read_goes_by_its_number() -> None:
    seen: list[Event] = []
    reading = LayerReading(seen.append, [ONE, TWO])
    reading.emit(Started("inspect", str(TWO), 100))
    assert not seen
    reading.emit(Advanced("inspect", str(TWO), 60))
    reading.emit(Advanced("inspect", str(TWO), 40))
    reading.emit(Finished("inspect", str(TWO), "done"))
    reading.end()
    name = f"layer 1 ({TWO.hex[:12]})"
    assert seen == [
        Started("inspect", name, 100),
        Advanced("inspect", name, 60),
        Advanced("inspect", name, 40),
        Finished("inspect", name, "done"),
    ]


def test_an_empty_or_failed_layer_begins_before_it_ends() -> None:
    seen: list[Event] = []
    reading = LayerReading(seen.append, [ONE])
    reading.emit(Started("inspect", str(ONE), 0))
    reading.emit(Finished("inspect", str(ONE), "failed"))
    assert [type(one) for one in seen] == [Started, Finished]


def test_what_was_read_before_is_one_line() -> None:
    seen: list[Event] = []
    reading = LayerReading(seen.append, [ONE, TWO])
    for digest in (ONE, TWO):
        reading.emit(Started("inspect", str(digest), 5))
        reading.emit(Finished("inspect", str(digest), "reused"))
    assert not seen
    reading.end()
    assert seen == [Finished("inspect", "layers", "reused", "2 of 2 were read before")]


def test_everything_else_passes() -> None:
    seen: list[Event] = []
    reading = LayerReading(seen.append, [ONE])
    events: list[Event] = [
        Warned("code", "message"),
        Started("pull", str(ONE), 5),
        Finished("inspect", "sha256:other", "reused"),
    ]
    for event in events:
        reading.emit(event)
    reading.end()
    assert seen == events
