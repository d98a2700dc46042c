# SPDX-License-Identifier: Apache-2.0
"""Images of several platforms: places that hold them all, and places that hold one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wheelship.archive.entry import File, InMemory
from wheelship.engine.client import Client, Program
from wheelship.events import Event, Warned, discard
from wheelship.oci.digest import Digest
from wheelship.oci.index import ImageIndex
from wheelship.oci.platform import Platform
from wheelship.oci.validate import problems_of_layout
from wheelship.sink.deliver import deliver
from wheelship.sink.engine import EngineSink
from wheelship.sink.model import Parcel, Tools, join_parcels
from wheelship.sink.output import ArchiveOutput, EngineOutput, LayoutOutput
from wheelship.sink.single import NoPlatformFits, single
from wheelship.store.layout import read_layout
from wheelship.store.read_archive import unpack_layout
from wheelship.testing.image import make_image

AMD64, ARM64 = Platform("amd64"), Platform("arm64")


@pytest.fixture
def told() -> set[Digest]:
    """What the other parcel was told of links."""
    return set()


@pytest.fixture
def other(load: Any, told: set[Digest]) -> Parcel:
    """The same image for arm64, with a layer of its own below."""
    pure = [File(path="f2", content=InMemory(b"app"))]
    image = make_image(
        load.store, [File(path="f0", content=InMemory(b"arm"))], pure, architecture="arm64"
    )
    return Parcel(
        image=image,
        reference="team/demo:cpu",
        blob=load.store.blob,
        linked=told.update,
    )


@pytest.fixture
def both(load: Any, other: Parcel) -> Parcel:
    return join_parcels([load.parcel(), other])


def test_one_parcel_stays_what_it_is(load: Any) -> None:
    parcel = load.parcel()
    assert join_parcels([parcel]) is parcel


def test_a_layout_holds_them_all(
    both: Parcel, load: Any, told: set[Digest], tmp_path: Path
) -> None:
    output = LayoutOutput(tmp_path / "dist")
    (done,) = deliver(both, [output], Tools(), discard)
    assert done.platforms == (AMD64, ARM64)
    assert done.digest == both.image.descriptor.digest
    assert load.linked == {one.digest for one in both.image.blobs}
    assert len(load.linked) == 4, "the layer that both have is linked once"
    assert told == load.linked, "a link alters the file for the records of both images"
    assert problems_of_layout(tmp_path / "dist") == []
    (again,) = deliver(both, [output], Tools(), discard)
    assert again.moved_bytes == 0


def test_an_oci_archive_holds_them_all(both: Parcel, tmp_path: Path) -> None:
    output = ArchiveOutput("oci-archive", tmp_path / "a.tar")
    (done,) = deliver(both, [output], Tools(native=AMD64), discard)
    assert done.platforms == (AMD64, ARM64)
    assert done.digest == both.image.descriptor.digest
    assert problems_of_layout(output.path) == []


@pytest.mark.parametrize("native", [AMD64, ARM64])
def test_a_docker_archive_gets_the_machine_s_own(
    both: Parcel, native: Platform, tmp_path: Path
) -> None:
    """Traps §1.1: what ``docker load`` finds in an index depends on its age."""
    events: list[Event] = []
    output = ArchiveOutput("docker-archive", tmp_path / "a.tar")
    (done,) = deliver(both, [output], Tools(native=native), events.append)
    assert done.platforms == (native,)
    assert problems_of_layout(output.path) == []
    unpack_layout(output.path, tmp_path / "out")
    assert read_layout(tmp_path / "out").config.platform == native
    (warning,) = [one for one in events if isinstance(one, Warned)]
    (left,) = {AMD64, ARM64} - {native}
    assert warning.code == "one-platform"
    assert f"gets {native}, and not {left}" in warning.message
    assert warning.hint is not None


def test_an_image_of_one_platform_goes_anywhere(other: Parcel, tmp_path: Path) -> None:
    """Engines run images of another architecture under emulation; who asks for one gets it."""
    events: list[Event] = []
    output = ArchiveOutput("docker-archive", tmp_path / "a.tar")
    (done,) = deliver(other, [output], Tools(native=AMD64), events.append)
    assert done.platforms == (ARM64,)
    assert not [one for one in events if isinstance(one, Warned)]


@pytest.mark.parametrize("wanted", ["linux/riscv64", "windows/amd64", "linux/arm/v7", ""])
def test_none_that_fits_is_an_error_with_a_way_out(both: Parcel, wanted: str) -> None:
    with pytest.raises(NoPlatformFits, match="linux/amd64, linux/arm64") as caught:
        single(both, wanted, "docker", discard)
    assert "--platform linux/amd64" in (caught.value.hint or "")


ENGINE = """#!/bin/sh
echo "$*" >>{calls}
case "$1 $2" in
"version --format"|"info --format")
    case "$3" in
    *Arch*) echo {platform};;
    *) echo Debian;;
    esac;;
"image inspect") cat {known} 2>/dev/null || exit 1;;
"image rm"|"tag "*) ;;
"load "*) cat >/dev/null; echo {answer} >{known}; echo "Loaded image: team/demo:cpu";;
*) exit 1;;
esac
"""


@pytest.mark.parametrize("program", ["docker", "podman"])
@pytest.mark.parametrize(("platform", "chosen"), [("linux/arm64", ARM64), ("linux/amd64", AMD64)])
def test_an_engine_gets_its_own_wherever_it_runs(
    both: Parcel, program: Program, platform: str, chosen: Platform, tmp_path: Path
) -> None:
    """The daemon may be on a machine of another architecture than this one."""
    assert isinstance(both.image, ImageIndex)
    image = both.image.find(chosen)
    assert image is not None
    config = Digest.of(image.config_bytes)
    path = tmp_path / program
    words = {"calls": tmp_path / "calls", "known": tmp_path / "known", "platform": platform}
    answer = str(config) if program == "docker" else config.hex
    path.write_text(ENGINE.format(answer=answer, **words))
    path.chmod(0o755)
    client = Client(path, {"PATH": "/usr/bin:/bin"}, program)
    events: list[Event] = []
    done = EngineSink(EngineOutput(program), client).deliver(both, events.append)
    assert (done.method, done.platforms) == ("loaded", (chosen,))
    warned = [one.code for one in events if isinstance(one, Warned)]
    assert "one-platform" in warned


def test_places_get_the_same_index(both: Parcel, tmp_path: Path) -> None:
    """A digest that is written down is right for every place."""
    outputs = [LayoutOutput(tmp_path / "dist"), ArchiveOutput("oci-archive", tmp_path / "a.tar")]
    first, second = deliver(both, outputs, Tools(), discard)
    assert first.digest == second.digest
    (entry,) = json.loads((tmp_path / "dist/index.json").read_bytes())["manifests"]
    assert entry["digest"] == str(first.digest)
