# SPDX-License-Identifier: Apache-2.0
"""What a base image must be, what is found in it, and what it costs to look."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wheelship.archive.untar import InvalidLayer
from wheelship.base.errors import (
    BaseLacksPython,
    BaseOccupied,
    BaseTooOld,
    ForeignArchitecture,
    InvalidBase,
    InvalidBaseLock,
    NotGlibc,
    UnusableLayer,
)
from wheelship.base.layout import LayoutSource
from wheelship.base.locking import fetch_layer, lock_image
from wheelship.base.model import BaseImage, files_key
from wheelship.events import Event, Finished
from wheelship.oci.descriptor import LAYER_GZIP, LAYER_TAR, LAYER_ZSTD, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.store.store import Store
from wheelship.testing.base import BASE_FILES, Content, MadeBase, make_program

AMD64 = Platform(architecture="amd64")
REFERENCE = "registry.example.org/team/base:1"
DOCKER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def lock(made: MadeBase, store: Store, python: str = "3.11") -> BaseImage:
    events: list[Event] = []
    image = lock_image(REFERENCE, AMD64, python, made, store, events.append)
    detail = f"Python {python}.2, sha256:{image.digest.hex[:12]}"
    assert events[-1] == Finished("resolve", f"base {REFERENCE}", "done", detail)
    return image


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_everything_a_plan_needs_is_found(store: Store) -> None:
    made = MadeBase(
        BASE_FILES,
        {"etc/group": b"root:x:0:\nstaff:x:50:\n"},
        config={"Env": ["PATH=/usr/bin", "LANG=C.UTF-8"], "Labels": {"org.example.a": "b"}},
        history=[
            {"created": "2024-01-01T00:00:00Z", "created_by": "ADD root"},
            {"created": "2024-01-02T00:00:00Z", "created_by": "ENV", "empty_layer": True},
            {"created": "2024-01-03T00:00:00Z", "created_by": "COPY group"},
        ],
    )
    image = lock(made, store)
    assert image.digest == Digest.of(made.manifest)
    assert image.config == Digest.of(made.config)
    assert [one.descriptor for one in image.layers] == list(made.layers)
    assert [one.diff_id for one in image.layers] == [Digest.of(tar) for tar in made.tars]
    assert [one.unpacked_bytes for one in image.layers] == [len(tar) for tar in made.tars]
    assert [one.created_by for one in image.layers] == ["ADD root", "COPY group"]
    python = image.python
    assert (python.path, python.version, python.minor) == ("/usr/bin/python3.11", "3.11.2", "3.11")
    assert python.library == "/usr/lib/python3.11"
    assert python.loader == "/usr/lib64/ld-linux-x86-64.so.2"
    assert python.glibc == "2.36"
    assert dict(image.env) == {"PATH": "/usr/bin", "LANG": "C.UTF-8"}
    assert dict(image.labels) == {"org.example.a": "b"}
    assert image.passwd == "root:x:0:0:root:/root:/bin/sh\n"
    assert image.group == "root:x:0:\nstaff:x:50:\n"
    assert dict(image.links) == {"bin": "usr/bin", "lib64": "usr/lib64"}


def test_the_list_of_files_is_remembered(store: Store) -> None:
    image = lock(MadeBase(BASE_FILES, {"etc/.wh.group": b""}), store)
    known, rows = store.marked(files_key(image))
    kinds = {path: kind for path, kind, _ in rows}
    assert known
    assert kinds["etc/passwd"] == "f"
    assert kinds["etc"] == "d"
    assert kinds["bin"] == "l"
    assert "etc/group" not in kinds
    assert image.group is None


def test_layers_are_fetched_once(store: Store) -> None:
    made = MadeBase(BASE_FILES, {"a": b"1"})
    image = lock(made, store)
    assert len(made.fetched) == 2
    assert lock(made, store) == image
    assert len(made.fetched) == 2, "they are in the store"
    for layer in image.layers:
        path = fetch_layer(layer, lambda: made, store)
        assert path == store.blob(layer.digest)
        assert path.read_bytes() == made.blobs[layer.digest]
    assert len(made.fetched) == 2
    store.blob(image.layers[1].digest).unlink()
    fetch_layer(image.layers[1], lambda: made, store)
    assert made.fetched[2:] == [image.layers[1].digest]


def test_an_image_that_is_known_is_not_read_again(store: Store) -> None:
    made = MadeBase()
    image = lock(made, store)
    events: list[Event] = []
    kept = replace(image, env=(("KEPT", "yes"),))
    again = lock_image(REFERENCE, AMD64, "3.11", made, store, events.append, known=kept)
    assert again is kept
    assert events[-1] == Finished("resolve", f"base {REFERENCE}", "reused")
    other = MadeBase(BASE_FILES, {"new": b"1"})
    assert len(lock_image(REFERENCE, AMD64, "3.11", other, store, str, known=kept).layers) == 2


def test_a_layer_that_occurs_twice_is_fetched_once(store: Store) -> None:
    empty: dict[str, Content] = {"srv/": None}
    made = MadeBase(BASE_FILES, empty, empty)
    image = lock(made, store)
    assert len(made.fetched) == 2
    assert [one.digest for one in image.layers] == [one.digest for one in made.layers]


def test_another_process_may_be_first(store: Store) -> None:
    made = MadeBase()
    image = lock(made, store)
    (layer,) = image.layers

    class Racing(MadeBase):
        def blob(self, blob: Descriptor, destination: Path) -> None:
            super().blob(blob, destination)
            record = store.blob(layer.digest)
            record.write_bytes(made.blobs[layer.digest])

    store.blob(layer.digest).unlink()
    path = fetch_layer(layer, Racing, store)
    assert path == store.blob(layer.digest)
    assert list((store.root / "downloads").iterdir()) == []


def test_a_layer_that_cannot_be_had_ends_it(store: Store) -> None:
    made = MadeBase(BASE_FILES, {"a": b"1"})
    del made.blobs[made.layers[1].digest]
    with pytest.raises(KeyError):
        lock(made, store)
    assert store.find_layer(Digest.of(b"x")) is None


def test_the_form_in_the_lock_is_complete(store: Store) -> None:
    image = lock(MadeBase(), store)
    text = json.dumps(image.to_json())
    assert BaseImage.from_json(json.loads(text)) == image


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("python", "path"), "/usr/../bin/python3.11"),
        (("python", "path"), "usr/bin/python3.11"),
        (("python", "library"), "/usr/lib//python3.11"),
        (("python", "version"), "3.11.2; rm"),
        (("python", "glibc"), "3.0"),
        (("python", "build"), "sha256:abc"),
        (("platform",), "windows/amd64"),
        (("layers", 0, "digest"), "../../etc"),
        (("layers", 0, "size_bytes"), "12"),
        (("layers", 0, "size_bytes"), 0),
        (("layers", 0, "media_type"), "text/html\n"),
        (("layers",), []),
        (("env",), {"A": 1}),
        (("links", "bin"), "../outside"),
    ],
)
def test_a_lock_that_was_tampered_with_is_refused(
    store: Store, place: tuple[str | int, ...], value: object
) -> None:
    document: Any = lock(MadeBase(), store).to_json()
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(InvalidBaseLock) as caught:
        BaseImage.from_json(document)
    assert caught.value.hint


@pytest.mark.parametrize("media_type", [LAYER_GZIP, LAYER_TAR, DOCKER_GZIP])
def test_media_types_are_ocis(store: Store, media_type: str) -> None:
    made = MadeBase(media_type=media_type)
    image = lock(made, store)
    expected = LAYER_TAR if media_type == LAYER_TAR else LAYER_GZIP
    assert [one.media_type for one in image.layers] == [expected]
    assert [one.digest for one in image.layers] == [one.digest for one in made.layers]


@pytest.mark.parametrize(
    ("media_type", "message"),
    [
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "encrypted"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "not to be distributed"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "not to be distributed"),
        ("application/vnd.example", "not known"),
    ],
)
def test_layers_that_cannot_be_used_are_refused_before_a_byte_is_fetched(
    store: Store, media_type: str, message: str
) -> None:
    made = MadeBase(media_type=media_type)
    with pytest.raises(UnusableLayer, match=message) as caught:
        lock(made, store)
    assert caught.value.hint
    assert made.fetched == []


def test_a_base_in_zstd_is_read_and_stays_as_it_is(store: Store) -> None:
    made = MadeBase(media_type=LAYER_ZSTD)
    image = lock(made, store)
    assert [(one.media_type, one.digest) for one in image.layers] == [
        (LAYER_ZSTD, one.digest) for one in made.layers
    ]
    assert [one.unpacked_bytes for one in image.layers] == [len(one) for one in made.tars]


def program(*texts: str, **options: str) -> dict[str, Content]:
    return {**BASE_FILES, "usr/bin/python3.11": make_program(*texts, **options)}


def without(*paths: str) -> dict[str, Content]:
    return {path: content for path, content in BASE_FILES.items() if path not in paths}


LIBC = "usr/lib/x86_64-linux-gnu/libc.so.6"
SHARED = {
    **program("libpython3.11.so.1.0"),
    "usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0": make_program("3.11.9", loader=""),
}


@pytest.mark.parametrize(
    ("files", "error", "message", "hint"),
    [
        (without("usr/bin/python3", "usr/bin/python3.11"), BaseLacksPython, "no Python", "slim"),
        (
            {**without("usr/bin/python3.11"), "usr/bin/python3.12": make_program("3.12.1")},
            BaseLacksPython,
            "leads to Python 3.12",
            'python = "3.12"',
        ),
        (without("usr/lib/python3.11/os.py"), BaseLacksPython, "no standard library", "complete"),
        (program("no version"), BaseLacksPython, "exact version", "choose"),
        (program("3.11.2", "3.11.7"), BaseLacksPython, "exact version", "choose"),
        (program("libpython3.11.so.1.0"), BaseLacksPython, "which is not there", None),
        (program("3.11.2", architecture="arm64"), ForeignArchitecture, "for arm64", "tag"),
        (program("3.11.2", architecture="riscv64"), ForeignArchitecture, "machine 243", "tag"),
        (program("3.11.2", loader="/lib/ld-musl-x86_64.so.1"), NotGlibc, "musl", "slim"),
        (program("3.11.2", loader="/lib64/ld-other.so"), NotGlibc, "ld-other", "glibc"),
        (program("3.11.2", loader=""), NotGlibc, "none", "glibc"),
        (without(LIBC), NotGlibc, "no C library", None),
        (
            {**BASE_FILES, LIBC: make_program("GNU C Library (x) stable release version 2.12.")},
            BaseTooOld,
            "2.12",
            "newer",
        ),
        ({**BASE_FILES, "opt/venv/bin/python": b"x"}, BaseOccupied, "/opt/venv", "made from"),
        ({**BASE_FILES, "opt/wheelship/a": b"x"}, BaseOccupied, "/opt/wheelship", "made from"),
        ({**BASE_FILES, "opt": "-> usr"}, BaseOccupied, "/opt is no directory", None),
    ],
)
def test_what_cannot_be_built_on_is_refused_with_the_way_out(
    store: Store, files: dict[str, Content], error: type[Exception], message: str, hint: str | None
) -> None:
    with pytest.raises(error, match=message) as caught:
        lock(MadeBase(files), store)
    assert getattr(caught.value, "where", None)
    if hint is not None:
        assert hint in str(getattr(caught.value, "hint", ""))


def test_a_program_that_is_a_frame_around_the_shared_library(store: Store) -> None:
    """As Docker's official images have it."""
    image = lock_image(REFERENCE, AMD64, "3.11", MadeBase(SHARED), store, lambda _: None)
    assert image.python.version == "3.11.9"
    other = dict(SHARED)
    name = "usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"
    other[name] = make_program("3.11.9", "patched", loader="")
    patched = lock_image(REFERENCE, AMD64, "3.11", MadeBase(other), store, lambda _: None)
    assert patched.python.build != image.python.build


