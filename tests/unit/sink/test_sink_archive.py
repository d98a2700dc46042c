# SPDX-License-Identifier: Apache-2.0
"""Archives: the same bytes each time, valid for the oracle, and nothing half-written."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from wheelship.events import Advanced, Event, discard
from wheelship.oci.validate import problems_of_layout
from wheelship.sink.deliver import deliver
from wheelship.sink.model import Tools
from wheelship.sink.output import ArchiveKind, ArchiveOutput, InvalidOutput
from wheelship.store.errors import DamagedStore
from wheelship.store.layout import read_layout

KINDS: tuple[ArchiveKind, ...] = ("oci-archive", "docker-archive")


def write(load: Any, kind: ArchiveKind, path: Path, reference: str = "r/demo:cpu") -> bytes:
    deliver(load.parcel(reference), [ArchiveOutput(kind, path)], Tools(), discard)
    return path.read_bytes()


def unpack(data: bytes, directory: Path) -> list[str]:
    names = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            names.append(member.name)
            if (stream := archive.extractfile(member)) is not None:
                (directory / member.name).parent.mkdir(parents=True, exist_ok=True)
                (directory / member.name).write_bytes(stream.read())
            else:
                assert member.isdir(), member.name
    return names


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_a_valid_layout_of_the_image(
    load: Any, kind: ArchiveKind, tmp_path: Path
) -> None:
    names = unpack(write(load, kind, tmp_path / "a.tar"), tmp_path / "out")
    assert problems_of_layout(tmp_path / "out") == []
    assert read_layout(tmp_path / "out", "cpu").manifest == load.image.manifest_bytes
    assert ("manifest.json" in names) == (kind == "docker-archive")
    assert len(names) == len(set(names))
    (entry,) = json.loads((tmp_path / "out/index.json").read_bytes())["manifests"]
    assert entry["annotations"] == {
        "org.opencontainers.image.ref.name": "cpu",
        "io.containerd.image.name": "r/demo:cpu",
    }


def test_an_oci_archive_says_what_the_image_is_for(load: Any, tmp_path: Path) -> None:
    unpack(write(load, "oci-archive", tmp_path / "a.tar"), tmp_path / "out")
    (entry,) = json.loads((tmp_path / "out/index.json").read_bytes())["manifests"]
    assert entry["platform"] == {"architecture": "amd64", "os": "linux"}
    assert entry["digest"] == str(load.image.descriptor.digest)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_images_give_equal_bytes(load: Any, kind: ArchiveKind, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        first = write(load, kind, tmp_path / "a.tar")
    finally:
        os.umask(umask)
    for layer in load.image.blobs:
        os.utime(load.store.blob(layer.digest), (1, 1))
    assert write(load, kind, tmp_path / "elsewhere" / "b.tar") == first
    assert write(load, kind, tmp_path / "c.tar", "r/demo:other") != first, "the name is in it"
    assert (tmp_path / "a.tar").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [0, 2])
def test_a_damaged_layer_does_not_get_out(
    load: Any, kind: ArchiveKind, number: int, tmp_path: Path
) -> None:
    before = write(load, kind, tmp_path / "a.tar")
    load.damage(number)
    with pytest.raises(DamagedStore, match="is damaged"):
        write(load, kind, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == before, "the older image is still there"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.tar", "store"]


def test_a_layer_that_is_gone_is_an_error_with_a_fix(load: Any, tmp_path: Path) -> None:
    load.store.blob(load.image.blobs[1].digest).unlink()
    with pytest.raises(DamagedStore, match="lost the blob") as caught:
        write(load, "oci-archive", tmp_path / "a.tar")
    assert "run the same command again" in (caught.value.hint or "")


def test_what_is_no_file_is_not_replaced(load: Any, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("directory", "pipe"):
        with pytest.raises(InvalidOutput) as caught:
            write(load, "docker-archive", tmp_path / name)
        assert str(tmp_path / name) in (caught.value.where or "")
    (tmp_path / "link.tar").symlink_to(tmp_path / "real.tar")
    write(load, "docker-archive", tmp_path / "link.tar")
    assert (tmp_path / "link.tar").is_symlink()
    assert not (tmp_path / "real.tar").is_symlink()


def test_progress_comes_in_pieces(load: Any, tmp_path: Path) -> None:
    events: list[Event] = []
    output = ArchiveOutput("oci-archive", tmp_path / "a.tar")
    (done,) = deliver(load.parcel(), [output], Tools(), events.append)
    assert done.moved_bytes == (tmp_path / "a.tar").stat().st_size
    told = sum(one.bytes for one in events if isinstance(one, Advanced))
    assert told > sum(one.size_bytes for one in load.image.blobs)
