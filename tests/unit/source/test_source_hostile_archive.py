# SPDX-License-Identifier: Apache-2.0
"""Archives that are damaged, foreign or hostile: each is an error, and nothing is ever written."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wheelship.errors import InputError
from wheelship.source.errors import InvalidImage, NoImage, UnsupportedImage
from wheelship.source.extent import Extent, regular_file
from wheelship.source.members import read_members
from wheelship.source.model import ImageSource
from wheelship.testing.image_forms import (
    Made,
    contents,
    docker_members,
    index_of,
    layout_members,
    write_tar,
)

Open = Callable[..., AbstractContextManager[ImageSource]]
BLOCK = 512


def header(name: str, *, size: int = 0, kind: bytes = b"0", raw_size: bytes = b"") -> bytes:
    """Return a tar header that may claim anything."""
    member = tarfile.TarInfo(name)
    block = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = raw_size or b"%011o\0" % size
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def layout_tar(demo: Made, path: Path) -> bytes:
    entry = demo.image.descriptor.to_json()
    return write_tar(path, layout_members(index_of(entry), demo.documents)).read_bytes()


def refusal(text: str, open_source: Open, kind: type[InputError] = InvalidImage) -> InputError:
    """Read everything; return the error that must come."""
    with pytest.raises(kind) as caught, open_source(text) as image:
        contents(image)
    assert str(caught.value.where or "").isprintable()
    assert caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_an_archive_cut_anywhere_is_refused(
    form: str, demo: Made, tmp_path: Path, open_source: Open
) -> None:
    """At each block's edge and beside it: no cut leaves something that passes for the image."""
    path = tmp_path / "cut.tar"
    if form == "oci":
        data = layout_tar(demo, path)
    else:
        data = write_tar(path, docker_members(demo, demo.tars)).read_bytes()
    end = len(data.rstrip(b"\0"))
    end = -(-end // BLOCK) * BLOCK  # where the padding begins that tarfile ends archives with
    cuts = {at + shift for at in range(0, end + 1, BLOCK * 3) for shift in (-1, 0, 1, 100)}
    for cut in sorted({*cuts, end, 0}):
        if 0 <= cut <= end:
            path.write_bytes(data[:cut])
            refusal(str(path), open_source, InputError)
    path.write_bytes(data[: end + BLOCK])
    with open_source(str(path)) as image:
        assert len(contents(image)) == 2, "one block of the end is enough"


@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_an_error_or_changes_nothing(
    position: float, value: int, demo: Made, tmp_path: Path, open_source: Open
) -> None:
    path = tmp_path / "changed.tar"
    data = bytearray(layout_tar(demo, path))
    data[int(position * len(data))] ^= value
    path.write_bytes(data)
    try:
        with open_source(f"oci-archive:{path}") as image:
            found = contents(image)
    except InputError:
        return
    assert found == [demo.blobs[str(one.digest)] for one in demo.image.blobs]
    assert image.config_bytes == demo.image.config_bytes


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"", InvalidImage, "no tar archive, and empty"),
        (b"short", InvalidImage, "no tar archive"),
        (b"\x7fELF" + bytes(2000), InvalidImage, "no tar archive"),
        (b"\xff" * 5000, InvalidImage, "no tar archive"),
        (bytes(10240), NoImage, "holds no image"),
        (b"\xfd7zXZ\0" + bytes(100), UnsupportedImage, "not with gzip"),
        (b"BZh9" + bytes(100), UnsupportedImage, "not with gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), UnsupportedImage, "not with gzip"),
        (gzip.compress(b"text" * 500, mtime=0), InvalidImage, "no tar archive"),
        (gzip.compress(bytes(10240), mtime=0)[:-9], InvalidImage, "ends inside its gzip stream"),
        (gzip.compress(bytes(10240), mtime=0) + b"garbage", InvalidImage, "behind its gzip stream"),
        (b"\x1f\x8b" + bytes(100), InvalidImage, "cannot be inflated"),
    ],
)
def test_what_is_no_archive_is_called_so(
    data: bytes, kind: type[InputError], message: str, tmp_path: Path, open_source: Open
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert message in refusal(str(path), open_source, kind).message


def test_a_zip_is_no_archive_of_an_image(tmp_path: Path, open_source: Open) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as out:
        out.writestr("index.json", index_of())
    assert "no tar archive" in refusal(str(tmp_path / "x.whl"), open_source).message


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("../index.json", None),
        ("/index.json", None),
        ("a/../../index.json", None),
        ("index.json", "../../outside.json"),
        ("index.json", "../outside.json"),
        ("index.json", "/etc/hostname"),
        ("index.json", "=../outside.json"),
    ],
)
def test_names_and_links_that_lead_outside_lead_nowhere(
    name: str, target: str | None, demo: Made, tmp_path: Path, open_source: Open
) -> None:
    """With the right index in its place each of these would be an image."""
    index = index_of(demo.image.descriptor.to_json())
    (tmp_path / "outside.json").write_bytes(index)
    members = dict(layout_members(index, demo.documents))
    del members["index.json"]
    path = write_tar(tmp_path / "x.tar", [*members.items(), (name, target or index)])
    assert "neither index.json nor" in refusal(str(path), open_source, NoImage).message
    ours = {"docker", "podman", "workspace"}  # the fixtures'
    assert {one.name for one in tmp_path.rglob("*")} - ours == {"outside.json", "x.tar"}


