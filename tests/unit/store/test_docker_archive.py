# SPDX-License-Identifier: Apache-2.0
"""Archives for ``docker load``: both kinds of reader find the same image, every byte verified."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelship.archive.entry import File, InMemory
from wheelship.oci.digest import Digest
from wheelship.oci.image import Image
from wheelship.oci.validate import problems_of_layout
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.errors import DamagedStore
from wheelship.store.store import Store
from wheelship.testing.image import make_image

REFERENCE = "localhost:5000/team/speech:1.0-cpu"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def image(store: Store) -> Image:
    contents = (b"base" * 1000, b"x" * 2_500_000, b"base" * 1000)
    return make_image(store, *([File(path="f", content=InMemory(data))] for data in contents))


def archive(image: Image, store: Store, counts: list[int] | None = None) -> bytes:
    out = io.BytesIO()
    write_docker_archive(
        out,
        manifest=image.manifest_bytes,
        config=image.config_bytes,
        layers=[
            (layer.descriptor.digest, store.blob(layer.descriptor.digest)) for layer in image.layers
        ],
        reference=REFERENCE,
        advance=None if counts is None else counts.append,
    )
    return out.getvalue()


def unpacked(data: bytes, folder: Path) -> dict[str, bytes]:
    """Return the files by name, written below ``folder`` too; 3.11.2 knows no filter."""
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            if (stream := tar.extractfile(member)) is not None:
                files[member.name] = stream.read()
                (folder / member.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / member.name).write_bytes(files[member.name])
    return files


def test_the_classic_store_finds_the_image(image: Image, store: Store, tmp_path: Path) -> None:
    """Traps §1.1: without ``manifest.json`` Docker's classic store refuses to load."""
    files = unpacked(archive(image, store), tmp_path / "out")
    (entry,) = json.loads(files["manifest.json"])
    assert entry["RepoTags"] == [REFERENCE]
    assert files[entry["Config"]] == image.config_bytes
    diff_ids = [str(layer.diff_id) for layer in image.layers]
    assert json.loads(files[entry["Config"]])["rootfs"]["diff_ids"] == diff_ids
    assert [Digest.of(files[name]) for name in entry["Layers"]] == [
        layer.descriptor.digest for layer in image.layers
    ]


def test_newer_engines_find_the_same_image(image: Image, store: Store, tmp_path: Path) -> None:
    """Traps §1.3: podman takes the OCI annotation, containerd its own; write both."""
    files = unpacked(archive(image, store), tmp_path / "out")
    assert problems_of_layout(tmp_path / "out") == []
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert entry["digest"] == str(image.descriptor.digest)
    assert entry["annotations"] == {
        "org.opencontainers.image.ref.name": "1.0-cpu",
        "io.containerd.image.name": REFERENCE,
    }


def test_each_blob_stands_there_once_as_a_plain_file(image: Image, store: Store) -> None:
    """Two equal layers are one blob; symlinks are refused by containerd 2 (traps §1.3)."""
    with tarfile.open(fileobj=io.BytesIO(archive(image, store)), mode="r:") as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert len(names) == len(set(names))
    assert {member.type for member in members} == {tarfile.REGTYPE, tarfile.DIRTYPE}
    assert len([name for name in names if name.startswith("blobs/sha256/")]) == 2 + 2
    assert names[:3] == ["oci-layout", "index.json", "manifest.json"]


def test_equal_images_give_equal_archives(image: Image, store: Store) -> None:
    assert archive(image, store) == archive(image, store)


def test_progress_adds_up(image: Image, store: Store) -> None:
    counts: list[int] = []
    data = archive(image, store, counts)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        assert sum(counts) == sum(member.size for member in tar)


@pytest.mark.parametrize("at", [0, -1])
def test_a_damaged_blob_does_not_get_out(image: Image, store: Store, at: int) -> None:
    """DESIGN §3: full hash whenever bytes stream."""
    path = store.blob(image.layers[1].descriptor.digest)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(DamagedStore, match="is damaged") as caught:
        archive(image, store)
    assert caught.value.where == str(path)
    assert "wheelship cache verify" in (caught.value.hint or "")
