# SPDX-License-Identifier: Apache-2.0
"""Store and layout on real file systems: full, read-only, and not the same one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelship.archive.entry import File, InMemory
from wheelship.oci.digest import Digest
from wheelship.oci.validate import problems_of_layout
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.errors import DiskFull, NotWritable, disk_errors
from wheelship.store.layout import read_layout
from wheelship.store.layout_writer import write_layout
from wheelship.store.store import Store
from wheelship.testing.image import make_image

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
Mount = Callable[..., Path]


@pytest.fixture
def mount(
    tmp_path: Path, missing: Callable[[str], None], tool: Callable[[str], str]
) -> Iterator[Mount]:
    """Mount a memory file system of some size; root may do that on most machines."""
    mounted: list[Path] = []

    def make(name: str, *options: str) -> Path:
        path = tmp_path / name
        path.mkdir()
        command = [tool("mount"), "-t", "tmpfs", "-o", ",".join(options) or "rw", "tmpfs", path]
        result = subprocess.run(command, capture_output=True, check=False, text=True)
        if result.returncode != 0:
            missing(f"cannot mount a tmpfs: {result.stderr.strip()}")
        mounted.append(path)
        return path

    yield make
    for path in mounted:
        subprocess.run([tool("umount"), path], check=True)


def noise(size: int) -> list[File]:
    return [File(path="noise", content=InMemory(os.urandom(size)))]


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_full_disk_leaves_the_store_as_it_was(mount: Mount) -> None:
    """DESIGN §11: exit 5, nothing half-written; the next run works once there is space."""
    root = mount("disk", "size=4m")
    store = Store(root / "store")
    make_image(store, noise(MIB))
    before = files(root)
    with pytest.raises(DiskFull, match="No space left on device"):
        make_image(store, noise(MIB // 10), noise(6 * MIB))
    after = files(root)
    assert {path for path in before - after if "layers" not in path} == set()
    assert not any("tmp" in path for path in after)
    for blob in (store.root / "blobs/sha256").iterdir():
        assert Digest.of(blob.read_bytes()).hex == blob.name
    make_image(store, noise(MIB // 2))
    store.close()


def test_a_full_disk_does_not_move_a_tag(tmp_path: Path, mount: Mount) -> None:
    """DESIGN §11: a tag moves only when everything it names is there."""
    store = Store(tmp_path / "store")
    small, large = make_image(store, noise(MIB)), make_image(store, noise(5 * MIB))
    target = mount("disk", "size=4m") / "dist"
    write_layout(target, small, "a", store.blob)
    with pytest.raises(DiskFull):
        write_layout(target, large, "a", store.blob)
    assert read_layout(target, "a").digest == small.descriptor.digest
    assert problems_of_layout(target) == []
    assert not [path for path in files(target) if ".new-" in path]


def test_across_file_systems_blobs_are_copied_once(tmp_path: Path, mount: Mount) -> None:
    """DESIGN §3: hard links from the store, copies across file systems."""
    store = Store(tmp_path / "store")
    image = make_image(store, noise(MIB), noise(100))
    target = mount("disk") / "dist"
    assert write_layout(target, image, "a", store.blob) == frozenset()
    assert problems_of_layout(target) == []
    blobs = {path.name: path.stat().st_ino for path in (target / "blobs/sha256").iterdir()}
    assert write_layout(target, image, "a", store.blob) == frozenset()
    assert blobs == {path.name: path.stat().st_ino for path in (target / "blobs/sha256").iterdir()}


def test_a_read_only_store_serves_and_refuses(
    tmp_path: Path, mount: Mount, tool: Callable[[str], str]
) -> None:
    """What is there is found; what would be written is refused with the way out."""
    root = mount("disk")
    store = Store(root / "store")
    image = make_image(store, noise(MIB))
    store.close()
    key = Digest.of(b"layer 0")
    record = store.find_layer(key)
    blob = store.blob(image.layers[0].descriptor.digest)
    (root / "link").hardlink_to(blob)  # its change time differs from the recorded one now
    subprocess.run([tool("mount"), "-o", "remount,ro", root], check=True)
    again = Store(root / "store")
    assert again.find_layer(key) == record
    assert again.find_layer(key) is not None
    write_layout(tmp_path / "dist", image, "a", again.blob)
    assert problems_of_layout(tmp_path / "dist") == []
    with pytest.raises(NotWritable, match="Read-only file system") as caught:
        make_image(again, noise(10))
    assert "--store" in (caught.value.hint or "")
    with pytest.raises(NotWritable):
        Store(root / "other")
    with pytest.raises(NotWritable):
        write_layout(root / "dist", image, "a", again.blob)


def test_a_full_disk_stops_a_docker_archive(tmp_path: Path, mount: Mount) -> None:
    store = Store(tmp_path / "store")
    image = make_image(store, noise(5 * MIB))
    root = mount("disk", "size=2m")
    layers = [(one.descriptor.digest, store.blob(one.descriptor.digest)) for one in image.layers]
    with pytest.raises(DiskFull), disk_errors(root), (root / "image.tar").open("wb") as out:
        write_docker_archive(
            out,
            manifest=image.manifest_bytes,
            config=image.config_bytes,
            layers=layers,
            reference="demo:1",
        )
