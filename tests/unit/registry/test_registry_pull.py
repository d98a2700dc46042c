# SPDX-License-Identifier: Apache-2.0
"""Pull: what arrives is what its digest says, or nothing has the name."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from wheelship.errors import ExitStatus
from wheelship.events import Advanced, Finished, Started
from wheelship.events import Event as Progress
from wheelship.fetch.errors import HashMismatch, ResponseTooLarge, SizeMismatch, Transient
from wheelship.oci.descriptor import CONFIG, DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.oci.reference import Reference
from wheelship.registry.client import RegistryClient
from wheelship.registry.errors import (
    DigestMismatch,
    ImageNotFound,
    PlatformMissing,
    RegistryAnswer,
)
from wheelship.testing.push import describe
from wheelship.testing.registry import FakeRegistry, RegistryFault

LAYER = random.Random(1).randbytes(3_000_000)
AMD64, ARM64 = Platform("amd64"), Platform("arm64")
NAME = "team/base"


def put(registry: FakeRegistry, document: object, media_type: str, tag: str | None = None) -> str:
    """Store a manifest; return its digest."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    digest = str(Digest.of(body))
    held = registry.repository(NAME)
    held.manifests[digest] = (media_type, body)
    if tag is not None:
        held.tags[tag] = digest
    return digest


def image(architecture: str, media_type: str = MANIFEST) -> dict[str, Any]:
    config = json.dumps({"os": "linux", "architecture": architecture}).encode()
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": describe(config, CONFIG).to_json(),
        "layers": [describe(LAYER).to_json()],
    }


@pytest.fixture
def base(registry: FakeRegistry) -> Reference:
    """An image for two platforms, with an attestation as BuildKit writes it, called ``1``."""
    held = registry.repository(NAME)
    held.blobs[str(Digest.of(LAYER))] = LAYER
    entries = []
    for architecture in ("arm64", "amd64"):
        config = json.dumps({"os": "linux", "architecture": architecture}).encode()
        held.blobs[str(Digest.of(config))] = config
        digest = put(registry, image(architecture), MANIFEST, architecture)
        platform = {"os": "linux", "architecture": architecture}
        if architecture == "arm64":
            platform["variant"] = "v8"
        entries.append({"digest": digest, "size": 1, "platform": platform})
    unknown = {"os": "unknown", "architecture": "unknown"}
    entries.insert(0, {"digest": "sha256:" + "0" * 64, "size": 1, "platform": unknown})
    put(registry, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX, "1")
    return Reference.parse(f"{registry.host}/{NAME}:1")


