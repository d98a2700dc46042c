# SPDX-License-Identifier: Apache-2.0
"""The sink of registries: tags, indexes of several platforms, where layers are mounted from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from wheelship.events import Event as Progress
from wheelship.events import Finished, discard
from wheelship.fetch.connection import Connections
from wheelship.fetch.retry import Policy
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.registry.client import RegistryClient
from wheelship.registry.helper import Helpers
from wheelship.registry.keychain import Keychain
from wheelship.sink.deliver import deliver
from wheelship.sink.model import BlobCounts, Parcel, Tools, join_parcels
from wheelship.sink.output import InvalidOutput, RegistryOutput, parse_output, refuse_collisions
from wheelship.sink.whereabouts import Whereabouts
from wheelship.store.errors import DamagedStore
from wheelship.store.store import Store
from wheelship.testing.image import make_image
from wheelship.testing.registry import FakeRegistry


def no_sleep(seconds: float, cancelled: Event) -> None:
    del seconds, cancelled


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def tools() -> Tools:
    policy = Policy(read_seconds=5)
    connections = Connections(
        user_agent="test/1", policy=policy, context=None, proxies={}, offline=False
    )
    keychain = Keychain((), Helpers(environ={}))

    def client() -> RegistryClient:
        return RegistryClient(
            connections=connections, keychain=keychain, policy=policy, sleep=no_sleep
        )

    return Tools(registry=client)


def output(registry: FakeRegistry, name: str) -> RegistryOutput:
    found = parse_output(f"registry:{registry.host}/{name}", Path("/"))
    assert isinstance(found, RegistryOutput)
    return found


@pytest.mark.parametrize(
    ("text", "name", "tags"),
    [
        ("registry:example.org/team/app:1", "example.org/team/app", ("1",)),
        ("registry:example.org/team/app", "example.org/team/app", ()),
        ("registry:app", "docker.io/library/app", ()),
        ("registry:localhost:5000/app:1", "localhost:5000/app", ("1",)),
    ],
)
def test_what_the_output_says(text: str, name: str, tags: tuple[str, ...]) -> None:
    found = parse_output(text, Path("/"))
    assert isinstance(found, RegistryOutput)
    assert (str(found.reference), found.tags) == (name, tags)
    assert str(found) == f"registry:{name}" + (f":{tags[0]}" if tags else "")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("registry:", "registry:REF"),
        ("registry:example.org/App", "use 'example.org/app'"),
        ("registry:example.org/app:", "write HOST/NAME[:TAG]"),
        ("registry:example.org/app@sha256:" + "0" * 64, "write example.org/app:TAG"),
        ("registry:https://example.org/app", "use 'example.org/app'"),
    ],
)
def test_what_is_no_place_is_refused(text: str, hint: str) -> None:
    with pytest.raises(InvalidOutput) as caught:
        parse_output(text, Path("/"))
    assert hint in (caught.value.hint or "")


def test_one_tag_is_not_for_two_variants() -> None:
    tagged = [parse_output("registry:example.org/app:1", Path("/"))]
    refuse_collisions(tagged, 1)
    refuse_collisions([parse_output("registry:example.org/app", Path("/"))], 2)
    with pytest.raises(InvalidOutput, match="2 variants are built") as caught:
        refuse_collisions(tagged, 2)
    assert "registry:example.org/app" in (caught.value.hint or "")


def test_the_tag_is_the_output_s_else_the_image_s(
    registry: FakeRegistry, tools: Tools, load: Any
) -> None:
    events: list[Progress] = []
    outputs = [output(registry, "a"), output(registry, "a:x")]
    first, second = deliver(load.parcel("demo:cpu"), outputs, tools, events.append)
    digest = load.image.descriptor.digest
    assert registry.repository("a").tags == {"cpu": str(digest), "x": str(digest)}
    assert (first.method, first.digest, first.references) == (
        "pushed",
        digest,
        (f"{registry.host}/a:cpu",),
    )
    assert first.blobs == BlobCounts(sent=4, existing=0, mounted=0)
    total = sum(one.size_bytes for one in load.image.blobs) + len(load.image.config_bytes)
    assert first.moved_bytes == total
    assert second.blobs == BlobCounts(sent=0, existing=4, mounted=0)
    assert second.moved_bytes == 0
    assert Finished("image", f"registry:{registry.host}/a", "done") in events
    assert registry.missing("a", "cpu") == []


def test_layers_that_are_there_are_not_asked_for(
    registry: FakeRegistry, tools: Tools, load: Any
) -> None:
    """A layer of the base may never have been fetched."""
    deliver(load.parcel(), [output(registry, "a:1")], tools, discard)
    load.asked.clear()
    deliver(load.parcel(), [output(registry, "a:2")], tools, discard)
    assert load.asked == []


def test_several_platforms_are_one_index(registry: FakeRegistry, tools: Tools, load: Any) -> None:
    """In any order the same bytes."""
    other = make_image(load.store, [], architecture="arm64")
    second = replace(load.parcel(), image=other)
    place = replace(output(registry, "a"), tags=("1-cpu", "cpu"))
    (done,) = deliver(join_parcels([load.parcel(), second]), [place], tools, discard)
    (again,) = deliver(join_parcels([second, load.parcel()]), [place], tools, discard)
    assert done.platforms == (Platform("amd64"), Platform("arm64"))
    assert again.digest == done.digest
    held = registry.repository("a")
    assert held.tags == {"1-cpu": str(done.digest), "cpu": str(done.digest)}
    index = json.loads(held.manifests[str(done.digest)][1])
    found = {one["platform"]["architecture"]: one["digest"] for one in index["manifests"]}
    assert found == {
        "amd64": str(load.image.descriptor.digest),
        "arm64": str(other.descriptor.digest),
    }
    assert registry.missing("a", "cpu") == []
    (alone,) = deliver(second, [place], tools, discard)
    assert alone.digest == other.descriptor.digest, "a tag is what the last build named"
    assert held.tags["cpu"] == str(other.descriptor.digest)


@pytest.mark.parametrize("host", ["registry", "example.org"])
def test_layers_of_the_base_are_mounted_from_its_repository(
    registry: FakeRegistry, tools: Tools, load: Any, host: str
) -> None:
    """image-spec, annotations.md: the manifest names its base; another registry is of no use."""
    layer = load.image.blobs[0].digest
    registry.repository("base/python").blobs[str(layer)] = load.store.blob(layer).read_bytes()
    name = f"{registry.host if host == 'registry' else host}/base/python:3.11"
    annotations = (("org.opencontainers.image.base.name", name),)
    parcel = replace(load.parcel(), image=replace(load.image, annotations=annotations))
    (done,) = deliver(parcel, [output(registry, "a:1")], tools, discard)
    assert done.blobs is not None
    assert done.blobs.mounted == (1 if host == "registry" else 0)
    assert (layer not in load.asked) is (host == "registry")
    assert registry.missing("a", "1") == []
    asked = {one.query.get("from") for one in registry.requests("POST")}
    assert asked == ({"base/python", None} if host == "registry" else {None})


def test_layers_are_mounted_from_where_they_were_pushed_before(
    registry: FakeRegistry, tools: Tools, load: Any
) -> None:
    parcel = replace(load.parcel(), whereabouts=Whereabouts(load.store))
    deliver(parcel, [output(registry, "a:1")], tools, discard)
    load.asked.clear()
    (done,) = deliver(parcel, [output(registry, "b:1")], tools, discard)
    assert done.blobs == BlobCounts(sent=1, existing=0, mounted=3)
    assert load.asked == []
    assert registry.missing("b", "1") == []
    registry.repositories.clear()
    (done,) = deliver(parcel, [output(registry, "c:1")], tools, discard)
    assert done.blobs == BlobCounts(sent=4, existing=0, mounted=0)


def test_whereabouts_are_by_registry_and_layer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, other = Digest.of(b"1"), Digest.of(b"2")
    known = Whereabouts(store)
    known.note("example.org", "a", [one])
    assert known.find("example.org", one) == ("a",)
    assert known.find("example.org", other) == known.find("example.net", one) == ()
    known.note("example.org", "b", [one])
    assert known.find("example.org", one) == ("b",)
    store.close()


def test_a_flipped_bit_in_the_store_moves_no_tag(
    registry: FakeRegistry, tools: Tools, load: Any
) -> None:
    load.damage(1)
    with pytest.raises(DamagedStore, match="no tag was moved") as caught:
        deliver(load.parcel(), [output(registry, "a:1")], tools, discard)
    assert f"registry:{registry.host}/a:1" in (caught.value.where or "")
    assert registry.repository("a").tags == {}


def test_a_parcel_remembers_nothing_by_itself(load: Any) -> None:
    parcel: Parcel = load.parcel()
    assert parcel.whereabouts is None