@pytest.mark.parametrize("text", ["3.11.0rc1", "3.11.0+"])
def test_versions_that_are_no_plain_releases(store: Store, text: str) -> None:
    made = MadeBase(program(text))
    image = lock_image(REFERENCE, AMD64, "3.11", made, store, lambda _: None)
    assert image.python.version == text.rstrip("+")


def test_the_first_python_on_path_is_taken(store: Store) -> None:
    files: dict[str, Content] = {
        **BASE_FILES,
        "usr/local/bin/python3": "-> python3.11",
        "usr/local/bin/python3.11": make_program("3.11.9"),
        "usr/local/lib/python3.11/os.py": b"",
    }
    order = {"Env": ["PATH=/usr/local/bin:/usr/bin"]}
    first = lock_image(REFERENCE, AMD64, "3.11", MadeBase(files, config=order), store, str)
    assert first.python.path == "/usr/local/bin/python3.11"
    assert first.python.library == "/usr/local/lib/python3.11"
    other = {"Env": ["PATH=/usr/bin:/usr/local/bin"]}
    second = lock_image(REFERENCE, AMD64, "3.11", MadeBase(files, config=other), store, str)
    assert second.python.path == "/usr/bin/python3.11"


def test_a_configuration_for_another_architecture_is_refused(store: Store) -> None:
    made = MadeBase(architecture="arm64")
    with pytest.raises(ForeignArchitecture, match="is for arm64"):
        lock(made, store)
    assert made.fetched == []


