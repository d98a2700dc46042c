# SPDX-License-Identifier: Apache-2.0
"""Unpacking a base on the build machine, and the command that runs its Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.archive.entry import Directory, File, Hardlink, InMemory, Streamed, Symlink
from wheelship.debian.errors import UnknownRelease
from wheelship.debian.identity import identity_files
from wheelship.debian.interpreter import UnpackFailed, loader_command, materialise


def test_entries_become_files(tmp_path: Path) -> None:
    materialise(
        [
            Directory(path="usr"),
            Directory(path="usr/lib"),
            File(path="usr/tool", mode=0o4755, content=InMemory(b"tool")),
            File(
                path="usr/lib/data", mode=0o000, content=Streamed(4, lambda: iter([b"da", b"ta"]))
            ),
            Symlink(path="usr/lib/inside", target="../tool"),
            Symlink(path="usr/lib/absolute", target="/usr/tool"),
            Symlink(path="top", target="/usr/lib"),
            Hardlink(path="usr/twice", target="usr/tool"),
        ],
        tmp_path,
    )
    assert (tmp_path / "usr/lib/inside").read_bytes() == b"tool"
    assert (tmp_path / "usr/lib/absolute").read_bytes() == b"tool", "stays inside"
    assert (tmp_path / "top/data").read_bytes() == b"data"
    assert (tmp_path / "usr/twice").samefile(tmp_path / "usr/tool")
    assert (tmp_path / "usr/tool").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "usr/lib/data").stat().st_mode & 0o7777 == 0o600


def test_a_machine_that_cannot_write_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(UnpackFailed) as caught:
        materialise([File(path="taken", content=InMemory(b""))], tmp_path)
    assert caught.value.where == str(tmp_path / "taken")


def test_the_loader_of_the_root_is_found_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownRelease, match="no dynamic loader"):
        loader_command(tmp_path, "3.11")
    libraries = tmp_path / "usr/lib/aarch64-linux-gnu"
    libraries.mkdir(parents=True)
    (libraries / "ld-linux-aarch64.so.1").write_bytes(b"elf")
    command, environment = loader_command(tmp_path, "3.11")
    assert command[0] == str(libraries / "ld-linux-aarch64.so.1")
    assert command[-1] == str(tmp_path / "usr/bin/python3.11")
    assert environment["PYTHONHOME"] == str(tmp_path / "usr")


@pytest.mark.parametrize(
    ("user", "passwd", "group"),
    [
        ((65532, 65532), b"app:x:65532:65532:app:/tmp:/sbin/nologin\n", b"app:x:65532:\n"),
        ((1000, 0), b"app:x:1000:0:app:/tmp:/sbin/nologin\n", b"nogroup:x:65534:\n"),
        (
            (0, 0),
            b"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
            b"nogroup:x:65534:\n",
        ),
    ],
)
def test_the_user_has_a_name(user: tuple[int, int], passwd: bytes, group: bytes) -> None:
    files = {file.path: file for file in identity_files(user)}
    contents = {path: file.content for path, file in files.items()}
    for path, ending in [("etc/passwd", passwd), ("etc/group", group)]:
        content = contents[path]
        assert isinstance(content, InMemory)
        assert content.data.startswith(b"root:x:0:")
        assert content.data.endswith(ending)
        ids = [row.split(b":")[2] for row in content.data.splitlines()]
        assert len(set(ids)) == len(ids)
