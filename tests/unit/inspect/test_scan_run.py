# SPDX-License-Identifier: Apache-2.0
"""All layers of an image: once each, from the store where they were read before."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.archive.untar import InvalidLayer
from wheelship.errors import InputError
from wheelship.events import Advanced, Event, Finished, Started
from wheelship.inspect.model import DebugFacts, DeviceFacts, Entry, LayerContent, PycFacts
from wheelship.inspect.scan import kept as module
from wheelship.inspect.scan.kept import KeptContents, pack, unpack
from wheelship.inspect.scan.read import Limits
from wheelship.inspect.scan.run import read_layers
from wheelship.oci.digest import Digest
from wheelship.store.maintain import prune, verify
from wheelship.store.store import Store
from wheelship.testing.source import MadeSource, tar_member, tar_of_members

RECORD = "opt/demo-1.dist-info/RECORD"
PYC = struct.pack("<H2sIII", 3495, b"\r\n", 0, 1_700_000_000, 42)
LOWER = tar_of_members(
    [
        tar_member("opt/a", b"1" * 3000, mode=0o4755, mtime=1_700_000_000),
        tar_member(RECORD, b"demo.py,,\n"),
        tar_member("opt/a.pyc", PYC),
        tar_member(b"caf\xe9\n".decode("utf-8", "surrogateescape"), b"2", mtime=-5),
    ]
)
UPPER = tar_of_members([tar_member("opt/.wh.a")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


def read(
    source: MadeSource, store: Store | None = None, events: list[Event] | None = None
) -> tuple[LayerContent, ...]:
    return read_layers(
        source,
        kept=None if store is None else KeptContents(store),
        emit=(events if events is not None else []).append,
        jobs=2,
    )


def test_layers_come_in_their_order_and_equal_ones_are_read_once() -> None:
    source = MadeSource(LOWER, UPPER, LOWER, pack=gzip.compress)
    events: list[Event] = []
    found = read(source, events=events)
    assert [len(one.entries) for one in found] == [5, 2, 5]
    assert found[0] is found[2]
    assert sorted(source.opened) == sorted(source.blobs)
    for digest, blob in source.blobs.items():
        mine = [one for one in events if getattr(one, "subject", "") == str(digest)]
        assert mine[0] == Started("inspect", str(digest), len(blob))
        assert mine[-1] == Finished("inspect", str(digest), "done")
        assert sum(one.bytes for one in mine if isinstance(one, Advanced)) == len(blob)


def test_what_was_read_before_is_not_opened(store: Store) -> None:
    first = read(MadeSource(LOWER, UPPER), store)
    source = MadeSource(LOWER, UPPER, tar_of_members([tar_member("new", b"3")]))
    events: list[Event] = []
    found = read(source, store, events)
    assert found[:2] == first
    assert source.opened == [source.layers[2].descriptor.digest]
    assert sorted(one.outcome for one in events if isinstance(one, Finished)) == [
        *("done", "reused", "reused"),
    ]


def test_what_is_kept_is_what_was_read(store: Store) -> None:
    (read_anew,) = read(MadeSource(LOWER), store)
    (again,) = read(MadeSource(LOWER), store)
    assert again == read_anew
    assert again is not read_anew
    assert again.documents == ((RECORD, b"demo.py,,\n"),)
    assert again.entries[2].facts == (PycFacts(3495, False, 1_700_000_000, 42),)


def test_every_kind_of_fact_is_kept() -> None:
    (content,) = read(MadeSource(LOWER))
    facts = (
        DebugFacts(7),
        DeviceFacts((("gfx942", 1 << 40), ("sm_90", 2)), hidden=True),
        PycFacts(3495, True),
    )
    file = replace(content.entries[0], facts=facts)
    rows: tuple[Entry, ...] = (file, *content.entries[1:])
    assert unpack(pack(replace(content, entries=rows))) == replace(content, entries=rows)


@pytest.mark.parametrize("again", [False, True])
def test_what_all_layers_say_about_owners_is_bounded(store: Store, *, again: bool) -> None:
    """A layer can be small and have a large database; an image can have a thousand such layers."""
    layers = [
        tar_of_members([tar_member(f"opt/{name}-1.dist-info/RECORD", b"," * 1000)])
        for name in ("a", "b")
    ]
    source = MadeSource(*layers, layers[0], pack=gzip.compress)
    if again:
        read(source, store)

    def read_with(limit: int) -> tuple[LayerContent, ...]:
        return read_layers(
            source,
            kept=KeptContents(store) if again else None,
            emit=lambda _: None,
            jobs=2,
            limits=Limits(documents_bytes=limit),
        )

    assert len(read_with(3000)) == 3
    with pytest.raises(InvalidLayer, match="more than 2999 bytes of package databases"):
        read_with(2999)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone", "foreign"])
def test_what_is_kept_and_damaged_is_read_anew(store: Store, damage: str) -> None:
    source = MadeSource(LOWER)
    first = read(source, store)
    path = store.content(source.layers[0].descriptor.digest)
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "foreign":
        store.put_content(source.layers[0].descriptor.digest, b"no such form")
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        path.write_bytes({"flipped": flipped, "cut": data[:-1], "empty": b""}[damage])
    again = MadeSource(LOWER)
    assert read(again, store) == first
    assert len(again.opened) == 1
    assert path.read_bytes() == data


def test_what_another_version_read_is_read_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(MadeSource(LOWER), store)
    monkeypatch.setattr(module, "READER_VERSION", 999)
    source = MadeSource(LOWER)
    read(source, store)
    assert len(source.opened) == 1
    read(source, store)
    assert len(source.opened) == 1


def test_a_store_that_cannot_be_written_to_still_serves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(MadeSource(LOWER), store)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Read-only file system", str(store.root / "contents"))

    monkeypatch.setattr("wheelship.store.store.write_file", refuse)
    monkeypatch.setattr("os.utime", refuse)
    source = MadeSource(LOWER, UPPER)
    assert read(source, store)[0] == first[0]
    assert source.opened == [source.layers[1].descriptor.digest]


def test_what_is_kept_is_verified_and_pruned(store: Store) -> None:
    source = MadeSource(LOWER, UPPER)
    read(source, store)
    lower, upper = (store.content(one.descriptor.digest) for one in source.layers)
    lower.write_bytes(lower.read_bytes()[:-1])
    assert [one.path for one in verify(store)] == [lower]
    assert not lower.exists()
    assert upper.exists()
    size = upper.stat().st_size
    assert prune(store, 0) == size
    assert not upper.exists()


def test_a_configuration_that_promises_another_archive_is_refused(store: Store) -> None:
    read(MadeSource(LOWER), store)
    events: list[Event] = []
    for kept in (store, None):
        with pytest.raises(InvalidLayer, match="not what its configuration promises"):
            read(MadeSource(LOWER, diff_ids=[Digest.of(b"other")]), kept, events)
    assert {one.outcome for one in events if isinstance(one, Finished)} == {"failed"}


def test_a_layer_that_is_there_twice_is_held_to_both_promises() -> None:
    right, other = Digest.of(LOWER), Digest.of(b"other")
    for diff_ids in ([other, right], [right, other]):
        with pytest.raises(InvalidLayer, match="not what its configuration promises"):
            read(MadeSource(LOWER, LOWER, diff_ids=diff_ids))


def test_the_first_failure_stops_the_others(store: Store) -> None:
    big = tar_of_members([tar_member(f"f{n}", bytes(1_000_000)) for n in range(40)])
    events: list[Event] = []
    source = MadeSource(big, LOWER, failing=1)
    with pytest.raises(InputError, match="breaks off"):
        read(source, store, events)
    assert [one.outcome for one in events if isinstance(one, Finished)] == ["failed"] * 2
    done = sum(one.bytes for one in events if isinstance(one, Advanced))
    assert done < len(big)
    assert not any((store.root / "contents").iterdir())


def test_limits_reach_the_layers() -> None:
    with pytest.raises(InvalidLayer, match="more than 1 entries"):
        read_layers(
            MadeSource(LOWER), kept=None, emit=lambda _: None, jobs=1, limits=Limits(entries=1)
        )


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(entries=9), "more than 9 entries in its layers"),
        (Limits(name_bytes=110), "more than 110 characters of names in"),
        (Limits(documents_bytes=19), "more than 19 bytes of package databases"),
    ],
)
def test_limits_are_for_all_layers_together_however_often_they_are_named(
    limits: Limits, what: str, store: Store
) -> None:
    assert read(MadeSource(LOWER), store)
    for kept in (None, KeptContents(store)):
        with pytest.raises(InvalidLayer, match=what):
            read_layers(
                MadeSource(LOWER, LOWER), kept=kept, emit=lambda _: None, jobs=1, limits=limits
            )
        one = MadeSource(LOWER)
        assert read_layers(one, kept=kept, emit=lambda _: None, jobs=1, limits=limits)


def test_an_image_without_layers() -> None:
    assert read(MadeSource()) == ()