def test_a_configuration_for_other_layers_is_refused(store: Store) -> None:
    made = MadeBase(BASE_FILES, {"a": b""})
    document = json.loads(made.config)
    document["rootfs"]["diff_ids"].pop()
    made.config = json.dumps(document).encode()
    with pytest.raises(InvalidBase, match="2 layers, and its configuration names 1"):
        lock(made, store)


def test_a_layer_that_unpacks_to_something_else_is_refused(store: Store) -> None:
    made = MadeBase()
    document = json.loads(made.config)
    document["rootfs"]["diff_ids"] = [str(Digest.of(b"other"))]
    made.config = json.dumps(document).encode()
    with pytest.raises(InvalidLayer, match="hashes to"):
        lock(made, store)


def test_history_that_does_not_match_is_left_out(store: Store) -> None:
    made = MadeBase(history=[{"created_by": "a"}, {"created_by": "b"}])
    assert [one.created_by for one in lock(made, store).layers] == [""]


def test_a_layout_on_disk(tmp_path: Path, store: Store) -> None:
    made = MadeBase(BASE_FILES, {"a": b"1"})
    made.write_layout(tmp_path / "layout", tag="one")
    source = LayoutSource(tmp_path / "layout", "one")
    image = lock_image("oci:layout:one", AMD64, "3.11", source, store, lambda _: None)
    assert image.name == ""
    assert image.digest == Digest.of(made.manifest)
    assert [one.descriptor for one in image.layers] == list(made.layers)
    assert LayoutSource(tmp_path / "layout").image(AMD64).digest == image.digest
    with pytest.raises(InvalidBase, match="0 images called 'two'"):
        LayoutSource(tmp_path / "layout", "two").image(AMD64)
    with pytest.raises(InvalidBase, match="cannot be read"):
        LayoutSource(tmp_path / "nothing").image(AMD64)


def test_a_damaged_layout_leaves_nothing_behind(tmp_path: Path, store: Store) -> None:
    made = MadeBase()
    made.write_layout(tmp_path / "layout")
    (descriptor,) = made.layers
    blob = tmp_path / "layout" / "blobs" / "sha256" / descriptor.digest.hex
    blob.write_bytes(b"x" * descriptor.size_bytes)
    with pytest.raises(InvalidBase, match="damaged blob"):
        LayoutSource(tmp_path / "layout").blob(descriptor, store.download(descriptor.digest.hex))
    assert list((store.root / "downloads").iterdir()) == []
