# SPDX-License-Identifier: Apache-2.0
"""Images of several platforms under one tag: written as an index, read by platform."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheelship.archive.entry import Entry, File, InMemory
from wheelship.oci.image import Image
from wheelship.oci.index import ImageIndex, platforms_of
from wheelship.oci.platform import Platform
from wheelship.oci.validate import problems_of_layout, validate
from wheelship.store.errors import InvalidLayout, LayoutLacksPlatform
from wheelship.store.layout import read_layout, read_platforms
from wheelship.store.layout_writer import write_layout
from wheelship.store.oci_archive import write_oci_archive
from wheelship.store.read_archive import unpack_layout
from wheelship.store.store import Store
from wheelship.testing.image import make_image

AMD64, ARM64 = Platform("amd64"), Platform("arm64")


def file(name: str) -> list[Entry]:
    return [File(path=name, content=InMemory(name.encode()))]


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture
def amd64(store: Store) -> Image:
    return make_image(store, file("base-amd64"), file("pure"))


@pytest.fixture
def arm64(store: Store) -> Image:
    return make_image(store, file("base-arm64"), file("pure"), architecture="arm64")


@pytest.fixture
def both(amd64: Image, arm64: Image) -> ImageIndex:
    return ImageIndex((amd64, arm64))


def top(directory: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((directory / "index.json").read_bytes())["manifests"]
    return entries


def blobs(directory: Path) -> set[str]:
    return {path.name for path in (directory / "blobs/sha256").iterdir()}


def test_an_index_is_the_same_in_any_order(amd64: Image, arm64: Image) -> None:
    one, other = ImageIndex((amd64, arm64)), ImageIndex((arm64, amd64))
    assert one.index_bytes == other.index_bytes
    assert one.documents == other.documents
    assert one.blobs == other.blobs
    assert platforms_of(other) == (AMD64, ARM64)
    assert platforms_of(arm64) == (ARM64,)
    entries = json.loads(one.index_bytes)["manifests"]
    # image-index.md: an arm64 without variant is v8, and that is how containerd names it.
    assert [entry["platform"] for entry in entries] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux"},
    ]


def test_a_layer_that_both_have_is_there_once(both: ImageIndex, tmp_path: Path) -> None:
    assert len(both.blobs) == 3
    assert len(both.documents) == 5
    del tmp_path


def test_one_tag_is_one_index(both: ImageIndex, store: Store, tmp_path: Path) -> None:
    linked = write_layout(tmp_path, both, "cpu", store.blob)
    assert linked == {one.digest for one in both.blobs}
    assert problems_of_layout(tmp_path) == []
    assert validate(tmp_path).notes == ()
    (entry,) = top(tmp_path)
    assert entry["digest"] == str(both.descriptor.digest)
    assert entry["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert "platform" not in entry
    assert len(blobs(tmp_path)) == 8


def test_a_tag_is_what_was_written_last(
    both: ImageIndex, amd64: Image, arm64: Image, store: Store, tmp_path: Path
) -> None:
    """Half an index of last week beside half of today's would be two programs under one name."""
    write_layout(tmp_path, both, "cpu", store.blob)
    write_layout(tmp_path, arm64, "cpu", store.blob)
    (entry,) = top(tmp_path)
    assert entry["digest"] == str(arm64.descriptor.digest)
    assert amd64.descriptor.digest.hex not in blobs(tmp_path)
    assert validate(tmp_path).notes == (), "nothing is left of the index"
    write_layout(tmp_path, both, "cpu", store.blob)
    assert read_layout(tmp_path, "cpu", AMD64).manifest == amd64.manifest_bytes


def test_of_an_index_the_platform_asked_for_is_read(
    both: ImageIndex, amd64: Image, arm64: Image, store: Store, tmp_path: Path
) -> None:
    write_layout(tmp_path, both, "cpu", store.blob)
    assert read_layout(tmp_path, "cpu", ARM64).manifest == arm64.manifest_bytes
    assert read_layout(tmp_path, None, native=ARM64).manifest == arm64.manifest_bytes
    assert read_layout(tmp_path, None, AMD64, native=ARM64).manifest == amd64.manifest_bytes
    assert read_layout(tmp_path, "cpu", ARM64).reference == "cpu"
    with pytest.raises(LayoutLacksPlatform, match="for several platforms; it has") as caught:
        read_layout(tmp_path, "cpu")
    assert caught.value.hint == "--platform linux/amd64"
    found = read_platforms(tmp_path, "cpu")
    assert [one.manifest for one in found] == [amd64.manifest_bytes, arm64.manifest_bytes]
    (one,) = read_platforms(tmp_path, "cpu", ARM64)
    assert one.manifest == arm64.manifest_bytes


