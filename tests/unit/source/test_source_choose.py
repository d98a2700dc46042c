# SPDX-License-Identifier: Apache-2.0
"""Which image of an index: by name and by platform (image-spec, image-index.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from wheelship.oci.descriptor import DOCKER_INDEX, DOCKER_MANIFEST, INDEX
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.source.errors import ImageLacksPlatform, NoImage, UnsupportedImage
from wheelship.source.model import ImageSource
from wheelship.store.store import Store
from wheelship.testing.image_forms import Made, contents, index_of, made, write_layout

AMD64, ARM64 = Platform("amd64"), Platform("arm64")
Open = Callable[..., AbstractContextManager[ImageSource]]
NAME = "org.opencontainers.image.ref.name"
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


def entry(one: Made, name: str | None = None, **more: Any) -> dict[str, Any]:
    document = one.image.descriptor.to_json()
    document.pop("platform", None)
    named = {"annotations": {NAME: name}} if name else {}
    return document | named | more


def entry_of(body: bytes, media_type: str = INDEX, **more: Any) -> dict[str, Any]:
    digest = str(Digest.of(body))
    return {"mediaType": media_type, "digest": digest, "size": len(body), **more}


def platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


@pytest.fixture
def two(tmp_path: Path) -> tuple[Made, Made]:
    store = Store(tmp_path / "store")
    return made(store), made(store, "arm64")


@pytest.fixture
def nested(two: tuple[Made, Made], tmp_path: Path) -> Callable[..., str]:
    """Write a layout of one index with ``platforms``, by the image that each is; return IMAGE."""

    def write(*platforms: tuple[str, int], lacking: str = "") -> str:
        attestation = entry_of(b"{}", annotations=ATTESTATION, platform=platform("unknown/unknown"))
        body = index_of(
            attestation,
            *(
                entry(two[which], platform=platform(text)) if text else entry(two[which])
                for text, which in platforms
            ),
        )
        blobs = two[0].documents | two[1].documents
        blobs |= {str(Digest.of(one)): one for one in (body, b"{}")}
        blobs.pop(lacking, None)
        write_layout(tmp_path / "layout", index_of(entry_of(body)), blobs)
        return f"oci:{tmp_path / 'layout'}"

    return write


def test_of_two_platforms_the_one_that_is_asked_for_else_the_machines_own(
    nested: Callable[..., str], open_source: Open, two: tuple[Made, Made]
) -> None:
    text = nested(("linux/amd64", 0), ("linux/arm64/v8", 1))
    for asked, native, expected in (
        (ARM64, AMD64, two[1]),
        (AMD64, ARM64, two[0]),
        (None, ARM64, two[1]),
        (None, AMD64, two[0]),
    ):
        with open_source(text, asked, native) as image:
            assert image.config == expected.image.config
            assert len(contents(image)) == 2


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        ((("linux/amd64/v3", 1), ("linux/amd64", 0)), 0),  # fewer machines run v3
        ((("linux/amd64/v3", 0), ("linux/s390x", 1)), 0),
        ((("linux/arm64", 1),), 1),
        ((("", 0),), 0),
    ],
)
def test_what_fits_best_is_taken(
    nested: Callable[..., str],
    open_source: Open,
    two: tuple[Made, Made],
    platforms: tuple[tuple[str, int], ...],
    expected: int,
) -> None:
    with open_source(nested(*platforms)) as image:
        assert image.config == two[expected].image.config


def test_an_error_lists_what_is_there_and_never_an_attestation(
    nested: Callable[..., str], open_source: Open
) -> None:
    text = nested(("linux/s390x", 0), ("linux/arm64", 1))
    for asked in (None, AMD64):
        with pytest.raises(ImageLacksPlatform, match="linux/s390x, linux/arm64") as caught:
            open_source(text, asked).__enter__()
        assert "unknown" not in caught.value.message
        assert caught.value.hint == "--platform linux/arm64"


def test_an_entry_that_does_not_say_what_it_is_for_is_judged_by_its_configuration(
    nested: Callable[..., str], open_source: Open
) -> None:
    with pytest.raises(ImageLacksPlatform, match="not for linux/arm64; it is for linux/amd64"):
        open_source(nested(("", 0)), ARM64).__enter__()


def test_what_an_engine_did_not_keep_is_not_there(
    nested: Callable[..., str], open_source: Open, two: tuple[Made, Made]
) -> None:
    """An engine exports the whole index, and the images that somebody pulled."""
    gone = str(two[0].image.descriptor.digest)
    text = nested(("linux/amd64", 0), ("linux/arm64", 1), lacking=gone)
    with open_source(text) as image:
        assert image.config == two[1].image.config
    with pytest.raises(ImageLacksPlatform, match=r"it is for linux/arm64$"):
        open_source(text, AMD64).__enter__()


def test_platforms_may_stand_in_index_json_itself(
    open_source: Open, two: tuple[Made, Made], tmp_path: Path
) -> None:
    entries = [
        entry(one, "v1", platform=platform(f"linux/{name}"))
        for one, name in zip(two, ("amd64", "arm64"), strict=True)
    ]
    write_layout(tmp_path / "l", index_of(*entries), two[0].documents | two[1].documents)
    for asked, expected in ((AMD64, two[0]), (ARM64, two[1])):
        with open_source(f"oci:{tmp_path / 'l'}:v1", asked) as image:
            assert image.config == expected.image.config


def test_of_several_images_one_must_be_named(
    open_source: Open, two: tuple[Made, Made], tmp_path: Path
) -> None:
    entries = [entry(two[0], "cpu"), entry(two[1], "cuda"), entry(two[0], "also-cpu")]
    write_layout(tmp_path / "l", index_of(*entries), two[0].documents | two[1].documents)
    with pytest.raises(NoImage, match="several images: cpu, cuda, also-cpu") as caught:
        open_source(f"oci:{tmp_path / 'l'}").__enter__()
    pasted = str(caught.value.hint).removeprefix("name one: ")
    with open_source(pasted) as image:
        assert image.reference == f"oci:{tmp_path / 'l'}:cpu"
    with pytest.raises(NoImage, match="no image called rocm; it has cpu, cuda"):
        open_source(f"oci:{tmp_path / 'l'}:rocm").__enter__()


def test_several_names_of_one_image_are_no_choice(
    open_source: Open, two: tuple[Made, Made], tmp_path: Path
) -> None:
    index = index_of(entry(two[0], "1.0"), entry(two[0], "latest"))
    write_layout(tmp_path / "l", index, two[0].documents)
    with open_source(f"oci:{tmp_path / 'l'}") as image:
        assert image.config == two[0].image.config


def test_an_index_of_indexes_is_refused(
    open_source: Open, two: tuple[Made, Made], tmp_path: Path
) -> None:
    inner = index_of(entry(two[0]))
    outer = index_of(entry_of(inner))
    blobs = two[0].documents | {str(Digest.of(one)): one for one in (inner, outer)}
    write_layout(tmp_path / "l", index_of(entry_of(outer)), blobs)
    with pytest.raises(UnsupportedImage, match="index of indexes"):
        open_source(f"oci:{tmp_path / 'l'}").__enter__()


def test_dockers_media_types_are_read_in_a_layout(
    open_source: Open, two: tuple[Made, Made], tmp_path: Path
) -> None:
    manifest = json.loads(two[0].image.manifest_bytes)
    manifest["mediaType"] = DOCKER_MANIFEST
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    for layer in manifest["layers"]:
        layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    body = json.dumps(manifest).encode()
    listed = index_of(entry_of(body, DOCKER_MANIFEST, platform=platform("linux/amd64")))
    blobs = two[0].documents | {str(Digest.of(one)): one for one in (body, listed)}
    write_layout(tmp_path / "l", index_of(entry_of(listed, DOCKER_INDEX)), blobs)
    with open_source(f"oci:{tmp_path / 'l'}") as image:
        assert image.manifest_bytes == body
        assert len(contents(image)) == 2
