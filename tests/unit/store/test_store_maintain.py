# SPDX-License-Identifier: Apache-2.0
"""Looking after the store: what it holds, whether it is whole, and making it smaller."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelship.archive.entry import File, InMemory
from wheelship.oci.digest import Digest
from wheelship.oci.image import Layer
from wheelship.store.maintain import Damage, Usage, prune, usage, verify
from wheelship.store.store import Store
from wheelship.testing.image import put_layer

MIB = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


def key(name: str) -> Digest:
    return Digest.of(name.encode())


def put(store: Store, name: str, *, age: int = 0) -> Layer:
    """Put a layer of about a mebibyte that was used ``age`` seconds ago."""
    content = InMemory(hashlib.sha256(name.encode()).digest() + os.urandom(MIB))
    layer = put_layer(store, key(name), [File(path="f", content=content)])
    stamp = store.root.stat().st_mtime - age
    os.utime(store.root / "layers" / f"{key(name).hex}.json", (stamp, stamp))
    return layer


def download(store: Store, data: bytes) -> Path:
    path = store.download(hashlib.sha256(data).hexdigest())
    path.write_bytes(data)
    return path


def held(store: Store, *names: str) -> list[str]:
    return [name for name in names if store.find_layer(key(name)) is not None]


def test_usage_counts_every_part(store: Store) -> None:
    assert {one.part: (one.files, one.bytes) for one in usage(store)} == {
        "layers": (0, 0),
        "downloads": (0, 0),
        "interpreters": (0, 0),
        "records": (0, 0),
        "inspections": (0, 0),
        "unfinished": (0, 0),
    }
    layer = put(store, "a")
    download(store, b"12345")
    store.put_content(key("blob"), b"what it holds")
    root = store.root / "roots" / key("root").hex
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/python").write_bytes(b"1234567")
    (root / "usr/bin/python3").symlink_to("python")
    with store.work_file() as (stream, _):
        stream.write(b"123")
        stream.flush()
        parts = {one.part: one for one in usage(store)}
    size = layer.descriptor.size_bytes
    assert parts["layers"] == Usage(part="layers", files=1, bytes=size)
    assert parts["downloads"] == Usage(part="downloads", files=1, bytes=5)
    assert parts["inspections"] == Usage(part="inspections", files=1, bytes=64 + 1 + 13)
    assert parts["interpreters"] == Usage(part="interpreters", files=1, bytes=7)
    assert parts["unfinished"] == Usage(part="unfinished", files=1, bytes=3)
    assert parts["records"].files == 2


def test_what_was_read_of_a_blob_is_kept_and_damage_is_seen(store: Store) -> None:
    assert store.find_content(key("blob")) is None
    store.put_content(key("blob"), b"what it\nholds")
    path = store.content(key("blob"))
    os.utime(path, (0, 0))
    assert store.find_content(key("blob")) == b"what it\nholds"
    assert path.stat().st_mtime > 0, "what was used last is pruned last"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert store.find_content(key("blob")) is None


def test_verify_removes_what_is_damaged_and_nothing_else(store: Store) -> None:
    """DESIGN §3: full hash when ``cache verify`` runs, whatever size and times say."""
    good, bad = put(store, "good"), put(store, "bad")
    kept, lost = download(store, b"whole"), download(store, b"wheel")
    path = store.blob(bad.descriptor.digest)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    lost.write_bytes(b"whee1")
    unfinished = store.root / "downloads" / f"{'0' * 64}.part"
    unfinished.write_bytes(b"half")
    seen: list[int] = []
    assert set(verify(store, seen.append)) == {Damage(path, len(data)), Damage(lost, 5)}
    assert sum(seen) == good.descriptor.size_bytes + len(data) + 5 + 5
    assert held(store, "good", "bad") == ["good"]
    assert (kept.exists(), lost.exists(), unfinished.exists()) == (True, False, True)
    assert verify(store) == ()


def test_prune_removes_what_was_not_used_for_longest(store: Store) -> None:
    """DESIGN §3: size cap with least-recently-used pruning."""
    for name, age in (("old", 300), ("older", 400), ("new", 100)):
        put(store, name, age=age)
    assert held(store, "old") == ["old"]  # finding it is using it
    freed = prune(store, 2 * MIB + MIB // 2)
    assert held(store, "old", "older", "new") == ["old", "new"]
    assert MIB < freed < MIB + 10_000
    assert prune(store, 2 * MIB + MIB // 2) == 0
    assert sum(one.bytes for one in usage(store)) <= 2 * MIB + MIB // 2


def test_prune_counts_downloads_and_interpreters(store: Store) -> None:
    put(store, "layer")
    file = download(store, b"x" * MIB)
    root = store.root / "roots" / key("root").hex
    root.mkdir()
    (root / "python").write_bytes(b"y" * MIB)
    for path, age in ((file, 900), (root, 800)):
        stamp = store.root.stat().st_mtime - age
        os.utime(path, (stamp, stamp))
    assert prune(store, MIB + MIB // 2) >= 2 * MIB
    assert not file.exists()
    assert not root.exists()
    assert held(store, "layer") == ["layer"]


def test_prune_without_a_limit_removes_everything(store: Store) -> None:
    put(store, "a")
    download(store, b"x")
    store.mark(key("mark"))
    store.close()
    assert prune(store, 0) > MIB
    assert sum(one.files for one in usage(store)) == 0
    assert store.marked(key("mark")) == (False, None)
    put(store, "a")
    assert held(store, "a") == ["a"]


def test_a_blob_whose_record_is_gone_is_pruned_too(store: Store) -> None:
    """A damaged record must not leave gigabytes behind for ever."""
    layer = put(store, "a")
    (store.root / "layers" / f"{key('a').hex}.json").write_bytes(b"damaged")
    prune(store, 0)
    assert not store.blob(layer.descriptor.digest).exists()


def test_pruning_one_of_two_keys_of_a_blob_makes_the_other_a_miss(store: Store) -> None:
    entries = [File(path="f", content=InMemory(b"x"))]
    put_layer(store, key("one"), entries)
    put_layer(store, key("two"), entries)
    stamp = store.root.stat().st_mtime - 500
    os.utime(store.root / "layers" / f"{key('one').hex}.json", (stamp, stamp))
    total = sum(one.bytes for one in usage(store))
    assert prune(store, total - 1) > 0
    assert held(store, "one", "two") == []
