# SPDX-License-Identifier: Apache-2.0
"""Whatever an image is read from, it is the same image."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from wheelship.events import Advanced, Finished, Started
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.source.errors import ImageLacksPlatform, NoImage
from wheelship.source.model import ImageSource
from wheelship.testing.image_forms import REFERENCE, Made, contents
from wheelship.testing.registry import FakeRegistry, RegistryFault

ARM64 = Platform("arm64")
Open = Callable[..., AbstractContextManager[ImageSource]]
FORMS = [
    "layout",
    "oci-archive",
    "docker-archive",
    "docker-archive-25",
    "docker-archive-gzip-layers",
    "docker-archive-links",
    "docker-archive-gnu",
    "archive-gzipped",
    "docker",
    "podman",
    "registry",
    "registry-index",
]
EXPORTED = {"docker-archive", "docker-archive-gzip-layers", "docker-archive-links"}
EXPORTED |= {"docker-archive-gnu", "archive-gzipped", "docker", "podman"}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_configuration_layers_and_digests(
    form: str, write: Callable[[str], str], open_source: Open, demo: Made
) -> None:
    text = write(form)
    with open_source(text) as image:
        assert image.config_bytes == demo.image.config_bytes
        assert image.config == demo.image.config
        assert [one.diff_id for one in image.layers] == list(demo.image.config.diff_ids)
        assert image.as_transferred == (form not in EXPORTED)
        assert image.reference == text
        exported = form in EXPORTED
        assert image.manifest_bytes == (b"" if exported else demo.image.manifest_bytes)
        for layer, blob, tar in zip(image.layers, contents(image), demo.tars, strict=True):
            assert Digest.of(blob) == layer.descriptor.digest
            assert len(blob) == layer.descriptor.size_bytes
            gzipped = layer.descriptor.media_type.endswith("gzip")
            assert (gzip.decompress(blob) if gzipped else blob) == tar
            assert gzipped == (not exported or form == "docker-archive-gzip-layers")


@pytest.mark.parametrize("form", ["layout", "oci-archive", "docker-archive"])
def test_a_file_that_its_reader_lacks_is_no_fault_of_the_image(
    form: str, write: Callable[[str], str], open_source: Open
) -> None:
    with pytest.raises(FileNotFoundError), open_source(write(form)):
        raise FileNotFoundError
    with (
        pytest.raises(FileNotFoundError),
        open_source(write(form)) as image,
        image.open(image.layers[0]),
    ):
        raise FileNotFoundError


@pytest.mark.parametrize("form", FORMS)
def test_no_form_is_for_another_platform(
    form: str, write: Callable[[str], str], open_source: Open
) -> None:
    text = write(form)
    with pytest.raises(ImageLacksPlatform, match=r"not for linux/arm64.*linux/amd64") as caught:
        open_source(text, ARM64).__enter__()
    assert "--platform linux/amd64" in (caught.value.hint or "")


@pytest.mark.parametrize("form", FORMS)
def test_the_only_platform_is_taken_where_nobody_asked(
    form: str, write: Callable[[str], str], open_source: Open, demo: Made
) -> None:
    text = write(form)
    if form == "registry-index":  # it lists another one, too
        with pytest.raises(ImageLacksPlatform, match="linux/s390x, linux/amd64"):
            open_source(text, native=ARM64).__enter__()
        return
    with open_source(text, native=ARM64) as image:
        assert image.config == demo.image.config


@pytest.mark.parametrize("form", ["layout", "oci-archive", "docker-archive", "registry"])
def test_nothing_is_read_but_what_is_asked_for(
    form: str,
    write: Callable[[str], str],
    open_source: Open,
    registry: FakeRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = write(form)
    read: list[int] = []
    pread = os.pread

    def counted(file: int, size: int, offset: int) -> bytes:
        data = pread(file, size, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counted)
    with open_source(text) as image:
        before = sum(read)
        assert before < 20_000
        assert not registry.requests("GET", image.layers[0].descriptor.digest.hex)
        with image.open(image.layers[0]) as stream:
            stream.read(100)
        assert sum(read) - before <= 100


def test_a_path_needs_no_prefix(
    write: Callable[[str], str], open_source: Open, demo: Made, tmp_path: Path
) -> None:
    for form in ("layout", "oci-archive", "docker-archive", "docker-archive-25"):
        write(form)
        with open_source(str(tmp_path / form)) as image:
            assert image.config == demo.image.config
            assert str(tmp_path / form) in image.reference


def test_an_engine_without_the_image_says_how_to_get_it(open_source: Open) -> None:
    for program in ("docker", "podman"):
        with pytest.raises(NoImage, match=f"{program} has no such image") as caught:
            open_source(f"{program}:nothing:1").__enter__()
        assert caught.value.hint == f"{program} pull nothing:1"


def test_an_engines_export_is_shown_and_gone_afterwards(
    write: Callable[[str], str], open_source: Open, events: list[Any], tmp_path: Path
) -> None:
    text = write("docker")
    with open_source(text) as image:
        contents(image)
    (started,) = [one for one in events if isinstance(one, Started)]
    assert started == Started("save", f"docker:{REFERENCE}", 12345)
    moved = sum(one.bytes for one in events if isinstance(one, Advanced))
    assert moved == (tmp_path / "docker.tar").stat().st_size
    assert events[-1] == Finished("save", f"docker:{REFERENCE}", "done")


def test_a_broken_line_is_joined(
    write: Callable[[str], str], open_source: Open, registry: FakeRegistry, demo: Made
) -> None:
    text = write("registry")
    layer = demo.image.blobs[1]
    for fault in (
        RegistryFault(path=layer.digest.hex, truncate=500),
        RegistryFault(path=layer.digest.hex, truncate=900, ignore_range=True),
        RegistryFault(path=layer.digest.hex, status=503),
    ):
        registry.faults.append(fault)
    with open_source(text) as image:
        assert [hashlib.sha256(one).hexdigest() for one in contents(image, 333)] == [
            one.digest.hex for one in demo.image.blobs
        ]
    asked = registry.requests("GET", layer.digest.hex)
    assert [one.headers.get("range") for one in asked[1:]] == [
        "bytes=500-",
        "bytes=900-",
        "bytes=900-",
    ]