def test_an_image_for_one_platform_is_no_other_s(
    arm64: Image, store: Store, tmp_path: Path
) -> None:
    write_layout(tmp_path, arm64, "cpu", store.blob)
    assert read_layout(tmp_path, native=AMD64).config.platform == ARM64, "there is no choice"
    assert [one.config.platform for one in read_platforms(tmp_path)] == [ARM64]
    with pytest.raises(LayoutLacksPlatform, match="not for linux/amd64; it has linux/arm64"):
        read_layout(tmp_path, "cpu", AMD64)


def test_an_index_of_one_needs_no_choice(arm64: Image, store: Store, tmp_path: Path) -> None:
    write_layout(tmp_path, ImageIndex((arm64,)), "cpu", store.blob)
    assert read_layout(tmp_path).manifest == arm64.manifest_bytes
    with pytest.raises(LayoutLacksPlatform, match="not for linux/amd64"):
        read_layout(tmp_path, native=AMD64)


def test_what_an_index_lists_beside_images_is_passed_over(
    both: ImageIndex, amd64: Image, store: Store, tmp_path: Path
) -> None:
    """Attestations of BuildKit, images for Windows, arm64's variants that are not v8."""
    write_layout(tmp_path, both, "cpu", store.blob)
    document = json.loads(both.index_bytes)
    arm64 = document["manifests"][1]
    others = [{"os": "unknown", "architecture": "unknown"}, {"os": "linux", "architecture": "arm"}]
    document["manifests"] = [arm64 | {"platform": one} for one in others] + document["manifests"]
    document["manifests"][-1]["platform"]["variant"] = "v8"
    replace_index(tmp_path, json.dumps(document).encode())
    assert [one.config.platform for one in read_platforms(tmp_path)] == [AMD64, ARM64]
    assert read_layout(tmp_path, native=AMD64).manifest == amd64.manifest_bytes


def test_blobs_of_other_platforms_may_be_missing(
    both: ImageIndex, amd64: Image, arm64: Image, store: Store, tmp_path: Path
) -> None:
    """Who copied one platform of an index has no blob of the others."""
    write_layout(tmp_path, both, "cpu", store.blob)
    (tmp_path / "blobs/sha256" / arm64.layers[0].descriptor.digest.hex).unlink()
    (tmp_path / "blobs/sha256" / arm64.descriptor.digest.hex).unlink()
    assert read_layout(tmp_path, "cpu", AMD64).manifest == amd64.manifest_bytes
    with pytest.raises(InvalidLayout, match="lacks the blob"):
        read_platforms(tmp_path, "cpu")


@pytest.mark.parametrize(
    "text",
    [b"[]", b"{}", b'{"manifests": 1}', b'{"manifests": [1]}', b'{"manifests": [{"platform":[]}]}'],
)
def test_a_malformed_index_is_an_error(
    both: ImageIndex, store: Store, tmp_path: Path, text: bytes
) -> None:
    write_layout(tmp_path, both, "cpu", store.blob)
    replace_index(tmp_path, text)
    for read in (read_layout, read_platforms):
        with pytest.raises(InvalidLayout):
            read(tmp_path, "cpu")


def replace_index(directory: Path, data: bytes) -> None:
    """Let the layout's only name lead to another index."""
    from wheelship.oci.digest import Digest

    (directory / "blobs/sha256" / Digest.of(data).hex).write_bytes(data)
    index = json.loads((directory / "index.json").read_bytes())
    index["manifests"][0] |= {"digest": str(Digest.of(data)), "size": len(data)}
    (directory / "index.json").write_text(json.dumps(index))


def test_an_oci_archive_holds_the_index_too(
    both: ImageIndex, arm64: Image, store: Store, tmp_path: Path
) -> None:
    layers = [(one.digest, store.blob(one.digest)) for one in both.blobs]
    first, second = io.BytesIO(), io.BytesIO()
    for out, images in ((first, both.images), (second, both.images[::-1])):
        write_oci_archive(out, ImageIndex(images), layers, "r/demo:cpu")
    assert first.getvalue() == second.getvalue()
    path = tmp_path / "a.tar"
    path.write_bytes(first.getvalue())
    assert problems_of_layout(path) == []
    unpack_layout(path, tmp_path / "out")
    (entry,) = top(tmp_path / "out")
    assert entry["digest"] == str(both.descriptor.digest)
    assert entry["annotations"]["io.containerd.image.name"] == "r/demo:cpu"
    assert read_layout(tmp_path / "out", "cpu", ARM64).manifest == arm64.manifest_bytes
