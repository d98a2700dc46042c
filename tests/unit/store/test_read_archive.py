# SPDX-License-Identifier: Apache-2.0
"""Archives, read: our own come back as they went, and what others put in them stays there."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from wheelship.archive.entry import File, InMemory
from wheelship.oci.image import Image
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.errors import InvalidLayout
from wheelship.store.layout import read_layout
from wheelship.store.oci_archive import write_oci_archive
from wheelship.store.read_archive import unpack_layout
from wheelship.store.store import Store
from wheelship.testing.image import make_image

REFERENCE = "team/demo:cpu"


@pytest.fixture
def written(tmp_path: Path) -> tuple[Image, Path, Path]:
    """An image, its OCI archive and its docker archive."""
    store = Store(tmp_path / "store")
    image = make_image(store, [File(path="a", content=InMemory(b"a" * 100_000))])
    layers = [(one.digest, store.blob(one.digest)) for one in image.blobs]
    oci, docker = tmp_path / "oci.tar", tmp_path / "docker.tar"
    with oci.open("wb") as out:
        write_oci_archive(out, image, layers, REFERENCE)
    with docker.open("wb") as out:
        write_docker_archive(
            out,
            manifest=image.manifest_bytes,
            config=image.config_bytes,
            layers=layers,
            reference=REFERENCE,
        )
    return image, oci, docker


@pytest.mark.parametrize("which", [1, 2])
def test_what_was_written_is_read(
    written: tuple[Image, Path, Path], which: int, tmp_path: Path
) -> None:
    unpack_layout(Path(str(written[which])), tmp_path / "out")
    stored = read_layout(tmp_path / "out", "cpu")
    assert stored.manifest == written[0].manifest_bytes
    assert stored.blobs == written[0].blobs


def test_other_members_stay_in_the_archive(
    written: tuple[Image, Path, Path], tmp_path: Path
) -> None:
    """Names that lead out, links and devices: none of them is part of a layout."""
    with tarfile.open(written[1], "a") as tar:
        for name, kind in (
            ("../outside", tarfile.REGTYPE),
            ("blobs/sha256/../../../outside", tarfile.REGTYPE),
            (f"blobs/sha256/{'0' * 64}", tarfile.SYMTYPE),
            (f"blobs/sha256/{'1' * 64}", tarfile.CHRTYPE),
            ("blobs/sha256/short", tarfile.REGTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO())
    unpack_layout(written[1], tmp_path / "in" / "out")
    assert not list(tmp_path.rglob("outside"))
    names = {path.name for path in (tmp_path / "in/out/blobs/sha256").iterdir()}
    assert len(names) == 3
    assert names.isdisjoint({"0" * 64, "1" * 64, "short"})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_a_part_of_an_archive_is_no_image(
    written: tuple[Image, Path, Path], share: float, tmp_path: Path
) -> None:
    data = written[1].read_bytes()
    part = tmp_path / "part.tar"
    part.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InvalidLayout):
        unpack_layout(part, tmp_path / "out")
        read_layout(tmp_path / "out")


def test_an_archive_without_a_layout_says_how_to_get_one(tmp_path: Path) -> None:
    old = tmp_path / "old.tar"
    with tarfile.open(old, "w") as tar:
        tar.addfile(tarfile.TarInfo("manifest.json"), io.BytesIO())
    with pytest.raises(InvalidLayout, match="no OCI layout") as caught:
        unpack_layout(old, tmp_path / "out")
    assert f"skopeo copy docker-archive:{old}" in (caught.value.hint or "")