@pytest.mark.parametrize("layer", ["../../etc/passwd", "/etc/passwd", "config.json/../../x"])
def test_a_layer_outside_is_not_there(
    layer: str, demo: Made, tmp_path: Path, open_source: Open
) -> None:
    members = dict(docker_members(demo, demo.tars))
    rows = json.loads(members["manifest.json"])
    right, rows[0]["Layers"][0] = rows[0]["Layers"][0], layer
    members |= {"manifest.json": json.dumps(rows).encode(), layer: members[right]}
    path = write_tar(tmp_path / "x.tar", list(members.items()))
    assert "lacks the layer" in refusal(str(path), open_source).message


def test_links_in_a_circle_end(demo: Made, tmp_path: Path, open_source: Open) -> None:
    members = dict(docker_members(demo, demo.tars))
    first, second = list(members)[:2]
    members |= {first: f"../{second}", second: f"../{first}"}
    path = write_tar(tmp_path / "x.tar", list(members.items()))
    assert "leads nowhere" in refusal(str(path), open_source).message


def test_a_name_that_is_there_twice_is_refused(
    demo: Made, tmp_path: Path, open_source: Open
) -> None:
    """Which of the two counts would depend on who reads it."""
    members = layout_members(index_of(demo.image.descriptor.to_json()), demo.documents)
    path = write_tar(tmp_path / "x.tar", [*members, ("./index.json", b"{}")])
    assert "index.json twice" in refusal(str(path), open_source).message
    path = write_tar(tmp_path / "x.tar", [*members, ("unrelated", b"1"), ("unrelated", b"2")])
    with open_source(str(path)) as image:
        assert len(contents(image)) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header("index.json", size=8**11 - 1), "is cut short, or claims 8589934591 bytes"),
        (header("big", raw_size=b"\x80" + b"\x7f" * 11), "an absurd number"),
        (header("big", raw_size=b"\x80" + bytes(4) + b"\x7f" * 7), "is cut short, or claims"),
        (header("less", raw_size=b"\xff" * 12), "claims -1 bytes"),
        (header("odd", raw_size=b"9" * 12), "a number that is none"),
        (header("x", kind=b"x", size=10**9), "extended header of 1000000000 bytes"),
        (header("x", kind=b"L", size=10**6), "extended header of 1000000 bytes"),
        (header("x", kind=b"x", size=10) + b"5 a=b\n".ljust(BLOCK, b"\0"), "malformed pax header"),
        (
            header("x", kind=b"x", size=20) + b"99 path=x\n".ljust(BLOCK, b"\0"),
            "malformed pax header",
        ),
        (
            header("x", kind=b"x", size=20) + b"-1 path=x\n".ljust(BLOCK, b"\0"),
            "malformed pax header",
        ),
        (
            header("x", kind=b"x", size=21) + b"21 size=9999999999999\n"[:21].ljust(BLOCK, b"\0"),
            "malformed pax header",
        ),
        (
            header("x", kind=b"x", size=19)
            + b"19 size=-999999999\n".ljust(BLOCK, b"\0")
            + header("a"),
            "pax header with the number",
        ),
        (header("x", kind=b"S", size=0), "sparse"),
        (
            header("x", kind=b"x", size=22)
            + b"22 GNU.sparse.major=1\n".ljust(BLOCK, b"\0")
            + header("a"),
            "sparse",
        ),
        ((header("x", kind=b"x") * 20), "chain of extended headers"),
        (header("one") + b"\1" + bytes(BLOCK - 1), "damaged at byte 512"),
    ],
)
def test_absurd_headers_are_refused_before_anything_is_held(
    data: bytes, message: str, tmp_path: Path, open_source: Open
) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(data + bytes(2 * BLOCK))
    tracemalloc.start()
    try:
        error = refusal(str(path), open_source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message in error.message
    assert peak < 5_000_000


def test_a_million_members_are_refused(tmp_path: Path, open_source: Open) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(header("m") * 20_001 + bytes(2 * BLOCK))
    assert "more than 20000 members" in refusal(str(path), open_source).message


def test_hostile_names_are_only_names(demo: Made, tmp_path: Path, open_source: Open) -> None:
    members = layout_members(index_of(demo.image.descriptor.to_json()), demo.documents)
    odd: list[tuple[str, bytes | str]] = [
        ("\x1b[2J", b""),
        ("a/" * 2000 + "x", b""),
        ("\udcff\udcfe", b"x"),
        ("</script>", b"x"),
        ("link\n", "x" * 3000),
    ]
    path = write_tar(tmp_path / "x.tar", [*odd, *members])
    with open_source(str(path)) as image:
        assert len(contents(image)) == 2


def test_a_bomb_is_stopped_long_before_the_disk_is_full(
    tmp_path: Path, open_source: Open, workspace: Path
) -> None:
    path = tmp_path / "bomb.tar.gz"
    inner = io.BytesIO()
    with gzip.GzipFile(fileobj=inner, mode="wb", compresslevel=9, mtime=0) as out:
        for _ in range(80):
            out.write(bytes(1_000_000))
    path.write_bytes(inner.getvalue())
    assert "more than 100 times" in refusal(str(path), open_source).message
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "pipe", "device"])
def test_what_is_no_file_is_not_waited_for(kind: str, tmp_path: Path, open_source: Open) -> None:
    path = tmp_path / "x.tar"
    if kind == "directory":
        path.mkdir()
        refusal(f"oci-archive:{path}", open_source, NoImage)
        return
    if kind == "pipe":
        os.mkfifo(path)
    text = str(path) if kind == "pipe" else "/dev/zero"
    assert "no regular file" in refusal(text, open_source).message


