# SPDX-License-Identifier: Apache-2.0
"""The registry on loopback: this image and nothing else, read-only, for as long as it is needed."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheelship.errors import NetworkError
from wheelship.oci.digest import Digest
from wheelship.sink.loopback import LoopbackRegistry


class Visitor:
    """Asks a registry as an engine would, one connection per request."""

    def __init__(self, registry: LoopbackRegistry) -> None:
        self.address, _, rest = registry.reference.partition("/")
        self.repository, _, self.digest = rest.partition("@")

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def blob(self, digest: object, **more: Any) -> tuple[int, dict[str, str], bytes]:
        return self.ask(f"/v2/{self.repository}/blobs/{digest}", **more)

    def manifest(self, digest: object, **more: Any) -> tuple[int, dict[str, str], bytes]:
        return self.ask(f"/v2/{self.repository}/manifests/{digest}", **more)


@pytest.fixture
def registry(load: Any) -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry(load.image, load.blob, lambda _: None) as registry:
        yield registry


@pytest.fixture
def visitor(registry: LoopbackRegistry) -> Visitor:
    return Visitor(registry)


def test_everything_of_the_image_is_there(load: Any, visitor: Visitor) -> None:
    image = load.image
    assert visitor.digest == str(image.descriptor.digest)
    assert visitor.ask("/v2/")[0] == 200
    status, headers, body = visitor.manifest(visitor.digest)
    assert (status, body) == (200, image.manifest_bytes)
    assert headers["Content-Type"] == image.descriptor.media_type
    assert headers["Docker-Content-Digest"] == visitor.digest
    document = json.loads(body)
    for one in (document["config"], *document["layers"]):
        status, headers, body = visitor.blob(one["digest"])
        assert (status, str(Digest.of(body))) == (200, one["digest"])
        assert int(headers["Content-Length"]) == one["size"]


def test_nothing_else_is_there(load: Any, visitor: Visitor) -> None:
    """Not the store's other blobs, not other names, and no way to write."""
    other = load.store.blob(Digest.of(b"other"))
    other.write_bytes(b"other")
    manifest, config = visitor.digest, Digest.of(load.image.config_bytes)
    paths = [
        f"/v2/{visitor.repository}/blobs/{Digest.of(b'other')}",
        f"/v2/{visitor.repository}/manifests/{config}",
        f"/v2/{visitor.repository}/manifests/latest",
        f"/v2/{visitor.repository}/tags/list",
        f"/v2/{visitor.repository}/blobs/../../../../etc/passwd",
        f"/v2/wheelship/manifests/{manifest}",
        f"/v2/wheelship/{'0' * 32}/manifests/{manifest}",
        "/v2/_catalog",
        "/",
    ]
    for path in paths:
        assert visitor.ask(path)[0] == 404, path
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        assert visitor.ask(f"/v2/{visitor.repository}/blobs/{config}", method=method)[0] >= 400
    assert visitor.blob(config)[0] == 200, "it is still there"
    assert load.asked == []


def test_its_name_cannot_be_guessed(load: Any) -> None:
    """Other users of this machine reach the port."""
    names = set()
    for _ in range(3):
        with LoopbackRegistry(load.image, load.blob, lambda _: None) as registry:
            assert registry.reference.startswith("127.0.0.1:")
            names.add(registry.reference.partition("/")[2])
    assert len(names) == 3


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=100-", 100, None),
        ("bytes=-7", -7, None),
        ("bytes=5-99999999", 5, None),
    ],
)
def test_a_part_of_a_layer(
    load: Any, visitor: Visitor, asked: str, begin: int, end: int | None
) -> None:
    layer = load.image.blobs[1]
    whole = load.store.blob(layer.digest).read_bytes()
    status, headers, body = visitor.blob(layer.digest, headers={"Range": asked})
    assert (status, body) == (206, whole[begin:end])
    first = begin if begin >= 0 else len(whole) + begin
    assert headers["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/{len(whole)}"
    status, headers, body = visitor.blob(layer.digest, method="HEAD", headers={"Range": asked})
    assert (status, body) == (206, b"")


@pytest.mark.parametrize(
    ("asked", "status"),
    [("bytes=9999999-", 416), ("bytes=5-4", 416), ("bytes=-0", 416), ("lines=1-2", 200)],
)
def test_a_part_that_is_not_there(load: Any, visitor: Visitor, asked: str, status: int) -> None:
    assert visitor.blob(load.image.blobs[1].digest, headers={"Range": asked})[0] == status


def test_a_layer_is_fetched_only_when_an_engine_wants_it(load: Any, visitor: Visitor) -> None:
    """A base's layers may lie in another registry, and the engine may have them."""
    first, second, _ = load.image.blobs
    status, headers, body = visitor.blob(first.digest, method="HEAD")
    assert (status, body, int(headers["Content-Length"])) == (200, b"", first.size_bytes)
    assert load.asked == []
    assert visitor.blob(second.digest)[0] == 200
    assert load.asked == [second.digest]


def test_why_a_layer_could_not_be_had_is_kept(load: Any) -> None:
    def refuse(digest: Digest) -> Path:
        raise NetworkError("no route to host", where=str(digest))

    with LoopbackRegistry(load.image, refuse, lambda _: None) as registry:
        digest = load.image.blobs[0].digest
        assert Visitor(registry).blob(digest)[0] == 500
        assert isinstance(registry.failure, NetworkError)
        assert registry.failure.where == str(digest)


def test_bytes_are_counted(load: Any) -> None:
    counts: list[int] = []
    with LoopbackRegistry(load.image, load.blob, counts.append) as registry:
        visitor = Visitor(registry)
        visitor.blob(load.image.blobs[1].digest, method="HEAD")
        assert registry.sent_bytes == 0
        visitor.blob(load.image.blobs[1].digest)
        visitor.manifest(visitor.digest)
    expected = load.image.blobs[1].size_bytes + len(load.image.manifest_bytes)
    assert registry.sent_bytes == sum(counts) == expected


def test_an_attempt_at_tls_is_answered_at_once_in_plain_http(visitor: Visitor) -> None:
    """A handshake has no line end; containerd goes on without TLS only after this answer."""
    host, port = visitor.address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"\x16\x03\x01\x00\xc8\x01" + b"\x00" * 200)
        assert connection.recv(100).startswith(b"HTTP/1.0 400")
    assert visitor.ask("/v2/")[0] == 200


def test_idle_connections_do_not_keep_it_from_answering_nor_from_ending(load: Any) -> None:
    """More wait than there are threads; leaving it closes them."""
    with LoopbackRegistry(load.image, load.blob, lambda _: None) as registry:
        host, port = registry.reference.partition("/")[0].split(":")
        idle = [socket.create_connection((host, int(port)), timeout=30) for _ in range(7)]
        assert Visitor(registry).ask("/v2/")[0] == 200
        idle += [socket.create_connection((host, int(port)), timeout=30) for _ in range(20)]
    for connection in idle:
        with connection, contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
    assert not [one.name for one in threading.enumerate() if "loopback-registry" in one.name]


def test_a_layer_that_became_shorter_is_not_padded(load: Any, visitor: Visitor) -> None:
    """The engine must notice; it does, as the connection ends early."""
    layer = load.image.blobs[1]
    path = load.store.blob(layer.digest)
    path.unlink()
    path.write_bytes(b"short")
    with pytest.raises(http.client.IncompleteRead):
        visitor.blob(layer.digest)
