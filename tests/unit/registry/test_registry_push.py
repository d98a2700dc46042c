# SPDX-License-Identifier: Apache-2.0
"""Push: what is there is not sent, what is sent is right, and a tag never names half an image."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from wheelship.errors import ExitStatus
from wheelship.events import Advanced, Finished, Started
from wheelship.events import Event as Progress
from wheelship.oci.descriptor import INDEX, MANIFEST
from wheelship.oci.digest import Digest
from wheelship.oci.reference import Reference
from wheelship.registry.client import RegistryClient
from wheelship.registry.errors import RegistryRefused
from wheelship.store.errors import DamagedStore
from wheelship.testing.push import blob_source, describe, make_push
from wheelship.testing.registry import FakeRegistry, RegistryFault

BIG = random.Random(1).randbytes(900_000)
SMALL = random.Random(2).randbytes(7_000)
MIB = 1024 * 1024


def target(registry: FakeRegistry, name: str = "team/service") -> Reference:
    return Reference.parse(f"{registry.host}/{name}")


def test_an_image_is_pushed(
    registry: FakeRegistry, client: RegistryClient, events: list[Progress]
) -> None:
    """distribution-spec, Push: blobs, then the manifest, by digest and then by tag."""
    image = make_push(blob_source(SMALL, title="small"), blob_source(BIG, title="big"))
    pushed = client.push(target(registry), [image], tags=["1-cpu", "cpu"], emit=events.append)
    held = registry.repository("team/service")
    assert held.tags == {"1-cpu": str(image.digest), "cpu": str(image.digest)}
    assert held.manifests[str(image.digest)] == (MANIFEST, image.manifest)
    assert registry.missing("team/service", "cpu") == []
    assert pushed.references == (
        f"{registry.host}/team/service:1-cpu",
        f"{registry.host}/team/service:cpu",
    )
    sent = len(BIG) + len(SMALL) + len(image.config)
    assert (pushed.digest, pushed.sent_bytes) == (image.digest, sent)
    assert [pushed.count(how) for how in ("sent", "existing", "mounted")] == [3, 0, 0]
    puts = [one.path.split("/")[-2:] for one in registry.requests("PUT")]
    assert [kind for kind, _ in puts] == ["uploads"] * 3 + ["manifests"] * 3
    assert [name for _, name in puts[3:]] == [str(image.digest), "1-cpu", "cpu"]
    assert registry.requests("PATCH") == []
    assert Started("push", "big", len(BIG)) in events
    assert Finished("push", "big", "done") in events
    assert sum(one.bytes for one in events if isinstance(one, Advanced)) == sent


def test_the_second_push_sends_no_blob(registry: FakeRegistry, client: RegistryClient) -> None:
    image = make_push(blob_source(SMALL), blob_source(BIG))
    client.push(target(registry), [image], tags=["1"])
    registry.received.clear()
    pushed = client.push(target(registry), [image], tags=["2"])
    assert pushed.sent_bytes == 0
    assert pushed.count("existing") == 3
    assert registry.requests("POST") == []
    assert registry.repository("team/service").tags == {
        "1": str(image.digest),
        "2": str(image.digest),
    }


def test_only_what_changed_is_sent(registry: FakeRegistry, client: RegistryClient) -> None:
    client.push(target(registry), [make_push(blob_source(BIG), blob_source(SMALL))], tags=["1"])
    changed = make_push(blob_source(BIG), blob_source(b"other"))
    pushed = client.push(target(registry), [changed], tags=["1"])
    assert [one.sent_bytes for one in pushed.blobs if one.how == "sent"] == [5]
    assert registry.repository("team/service").tags["1"] == str(changed.digest)


def test_a_layer_that_occurs_twice_is_sent_once(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    image = make_push(blob_source(SMALL), blob_source(SMALL))
    assert client.push(target(registry), [image], tags=["1"]).count("sent") == 2
    assert registry.missing("team/service", "1") == []


def test_a_blob_is_mounted_from_another_repository(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """distribution-spec, "Mounting a blob from another repository": nothing is even opened."""
    registry.repository("base/python").blobs[str(Digest.of(BIG))] = BIG

    def never() -> BinaryIO:
        raise AssertionError("opened")

    base = blob_source(BIG, open=never, origins=("base/python",))
    pushed = client.push(target(registry), [make_push(base, blob_source(SMALL))], tags=["1"])
    assert {one.how for one in pushed.blobs if one.size_bytes == len(BIG)} == {"mounted"}
    assert pushed.sent_bytes < 10_000
    assert registry.missing("team/service", "1") == []


@pytest.mark.parametrize("status", [None, 403, 404, 405])
def test_a_blob_that_cannot_be_mounted_is_sent(
    registry: FakeRegistry, client: RegistryClient, status: int | None
) -> None:
    """The registry may answer 202 as to any upload, or not know mounting at all."""
    registry.repository("base/python").blobs[str(Digest.of(BIG))] = BIG
    registry.mounts = False
    if status is not None:
        registry.faults.append(RegistryFault(method="POST", status=status))
    image = make_push(blob_source(BIG, origins=("base/python",)))
    pushed = client.push(target(registry), [image], tags=["1"])
    assert pushed.sent_bytes == len(BIG) + len(image.config)
    assert registry.missing("team/service", "1") == []


def test_an_index_is_pushed_after_its_images(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    images = [
        make_push(blob_source(BIG), architecture="amd64"),
        make_push(blob_source(SMALL), architecture="arm64"),
    ]
    entries = [describe(one.manifest, MANIFEST).to_json() for one in images]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    pushed = client.push(target(registry), images, tags=["1"], index=index)
    assert pushed.digest == Digest.of(index)
    assert registry.repository("team/service").tags == {"1": str(Digest.of(index))}
    assert registry.missing("team/service", "1") == []
    assert registry.repository("team/service").manifests[str(Digest.of(index))][0] == INDEX


@pytest.mark.parametrize("absolute", [True, False])
def test_location_may_be_relative(
    registry: FakeRegistry, client: RegistryClient, *, absolute: bool
) -> None:
    registry.absolute = absolute
    client.push(target(registry), [make_push(blob_source(BIG))], tags=["1"])
    assert registry.missing("team/service", "1") == []


def sizes(registry: FakeRegistry, method: str) -> list[int]:
    return [one.size for one in registry.requests(method, "/uploads/")]


def test_chunks_are_sent_where_one_request_is_too_large(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """413 from a proxy: the upload begins anew in chunks that end where the blob ends."""
    registry.whole_limit = MIB
    content = random.Random(3).randbytes(17 * MIB)
    client.push(target(registry), [make_push(blob_source(content))], tags=["1"])
    assert registry.missing("team/service", "1") == []
    assert sizes(registry, "PATCH")[:2] == [16 * MIB, MIB]
    ranges = [one.headers["content-range"] for one in registry.requests("PATCH")][:2]
    assert ranges == [f"0-{16 * MIB - 1}", f"{16 * MIB}-{17 * MIB - 1}"]


def test_smaller_chunks_are_sent_where_chunks_are_too_large(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """GHCR answers 416 to a PATCH of more than 4 MiB (facts: traps §6)."""
    registry.whole_limit, registry.chunk_limit = MIB, 4 * MIB
    content = random.Random(3).randbytes(9 * MIB)
    client.push(target(registry), [make_push(blob_source(content))], tags=["1"])
    assert registry.missing("team/service", "1") == []
    assert sizes(registry, "PATCH")[-4:-1] == [4 * MIB, 4 * MIB, MIB]
    registry.received.clear()
    other = random.Random(4).randbytes(5 * MIB)
    client.push(target(registry), [make_push(blob_source(content), blob_source(other))], tags=["1"])
    assert registry.missing("team/service", "1") == []


def test_a_demanded_length_of_chunks_is_kept(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """distribution-spec: chunks but the last MUST have OCI-Chunk-Min-Length at least."""
    registry.chunk_minimum = 20 * MIB
    content = random.Random(3).randbytes(21 * MIB)
    client.push(target(registry), [make_push(blob_source(content))], tags=["1"])
    assert sizes(registry, "PATCH")[:2] == [20 * MIB, MIB]
    assert registry.missing("team/service", "1") == []


def test_a_chunked_upload_goes_on_where_it_broke_off(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """distribution-spec, "Pushing a blob in chunks": GET on the upload tells what is there."""
    registry.chunk_minimum = MIB
    content = random.Random(3).randbytes(33 * MIB)
    registry.faults.append(RegistryFault(method="PATCH", reset=True))
    pushed = client.push(target(registry), [make_push(blob_source(content))], tags=["1"])
    assert registry.missing("team/service", "1") == []
    big = next(one for one in pushed.blobs if one.size_bytes == len(content))
    assert big.sent_bytes == len(content)
    assert len(registry.requests("GET", "/uploads/")) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_damaged_bytes_of_the_store_reach_no_tag(
    registry: FakeRegistry, client: RegistryClient, *, chunked: bool
) -> None:
    """The hash is known before the last piece goes out, so the upload is never complete."""
    if chunked:
        registry.chunk_minimum = MIB
    registry.repository("team/service").tags["1"] = "before"
    flipped = bytearray(BIG)
    flipped[500_000] ^= 1
    image = make_push(blob_source(BIG, actual=bytes(flipped)), blob_source(SMALL))
    with pytest.raises(DamagedStore, match="is damaged") as caught:
        client.push(target(registry), [image], tags=["1"])
    assert caught.value.exit_status is ExitStatus.MACHINE
    assert "wheelship cache verify" in (caught.value.hint or "")
    held = registry.repository("team/service")
    assert held.tags == {"1": "before"}
    assert held.manifests == {}
    assert all(len(blob) < len(BIG) for blob in held.blobs.values())


@pytest.mark.parametrize("actual", [BIG[:-1], b""], ids=["short", "empty"])
def test_a_short_blob_reaches_no_tag(
    registry: FakeRegistry, client: RegistryClient, actual: bytes
) -> None:
    with pytest.raises(DamagedStore, match="it ends after"):
        client.push(target(registry), [make_push(blob_source(BIG, actual=actual))], tags=["1"])
    assert registry.repository("team/service").tags == {}


def test_a_blob_that_is_gone_reaches_no_tag(
    registry: FakeRegistry, client: RegistryClient, tmp_path: Path
) -> None:
    gone = blob_source(BIG, open=lambda: (tmp_path / "gone").open("rb"))
    with pytest.raises(DamagedStore, match="No such file"):
        client.push(target(registry), [make_push(gone)], tags=["1"])
    assert registry.repository("team/service").tags == {}


def test_a_blob_of_nothing_can_be_pushed(registry: FakeRegistry, client: RegistryClient) -> None:
    client.push(target(registry), [make_push(blob_source(b""))], tags=["1"])
    assert registry.missing("team/service", "1") == []


def test_the_answer_to_a_finished_upload_may_be_lost(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """What arrived is not sent again."""
    registry.faults.append(RegistryFault(method="PUT", path="/uploads/", reset=True))
    image = make_push(blob_source(BIG))
    pushed = client.push(target(registry), [image], tags=["1"])
    assert pushed.sent_bytes == len(BIG) + len(image.config)
    assert registry.missing("team/service", "1") == []


def test_a_registry_that_lost_a_blob_gets_no_tag(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """It said that it has the layer, and refuses the manifest for want of it."""
    omit = frozenset({"Content-Length"})
    registry.faults.append(
        RegistryFault(method="HEAD", path="/blobs/", times=None, status=200, omit=omit)
    )
    with pytest.raises(RegistryRefused, match="MANIFEST_BLOB_UNKNOWN") as caught:
        client.push(target(registry), [make_push(blob_source(BIG))], tags=["1"])
    assert caught.value.exit_status is ExitStatus.NETWORK
    assert registry.repository("team/service").tags == {}


def test_the_first_failure_ends_the_other_uploads(
    registry: FakeRegistry, make_client: Callable[..., RegistryClient], events: list[Progress]
) -> None:
    registry.faults.append(RegistryFault(method="PUT", path="/uploads/", times=None, status=403))
    layers = [blob_source(bytes([number]) * 50_000) for number in range(12)]
    client = make_client()
    with pytest.raises(Exception, match="403"):
        client.push(target(registry), [make_push(*layers)], tags=["1"], emit=events.append)
    assert len([one for one in events if isinstance(one, Started)]) < 12
    assert registry.requests("PUT", "/manifests/") == []
