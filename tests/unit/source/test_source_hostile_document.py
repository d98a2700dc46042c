# SPDX-License-Identifier: Apache-2.0
"""Documents that are damaged, foreign or hostile, wherever they come from."""

from __future__ import annotations

import base64
import json
import os
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from wheelship.errors import NetworkError, WheelshipError
from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import DOCKER_MANIFEST, INDEX, MANIFEST
from wheelship.oci.digest import Digest
from wheelship.source.errors import (
    ImageLacksPlatform,
    InvalidImage,
    NoImage,
    UnsupportedImage,
)
from wheelship.source.model import ImageSource
from wheelship.testing.image_forms import (
    Made,
    contents,
    docker_members,
    index_of,
    layout_members,
    write_layout,
    write_tar,
)
from wheelship.testing.registry import FakeRegistry, RegistryFault

Open = Callable[..., AbstractContextManager[ImageSource]]
Document = dict[str, Any]
MIB = 1024 * 1024


def refusal(
    text: str, open_source: Open, kind: type[WheelshipError] = InvalidImage
) -> WheelshipError:
    """Read everything; return the error that must come, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(kind) as caught, open_source(text) as image:
            contents(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 250 * MIB
    for said in (caught.value.message, str(caught.value.where or "")):
        assert said.isprintable()
        assert len(said) < 1000
    return caught.value


class Places:
    """Puts an image of a made manifest and configuration where it can be read."""

    def __init__(self, demo: Made, place: Path, registry: FakeRegistry) -> None:
        self._demo, self._place, self._registry = demo, place, registry

    def put(
        self,
        kind: str,
        manifest: bytes,
        *,
        config: bytes = b"",
        media_type: str = MANIFEST,
        blobs: dict[str, bytes] | None = None,
    ) -> str:
        held = dict(self._demo.documents if blobs is None else blobs)
        held |= {str(Digest.of(one)): one for one in (manifest, config) if one}
        digest = str(Digest.of(manifest))
        entry = {"mediaType": media_type, "digest": digest, "size": len(manifest)}
        if kind == "registry":
            repository = self._registry.repository("demo")
            repository.blobs |= held
            repository.manifests[digest] = (media_type, manifest)
            repository.tags["x"] = digest
            return f"registry:{self._registry.host}/demo:x"
        if kind == "layout":
            return f"oci:{write_layout(self._place / 'layout', index_of(entry), held)}"
        return str(write_tar(self._place / "x.tar", layout_members(index_of(entry), held)))


@pytest.fixture
def places(demo: Made, tmp_path: Path, registry: FakeRegistry) -> Places:
    return Places(demo, tmp_path, registry)


@pytest.fixture(params=["layout", "archive", "registry"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def manifest_of(demo: Made) -> Document:
    document: Document = json.loads(demo.image.manifest_bytes)
    return document


def with_config(demo: Made, config: bytes) -> bytes:
    document = manifest_of(demo)
    document["config"] |= {"digest": str(Digest.of(config)), "size": len(config)}
    return json.dumps(document).encode()


BROKEN: list[tuple[str, Callable[[Document], object], type[WheelshipError], str]] = [
    ("both", lambda one: one | {"manifests": []}, InvalidImage, "both a manifest and an index"),
    (
        "mediatype",
        lambda one: one | {"mediaType": INDEX},
        InvalidImage,
        "is a manifest, and called",
    ),
    (
        "foreign",
        lambda one: one | {"mediaType": "text/x"},
        UnsupportedImage,
        "no image, but text/x",
    ),
    ("schema1", lambda one: one | {"schemaVersion": 1}, UnsupportedImage, "first version"),
    ("list", lambda one: [one], InvalidImage, "malformed"),
    ("text", lambda _: "text", InvalidImage, "malformed"),
    ("null", lambda _: None, InvalidImage, "malformed"),
    (
        "no-config",
        lambda one: {"schemaVersion": 2, "layers": one["layers"]},
        InvalidImage,
        "config",
    ),
    ("no-layers", lambda one: one | {"layers": None}, InvalidImage, "no list of them"),
    ("layers-text", lambda one: one | {"layers": "abc"}, InvalidImage, "no list of them"),
    ("layer-text", lambda one: one | {"layers": ["abc"]}, InvalidImage, "malformed"),
    (
        "million",
        lambda one: one | {"layers": [0] * 100_000},
        InvalidImage,
        "more than 1000 layers",
    ),
    ("fewer", lambda one: one | {"layers": one["layers"][:1]}, InvalidImage, "has 1 layers"),
    ("size-text", lambda one: _layer(one, size="1"), InvalidImage, "malformed"),
    ("size-true", lambda one: _layer(one, size=True), InvalidImage, "malformed"),
    ("size-minus", lambda one: _layer(one, size=-1), InvalidImage, "malformed"),
    ("size-absurd", lambda one: _layer(one, size=2**63), InvalidImage, "malformed"),
    ("size-nan", lambda one: _layer(one, size=float("nan")), InvalidImage, "malformed"),
    ("digest", lambda one: _layer(one, digest="sha256:../../x"), InvalidImage, "malformed"),
    ("sha512", lambda one: _layer(one, digest=f"sha512:{128 * 'a'}"), InvalidImage, "algorithm"),
    ("digest-list", lambda one: _layer(one, digest=[]), InvalidImage, "malformed"),
    ("escape", lambda one: _layer(one, digest="\x1b[2J\n"), InvalidImage, "malformed"),
    ("data", lambda one: _layer(one, data="%%%"), InvalidImage, "no base64"),
    ("other-data", lambda one: _layer(one, data="AAAA"), InvalidImage, "something else"),
]


def _layer(document: Document, **changes: object) -> Document:
    first, *rest = document["layers"]
    return document | {"layers": [first | changes, *rest]}


@pytest.mark.parametrize(
    ("change", "error", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_manifest_that_is_none(
    change: Callable[[Document], object],
    error: type[WheelshipError],
    message: str,
    places: Places,
    demo: Made,
    open_source: Open,
) -> None:
    body = json.dumps(change(manifest_of(demo))).encode()
    assert message in refusal(places.put("archive", body), open_source, error).message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\xfd",
        b"{" * 2_000_000,
        b"[" * 2_000_000 + b"]" * 2_000_000,
        b'{"a":' * 500_000,
        b"[" + b"[]," * 1_300_000 + b"[]]",
        b"1" * 10_000,
        b'{"schemaVersion": 2, "layers": "\\ud800"}',
    ],
    ids=["empty", "binary", "braces", "deep", "objects", "wide", "number", "surrogate"],
)
def test_what_is_no_json_or_too_much_of_it(body: bytes, places: Places, open_source: Open) -> None:
    refusal(places.put("archive", body), open_source)


@pytest.mark.parametrize("body", [b"", b"[" * 2_000_000, b"{}", b"null"])
def test_what_a_registry_sends_for_a_manifest(
    body: bytes, places: Places, open_source: Open
) -> None:
    refusal(places.put("registry", body), open_source, NetworkError)


def test_a_manifest_of_gigabytes_is_never_read(
    demo: Made, tmp_path: Path, open_source: Open
) -> None:
    body = b'{"schemaVersion": 2}'
    digest = str(Digest.of(body))
    for size in (10**9, 2**63 - 1):
        entry = {"mediaType": MANIFEST, "digest": digest, "size": size}
        write_layout(tmp_path / "layout", index_of(entry), demo.documents | {digest: body})
        with (tmp_path / "layout/blobs" / digest.replace(":", "/")).open("r+b") as blob:
            blob.truncate(10**9)
        assert "are read at most" in refusal(f"oci:{tmp_path / 'layout'}", open_source).message
    with (tmp_path / "layout/index.json").open("r+b") as index:
        index.truncate(10**9)
    assert (
        "index.json has 1000000000 bytes"
        in refusal(f"oci:{tmp_path / 'layout'}", open_source).message
    )


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (b"{}", InvalidImage),
        (b"[]", InvalidImage),
        (b"{" * 100_000, InvalidImage),
        (b'{"os": "linux", "architecture": "amd64", "rootfs": 1}', InvalidImage),
        (b'{"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": ["x"]}}', InvalidImage),
        (
            b'{"os": "windows", "architecture": "amd64", "rootfs": {"diff_ids": []}}',
            ImageLacksPlatform,
        ),
        (b'{"os": [], "architecture": {}, "rootfs": {"diff_ids": []}}', WheelshipError),
        *(
            (
                b'{"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}, %s}' % more,
                InvalidImage,
            )
            for more in (
                b'"config": {"Env": [5]}',
                b'"config": {"Labels": {"a": []}}',
                b'"config": {"Cmd": [null]}',
                b'"config": {"ExposedPorts": {"x": 1}}',
                b'"config": {"Healthcheck": {"Interval": "x"}}',
                b'"history": [{"created_by": {}}]',
                b'"history": 7',
            )
        ),
    ],
)
def test_a_configuration_that_is_none(
    config: bytes,
    error: type[WheelshipError],
    kind: str,
    places: Places,
    demo: Made,
    open_source: Open,
) -> None:
    text = places.put(kind, with_config(demo, config), config=config)
    refusal(text, open_source, error)


def test_something_else_than_an_image_is_called_by_its_type(
    kind: str, places: Places, demo: Made, open_source: Open
) -> None:
    config = b"{}"
    document = json.loads(with_config(demo, config))
    document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    text = places.put(kind, json.dumps(document).encode(), config=config)
    assert (
        "no image, but application/vnd.cncf.helm"
        in refusal(text, open_source, UnsupportedImage).message
    )


def test_a_wrong_blob_is_found_out(
    kind: str, places: Places, demo: Made, open_source: Open
) -> None:
    layer = str(demo.image.blobs[1].digest)
    data = bytearray(demo.blobs[layer])
    data[len(data) // 2] ^= 1
    text = places.put(kind, demo.image.manifest_bytes, blobs=demo.documents | {layer: bytes(data)})
    assert "is damaged" in refusal(text, open_source, WheelshipError).message


@pytest.mark.parametrize("change", [lambda one: one[:-1], lambda one: one + b"more"])
def test_a_size_that_lies_is_found_out(
    change: Callable[[bytes], bytes], kind: str, places: Places, demo: Made, open_source: Open
) -> None:
    layer = str(demo.image.blobs[1].digest)
    blobs = demo.documents | {layer: change(demo.blobs[layer])}
    text = places.put(kind, demo.image.manifest_bytes, blobs=blobs)
    message = refusal(text, open_source, WheelshipError).message
    assert any(one in message for one in ("or a part of it", "has no more than", "is longer than"))


@pytest.mark.parametrize("what", ["layer", "configuration", "manifest"])
@pytest.mark.parametrize("where", ["layout", "archive"])
def test_a_missing_blob_is_named(
    what: str, where: str, demo: Made, tmp_path: Path, open_source: Open
) -> None:
    digest = {
        "layer": str(demo.image.blobs[0].digest),
        "configuration": str(demo.config_digest),
        "manifest": str(demo.image.descriptor.digest),
    }[what]
    blobs = {name: data for name, data in demo.documents.items() if name != digest}
    index = index_of(demo.image.descriptor.to_json())
    if where == "layout":
        path = write_layout(tmp_path / "l", index, blobs)
    else:
        path = write_tar(tmp_path / "x.tar", layout_members(index, blobs))
    assert digest in refusal(str(path), open_source).message


def test_a_registry_without_the_blob(
    places: Places, demo: Made, open_source: Open, registry: FakeRegistry
) -> None:
    text = places.put("registry", demo.image.manifest_bytes)
    del registry.repository("demo").blobs[str(demo.image.blobs[0].digest)]
    assert refusal(text, open_source, WheelshipError).code == "image-not-found"


def test_a_registry_that_never_gets_to_the_end_is_given_up(
    places: Places, demo: Made, open_source: Open, registry: FakeRegistry
) -> None:
    text = places.put("registry", demo.image.manifest_bytes)
    digest = demo.image.blobs[1].digest.hex
    registry.faults.append(RegistryFault(path=digest, times=None, truncate=10))
    assert "broke" in refusal(text, open_source, WheelshipError).message
    assert 1 < len(registry.requests("GET", digest)) < 20


def test_a_foreign_layer_is_read_where_it_is_and_never_fetched(
    places: Places, demo: Made, open_source: Open, registry: FakeRegistry
) -> None:
    document = _layer(manifest_of(demo), urls=[f"{registry.url}/secret"])
    body = json.dumps(document).encode()
    with open_source(places.put("layout", body)) as image:
        assert len(contents(image)) == 2
    blobs = {
        name: data
        for name, data in demo.documents.items()
        if name != document["layers"][0]["digest"]
    }
    (
        Path(places._place) / "layout/blobs" / document["layers"][0]["digest"].replace(":", "/")
    ).unlink()
    message = refusal(places.put("layout", body, blobs=blobs), open_source).message
    assert "its maker keeps at http://127.0.0.1" in message
    assert registry.received == []


def test_a_blob_that_the_manifest_carries_need_not_lie_anywhere(
    kind: str, places: Places, demo: Made, open_source: Open
) -> None:
    """descriptor.md, "data"."""
    layer, config = demo.image.blobs[0], demo.config_digest
    document = _layer(
        manifest_of(demo), data=base64.b64encode(demo.blobs[str(layer.digest)]).decode()
    )
    document["config"]["data"] = base64.b64encode(demo.image.config_bytes).decode()
    blobs = {
        name: data
        for name, data in demo.documents.items()
        if name not in (str(layer.digest), str(config))
    }
    with open_source(places.put(kind, json.dumps(document).encode(), blobs=blobs)) as image:
        assert image.config == demo.image.config
        assert contents(image)[0] == demo.blobs[str(layer.digest)]


def test_an_index_that_names_itself_or_what_is_no_index(
    demo: Made, tmp_path: Path, open_source: Open
) -> None:
    entry = {"mediaType": INDEX, "digest": f"sha256:{64 * '0'}", "size": 10}
    write_layout(tmp_path / "l", index_of(entry), {f"sha256:{64 * '0'}": index_of(entry)[:10]})
    assert "is damaged" in refusal(f"oci:{tmp_path / 'l'}", open_source).message
    entry = demo.image.descriptor.to_json() | {"mediaType": INDEX}
    write_layout(tmp_path / "l", index_of(entry), demo.documents)
    assert "is a manifest, and called" in refusal(f"oci:{tmp_path / 'l'}", open_source).message


@pytest.mark.parametrize(
    "index", [b"", b"[]", b"{}", b'{"manifests": {}}', b'{"manifests": [1]}', b"[" * 99_999]
)
def test_an_index_json_that_is_none(index: bytes, tmp_path: Path, open_source: Open) -> None:
    write_layout(tmp_path / "l", index, {})
    refusal(f"oci:{tmp_path / 'l'}", open_source)


def test_an_empty_index_has_no_image(tmp_path: Path, open_source: Open) -> None:
    write_layout(tmp_path / "l", index_of(), {})
    assert "holds no image" in refusal(f"oci:{tmp_path / 'l'}", open_source, NoImage).message


@pytest.mark.parametrize("what", ["index.json", "blob"])
@pytest.mark.parametrize("instead", ["pipe", "directory", "secret"])
def test_a_layout_of_pipes_and_links_is_not_waited_for(
    what: str, instead: str, demo: Made, tmp_path: Path, open_source: Open
) -> None:
    write_layout(tmp_path / "l", index_of(demo.image.descriptor.to_json()), demo.documents)
    path = tmp_path / "l/index.json"
    if what == "blob":
        path = tmp_path / "l/blobs/sha256" / demo.image.descriptor.digest.hex
    path.unlink()
    if instead == "pipe":
        os.mkfifo(path)
    elif instead == "directory":
        path.mkdir()
    else:
        (tmp_path / "secret").write_text("the secret")
        path.symlink_to(tmp_path / "secret")
    error = refusal(f"oci:{tmp_path / 'l'}", open_source)
    assert "the secret" not in error.message


@pytest.mark.parametrize(
    "rows",
    [
        b"",
        b"{}",
        b"[1]",
        b"[" * 100_000,
        b'[{"Config": 1, "Layers": []}]',
        b'[{"Config": "config.json", "Layers": [[]]}]',
        b'[{"Config": "config.json", "Layers": "abc"}]',
        b'[{"Config": "config.json", "RepoTags": {"a": 1}, "Layers": []}]',
        b'[{"Config": "config.json", "Layers": [%s"a"]}]' % (b'"a",' * 90_000),
        b'[{"Config": "../config.json", "Layers": []}]',
        b'[{"Config": "missing.json", "Layers": []}]',
        b"[%s{}]" % (b"{}," * 1000),
    ],
)
def test_a_manifest_json_that_is_none(rows: bytes, tmp_path: Path, open_source: Open) -> None:
    path = write_tar(tmp_path / "x.tar", [("manifest.json", rows), ("config.json", b"{}")])
    refusal(str(path), open_source)


def test_a_configuration_other_than_its_name_says(
    demo: Made, tmp_path: Path, open_source: Open
) -> None:
    members = dict(docker_members(demo, demo.tars))
    members[f"{demo.config_digest.hex}.json"] = canonical_json({"os": "linux"})
    path = write_tar(tmp_path / "x.tar", list(members.items()))
    assert "is damaged: it hashes" in refusal(str(path), open_source).message


def test_a_layer_other_than_its_diff_id_says(demo: Made, tmp_path: Path, open_source: Open) -> None:
    path = write_tar(tmp_path / "x.tar", docker_members(demo, [demo.tars[1], demo.tars[0]]))
    assert "is damaged: it hashes" in refusal(str(path), open_source).message


def test_of_several_images_in_an_archive_a_name_picks_one(
    demo: Made, tmp_path: Path, open_source: Open
) -> None:
    members = dict(docker_members(demo, demo.tars))
    rows = json.loads(members["manifest.json"])
    names = (["team/a:1", "team/a:2"], ["python:3.11"], None)
    members["manifest.json"] = json.dumps([rows[0] | {"RepoTags": one} for one in names]).encode()
    path = write_tar(tmp_path / "x.tar", list(members.items()))
    for name in ("team/a:2", "docker.io/team/a:1", "python:3.11", "@2"):
        with open_source(f"docker-archive:{path}:{name}") as image:
            assert image.config == demo.image.config
    for name in ("", ":team/b:1", ":@3"):
        error = refusal(f"docker-archive:{path}{name}", open_source, NoImage)
        assert "it has team/a:1, python:3.11, @2" in error.message
        assert (error.hint or "").endswith(f"{path}:team/a:1")


def test_schema_one_of_a_registry_is_refused(places: Places, open_source: Open) -> None:
    body = json.dumps({"schemaVersion": 1, "fsLayers": [], "name": "x"}).encode()
    text = places.put("registry", body, media_type=DOCKER_MANIFEST)
    assert "no longer used" in refusal(text, open_source, WheelshipError).message