def test_the_image_of_a_platform_is_found(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    for platform in (AMD64, ARM64):
        found = client.image(base, platform)
        expected = registry.repository(NAME).tags[platform.architecture]
        assert str(found.reference) == f"{base}@{expected}"
        assert str(found.manifest.digest) == expected
        assert json.loads(found.config)["architecture"] == platform.architecture
        assert found.layers == (describe(LAYER),)
    assert client.digest(base) == client.manifest(base).digest
    assert str(client.digest(base)) == registry.repository(NAME).tags["1"]


def test_a_digest_wins_over_the_tag(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    pinned = base.with_digest(Digest.parse(registry.repository(NAME).tags["amd64"]))
    assert not client.manifest(pinned).is_index
    assert registry.requests("GET", "/manifests/")[-1].path.endswith(str(pinned.digest))


def test_dockers_own_media_types_are_read(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    digest = put(registry, image("amd64", DOCKER_MANIFEST), DOCKER_MANIFEST)
    entry = {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}
    index = {"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": [entry]}
    put(registry, index, DOCKER_INDEX, "1")
    assert client.image(base, AMD64).manifest.media_type == DOCKER_MANIFEST


def test_a_missing_platform_names_those_that_are_there(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    held = registry.repository(NAME)
    index = json.loads(held.manifests[held.tags["1"]][1])
    del index["manifests"][1]
    put(registry, index, INDEX, "1")
    with pytest.raises(PlatformMissing, match=r"is not for linux/arm64, but for linux/amd64$"):
        client.image(base, ARM64)
    with pytest.raises(PlatformMissing, match="is not for linux/arm64, but for linux/amd64"):
        client.image(base.with_tag("amd64"), ARM64)


@pytest.mark.parametrize("rest", ["none:1", f"{NAME}:none", f"{NAME}@sha256:" + "0" * 64])
def test_what_is_not_there_is_said_once(
    registry: FakeRegistry, client: RegistryClient, base: Reference, rest: str
) -> None:
    del base
    with pytest.raises(ImageNotFound) as caught:
        client.image(Reference.parse(f"{registry.host}/{rest}"), AMD64)
    assert caught.value.exit_status is ExitStatus.NETWORK
    assert f"docker login {registry.host}" in (caught.value.hint or "")
    assert len(registry.requests("GET", "/manifests/")) == 1


def test_a_tag_without_digest_header_is_resolved_by_content(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    omit = frozenset({"Docker-Content-Digest"})
    registry.faults.append(RegistryFault(path="/manifests/", times=None, omit=omit))
    assert str(client.digest(base)) == registry.repository(NAME).tags["1"]
    assert client.image(base, AMD64).layers == (describe(LAYER),)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"<html>", "is no manifest"),
        (b"[]", "is no manifest"),
        (b"[" * 100_000, "is no manifest"),
        ({"schemaVersion": 1}, "version that is no longer used"),
        ({"schemaVersion": 2, "mediaType": "application/x-tar"}, "is no image"),
        ({"schemaVersion": 2, "mediaType": MANIFEST, "config": {}}, "is no image"),
        (
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "layers": []},
            "both a manifest and an index",
        ),
        ({"schemaVersion": 2, "mediaType": INDEX, "manifests": [7]}, "malformed index"),
        (
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []},
            "malformed manifest",
        ),
        (
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"digest": "sha256:" + "0" * 64, "size": -1, "mediaType": "x"},
                "layers": [],
            },
            "malformed manifest",
        ),
    ],
)
def test_what_is_no_image_is_refused(
    registry: FakeRegistry,
    client: RegistryClient,
    base: Reference,
    document: object,
    problem: str,
) -> None:
    """CVE-2021-41190 and plain nonsense: one clear error, no other exception."""
    put(registry, document, MANIFEST, "1")
    with pytest.raises(RegistryAnswer, match=problem) as caught:
        client.image(base, AMD64)
    assert caught.value.where == str(base)