def test_an_archive_of_an_old_docker_says_what_to_do(tmp_path: Path, open_source: Open) -> None:
    path = write_tar(tmp_path / "x.tar", [("repositories", b"{}"), ("a/json", b"{}")])
    error = refusal(str(path), open_source, UnsupportedImage)
    assert "docker save it again" in (error.hint or "")


@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=300),
        max_size=5,
        unique=True,
    ),
    sizes=st.lists(st.integers(0, 2000), min_size=5, max_size=5),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_headers_are_read_as_tarfile_reads_them(
    names: list[str], sizes: list[int], form: int, tmp_path: Path
) -> None:
    """Another reader's opinion on every name, offset and size."""
    plain = [name for name in names if not name.startswith("/") and ".." not in name.split("/")]
    members: list[tuple[str, bytes | str]] = [
        (name, bytes(size)) for name, size in zip(plain, sizes, strict=False) if name[-1] != "/"
    ]
    path = write_tar(tmp_path / "x.tar", members, form)
    expected: dict[str, tuple[int, int]] = {}
    with tarfile.open(path) as archive:
        for one in archive:
            expected[one.name] = (one.offset_data, one.size)
    with regular_file(path) as file:
        found = read_members(file, "x")
        for name, (offset, size) in expected.items():
            if found.by_name.keys() - found.twice >= {name}:
                assert found.find(name) == Extent(file.descriptor, offset, size)
        assert len(found.by_name) <= len(expected)
        assert not expected or found.by_name