def test_an_index_of_indexes_is_refused(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    inner = registry.repository(NAME).tags["1"]
    entry = {"digest": inner, "platform": {"os": "linux", "architecture": "amd64"}}
    put(registry, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX, "1")
    with pytest.raises(RegistryAnswer, match="index of indexes"):
        client.image(base, AMD64)


def test_a_manifest_is_verified_by_its_digest(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    pinned = base.with_digest(Digest.parse(registry.repository(NAME).tags["amd64"]))
    other = json.dumps(image("arm64")).encode()
    registry.faults.append(RegistryFault(path="/manifests/", times=None, body=other))
    with pytest.raises(DigestMismatch, match="sent a manifest with digest"):
        client.manifest(pinned)


def test_a_manifest_of_more_than_4_mib_is_not_read(
    registry: FakeRegistry, client: RegistryClient, base: Reference
) -> None:
    body = b" " * (4 * 1024 * 1024 + 1)
    registry.faults.append(RegistryFault(path="/manifests/", body=body))
    with pytest.raises(ResponseTooLarge):
        client.manifest(base)
    document = json.dumps(image("amd64")).encode()
    put(registry, document + b" " * (4 * 1024 * 1024 - len(document)), MANIFEST, "1")
    assert len(client.manifest(base).body) == 4 * 1024 * 1024


def test_a_blob_arrives_with_its_events(
    client: RegistryClient, base: Reference, events: list[Progress], tmp_path: Path
) -> None:
    client.blob(base, describe(LAYER), tmp_path / "final", emit=events.append)
    assert (tmp_path / "final").read_bytes() == LAYER
    subject = f"{NAME}@{Digest.of(LAYER).hex[:12]}"
    assert events[0] == Started("pull", subject, len(LAYER))
    assert events[-1] == Finished("pull", subject, "done")
    assert {one.step for one in events if isinstance(one, Advanced)} == {"pull"}
    assert sum(one.bytes for one in events if isinstance(one, Advanced)) == len(LAYER)


def blob_ranges(registry: FakeRegistry) -> list[str | None]:
    return [one.headers.get("range") for one in registry.requests("GET", "/blobs/")]


def test_a_blob_goes_on_where_it_broke_off(
    registry: FakeRegistry, client: RegistryClient, base: Reference, tmp_path: Path
) -> None:
    registry.faults.append(RegistryFault(path="/blobs/", truncate=1_000_000))
    client.blob(base, describe(LAYER), tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == LAYER
    assert blob_ranges(registry) == [None, "bytes=1000000-"]


def test_a_blob_begins_anew_when_the_range_is_ignored(
    registry: FakeRegistry, client: RegistryClient, base: Reference, tmp_path: Path
) -> None:
    """RFC 9110, section 14.2: a server may answer 200 with everything."""
    registry.faults += [
        RegistryFault(path="/blobs/", truncate=1_000_000),
        RegistryFault(path="/blobs/", ignore_range=True),
    ]
    client.blob(base, describe(LAYER), tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == LAYER


def test_a_part_from_elsewhere_is_not_joined(
    registry: FakeRegistry, client: RegistryClient, base: Reference, tmp_path: Path
) -> None:
    registry.faults += [
        RegistryFault(path="/blobs/", truncate=1_000_000),
        RegistryFault(path="/blobs/", shift_range=10, times=None),
    ]
    client.blob(base, describe(LAYER), tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == LAYER
    assert blob_ranges(registry) == [None, "bytes=1000000-", None]


def test_another_blob_is_not_kept(
    registry: FakeRegistry, client: RegistryClient, base: Reference, tmp_path: Path
) -> None:
    """One damaged answer is repaired; two are an error."""
    other = LAYER[:-1] + bytes([LAYER[-1] ^ 1])
    registry.faults.append(RegistryFault(path="/blobs/", body=other))
    client.blob(base, describe(LAYER), tmp_path / "first")
    assert (tmp_path / "first").read_bytes() == LAYER
    registry.faults.append(RegistryFault(path="/blobs/", body=other, times=None))
    with pytest.raises(HashMismatch) as caught:
        client.blob(base, describe(LAYER), tmp_path / "final")
    assert "lock" not in (caught.value.hint or "")
    assert sorted(path.name for path in tmp_path.glob("f*")) == ["first"]


@pytest.mark.parametrize("extra", [b"x", b"x" * 100_000])
def test_a_longer_blob_is_not_kept(
    registry: FakeRegistry, client: RegistryClient, base: Reference, tmp_path: Path, extra: bytes
) -> None:
    registry.faults.append(RegistryFault(path="/blobs/", body=LAYER + extra, times=None))
    with pytest.raises(SizeMismatch):
        client.blob(base, describe(LAYER), tmp_path / "final")
    assert list(tmp_path.glob("final*")) == []


def test_what_arrived_is_kept_for_the_next_run(
    registry: FakeRegistry, client: RegistryClient, base: Reference, tmp_path: Path
) -> None:
    registry.faults += [RegistryFault(path="/blobs/", truncate=500_000)]
    registry.faults += [RegistryFault(path="/blobs/", status=503, times=None)]
    with pytest.raises(Transient):
        client.blob(base, describe(LAYER), tmp_path / "final")
    assert not (tmp_path / "final").exists()
    registry.faults.clear()
    registry.received.clear()
    client.blob(base, describe(LAYER), tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == LAYER
    assert blob_ranges(registry) == ["bytes=500000-"]
