# SPDX-License-Identifier: Apache-2.0
"""Unpacking layers: what engines show is what we get, and nothing leaves the directory."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from wheelship.archive import unpack as module
from wheelship.archive.unpack import Limits, Skipped, Unpacked, UnpackFailed, remove_tree, unpack
from wheelship.archive.untar import InvalidLayer, LayerFile, UnsupportedLayer
from wheelship.oci.digest import Digest

SERVICE = (65532, 65532)


def entry(
    name: str,
    data: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    mode: int = 0o644,
    owner: int = 0,
) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.mode = kind, link, mode
    header.uid = header.gid = owner
    header.size = len(data)
    return header, data


def folder(name: str, mode: int = 0o755, owner: int = 0) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=tarfile.DIRTYPE, mode=mode, owner=owner)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=tarfile.SYMTYPE, link=target, mode=0o777)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=tarfile.LNKTYPE, link=target)


Entries = list[tuple[tarfile.TarInfo, bytes]]


def tar_bytes(entries: Entries) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for header, data in entries:
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


class Workplace:
    """A directory to unpack into, with a neighbour that must stay as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path / "root"
        self.root.mkdir()
        self.outside = path / "outside"
        self.outside.mkdir()
        (self.outside / "victim").write_text("untouched")
        self.count = 0

    def layer(self, tar: bytes, pack: Callable[[bytes], bytes] = bytes) -> LayerFile:
        self.count += 1
        file = self.path / f"layer{self.count}"
        file.write_bytes(pack(tar))
        return LayerFile(path=file, diff_id=Digest.of(tar))

    def unpack(
        self, *layers: Entries, reader: tuple[int, int] = SERVICE, limits: Limits | None = None
    ) -> Unpacked:
        files = [self.layer(tar_bytes(entries)) for entries in layers]
        return unpack(files, self.root, reader=reader, limits=limits)

    def listing(self) -> set[str]:
        return {str(one.relative_to(self.root)) for one in self.root.rglob("*")}

    def assert_nothing_left(self) -> None:
        assert [one.name for one in self.outside.iterdir()] == ["victim"]
        assert (self.outside / "victim").read_text() == "untouched"
        assert (self.outside / "victim").stat().st_nlink == 1
        assert {one.name for one in self.path.iterdir() if not one.name.startswith("layer")} == {
            "root",
            "outside",
        }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    workplace = Workplace(tmp_path)
    yield workplace
    remove_tree(workplace.root)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_directories_and_links_arrive_with_content_mode_and_time(place: Workplace) -> None:
    header, data = entry("./usr/bin/tool", b"#!", mode=0o755, owner=65532)
    header.mtime = 315_532_800
    result = place.unpack(
        [
            folder("usr"),
            folder("usr/bin"),
            (header, data),
            symlink("bin", "usr/bin"),
            hardlink("usr/bin/other", "usr/bin/tool"),
            folder("tmp", 0o1777, owner=65532),
        ]
    )
    tool = place.root / "usr/bin/tool"
    assert tool.read_bytes() == b"#!"
    assert mode_of(tool) == 0o755
    assert tool.stat().st_mtime == 315_532_800
    assert (place.root / "bin").readlink() == Path("usr/bin")
    assert (place.root / "usr/bin/other").samefile(tool)
    assert mode_of(place.root / "tmp") == 0o1777
    assert (result.entries, result.skipped) == (6, ())


def test_setuid_and_setgid_bits_are_dropped(place: Workplace) -> None:
    place.unpack([entry("su", b"x", mode=0o6755, owner=65532), folder("mail", 0o2777)])
    assert mode_of(place.root / "su") == 0o755
    assert mode_of(place.root / "mail") == 0o777


@pytest.mark.parametrize(
    ("mode", "owner", "seen"),
    [
        (0o600, 0, 0o000),  # root's secret: the service may not read it in a container either
        (0o644, 0, 0o444),
        (0o755, 0, 0o555),
        (0o600, 65532, 0o600),
        (0o4711, 0, 0o111),
    ],
)
def test_owner_bits_become_those_of_the_service(
    place: Workplace, mode: int, owner: int, seen: int
) -> None:
    place.unpack([entry("file", b"x", mode=mode, owner=owner)])
    assert mode_of(place.root / "file") == (mode & 0o077) | (seen & 0o700)


def test_group_bits_count_for_a_file_of_the_services_group(place: Workplace) -> None:
    header, data = entry("file", b"x", mode=0o640)
    header.gid = 65532
    place.unpack([(header, data)])
    assert mode_of(place.root / "file") == 0o440


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owners_are_kept_when_nobody_has_to_stand_in_for_them(place: Workplace) -> None:
    file = place.layer(
        tar_bytes([folder("data", owner=65532), entry("data/f", b"x", mode=0o600, owner=7)])
    )
    unpack([file], place.root, reader=None)
    assert (place.root / "data").stat().st_uid == 65532
    assert (place.root / "data/f").stat().st_uid == 7
    assert mode_of(place.root / "data/f") == 0o600


def test_directory_without_permissions_still_receives_its_files_and_can_be_removed(
    place: Workplace,
) -> None:
    place.unpack(
        [folder("closed", 0o000), entry("closed/file", b"x")], [entry("closed/more", b"y")]
    )
    assert mode_of(place.root / "closed") == 0
    (place.root / "closed").chmod(0o700)
    assert (place.root / "closed/more").read_bytes() == b"y"
    (place.root / "closed").chmod(0)


def test_missing_parents_are_made_readable(place: Workplace) -> None:
    place.unpack([entry("a/b/c", b"x")])
    assert mode_of(place.root / "a/b") == 0o555
    assert (place.root / "a/b/c").read_bytes() == b"x"


# --- whiteouts and replacement (image-spec, layer.md) ---


def test_whiteout_hides_the_lower_file_only(place: Workplace) -> None:
    """Whiteouts apply to resources of lower layers only."""
    place.unpack(
        [entry("a/one", b"1"), entry("a/two", b"2")],
        [entry("a/.wh.one"), entry("a/three", b"3")],
    )
    assert place.listing() == {"a", "a/two", "a/three"}


def test_whiteout_of_a_directory_hides_the_whole_tree(place: Workplace) -> None:
    place.unpack([entry("a/b/c", b"1"), entry("keep", b"2")], [entry(".wh.a")])
    assert place.listing() == {"keep"}


@pytest.mark.parametrize("whiteout_first", [True, False])
def test_whiteouts_spare_their_own_layer_in_either_order(
    place: Workplace, *, whiteout_first: bool
) -> None:
    upper = [entry("a/new/file", b"2")]
    hide = [entry("a/.wh..wh..opq"), entry("a/.wh.new")]
    place.unpack(
        [entry("a/old", b"1"), entry("a/new/old", b"1"), entry("b", b"1")],
        hide + upper if whiteout_first else upper + hide,
    )
    assert place.listing() == {"a", "a/new", "a/new/file", "b"}


def test_whiteout_of_nothing_that_exists_changes_nothing(place: Workplace) -> None:
    place.unpack([entry("a", b"1")], [entry(".wh.b"), entry("x/.wh.y")])
    assert place.listing() == {"a"}


def test_upper_file_replaces_lower_directory_and_the_other_way_round(place: Workplace) -> None:
    place.unpack(
        [entry("a/b", b"1"), entry("c", b"1")], [entry("a", b"2"), folder("c"), entry("c/d", b"2")]
    )
    assert place.listing() == {"a", "c", "c/d"}
    assert (place.root / "a").read_bytes() == b"2"


def test_upper_file_does_not_write_into_a_lower_hard_link(place: Workplace) -> None:
    place.unpack([entry("a", b"1"), hardlink("b", "a")], [entry("a", b"2")])
    assert (place.root / "a").read_bytes() == b"2"
    assert (place.root / "b").read_bytes() == b"1"


def test_directory_through_a_lower_symlink_replaces_it_as_overlayfs_shows_it(
    place: Workplace,
) -> None:
    """``lib/new`` over a base with ``/lib -> usr/lib``: engines show ``/lib`` as a directory."""
    place.unpack([entry("usr/lib/old", b"1"), symlink("lib", "usr/lib")], [entry("lib/new", b"2")])
    assert place.listing() == {"usr", "usr/lib", "usr/lib/old", "lib", "lib/new"}
    assert not (place.root / "lib").is_symlink()


def test_aufs_bookkeeping_and_devices_are_skipped_with_a_reason(place: Workplace) -> None:
    result = place.unpack(
        [
            entry(".wh..wh.plnk", b""),
            entry("dev/null", kind=tarfile.CHRTYPE),
            entry("dev/sda", kind=tarfile.BLKTYPE),
            entry("pipe", kind=tarfile.FIFOTYPE),
            entry("kept", b""),
        ]
    )
    assert place.listing() == {"kept"}
    assert result.skipped == (
        Skipped(".wh..wh.plnk", "aufs bookkeeping"),
        Skipped("dev/null", "character devices are not made"),
        Skipped("dev/sda", "block devices are not made"),
        Skipped("pipe", "named pipes are not made"),
    )


# --- breakouts: shapes of containerd's TestBreakouts and of tar_extract_test.go of umoci ---

OUTSIDE = "../outside"

REFUSED: dict[str, list[Entries]] = {
    "absolute name": [[entry("/etc/passwd", b"x")]],
    "name climbs": [[entry("../outside/victim", b"x")]],
    "name climbs in the middle": [[entry("a/../../outside/victim", b"x")]],
    "name is dotdot": [[folder("..")]],
    "symlink absolute": [[symlink("localetc", "/etc"), entry("localetc/unbroken", b"x")]],
    "symlink up and out": [[symlink("up", OUTSIDE), entry("up/victim", b"x")]],
    "symlink in the middle": [
        [folder("a"), symlink("a/up", "../../outside"), entry("a/up/b/victim", b"x")]
    ],
    "symlink chain": [[symlink("one", "two"), symlink("two", OUTSIDE), entry("one/victim", b"x")]],
    "symlink to slash": [[symlink("slash", "/"), entry("slash/outside/victim", b"x")]],
    "symlink ends in a slash": [[symlink("up", OUTSIDE + "/"), folder("up/"), entry("up/f", b"x")]],
    "directory replaces symlink of its own layer": [[symlink("up", OUTSIDE), folder("up")]],
    "file through symlink to a file": [
        [symlink("victim", OUTSIDE + "/victim"), entry("victim", b"x")]
    ],
    "empty symlink": [[symlink("empty", "")]],
    "hard link climbs": [[hardlink("got", OUTSIDE + "/victim")]],
    "hard link absolute": [[hardlink("got", "/etc/passwd")]],
    "hard link through a symlink": [[symlink("up", OUTSIDE), hardlink("got", "up/victim")]],
    "hard link into a lower layer": [[entry("low", b"1")], [hardlink("got", "low")]],
    "hard link to a directory": [[folder("a"), hardlink("got", "a")]],
    "hard link to the root": [[hardlink("got", ".")]],
    "hard link to itself": [[hardlink("got", "got")]],
    "hard link to nothing": [[hardlink("got", "missing")]],
    "write through a hard link of a symlink": [
        [symlink("up", OUTSIDE), hardlink("again", "up"), entry("again/victim", b"x")]
    ],
    "path twice": [[entry("a", b"1"), entry("a", b"2")]],
    "file is used as a directory": [[entry("a", b"1"), entry("a/b", b"2")]],
    "whiteout of nothing": [[entry(".wh.")]],
    "whiteout of the root": [[entry(".wh..")]],
    "whiteout of the parent": [[entry(".wh...")]],
    "whiteout climbs": [[entry("../outside/.wh.victim")]],
    "too deep": [[entry("/".join(["d"] * 200), b"x")]],
    "name too long": [[entry("n" * 300, b"x")]],
    "unknown type": [[entry("x", kind=b"Z")]],
    "NUL in a pax path": [[entry("a\0b" + "é" * 101, b"x")]],
}


@pytest.mark.parametrize("shape", REFUSED)
def test_breakout_is_refused(place: Workplace, shape: str) -> None:
    with pytest.raises(InvalidLayer):
        place.unpack(*REFUSED[shape])
    place.assert_nothing_left()


CONFINED: dict[str, tuple[list[Entries], set[str]]] = {
    "lower symlink as parent": (
        [[symlink("up", OUTSIDE)], [entry("up/victim", b"x")]],
        {"up", "up/victim"},
    ),
    "whiteout through a lower symlink": (
        [[symlink("up", OUTSIDE)], [entry("up/.wh.victim")]],
        {"up"},
    ),
    "opaque whiteout through a lower symlink": (
        [[symlink("up", OUTSIDE)], [entry("up/.wh..wh..opq")]],
        {"up"},
    ),
    "whiteout of a symlink": ([[symlink("up", OUTSIDE)], [entry(".wh.up")]], set()),
    "opaque directory that holds a symlink": (
        [[symlink("a/up", "../../outside")], [entry("a/.wh..wh..opq"), entry("a/f", b"")]],
        {"a", "a/f"},
    ),
    "directory that holds a symlink is replaced": (
        [[symlink("a/up", "../../outside")], [entry("a", b"")]],
        {"a"},
    ),
    "file over a lower symlink to a file": (
        [[symlink("victim", OUTSIDE + "/victim")], [entry("victim", b"x")]],
        {"victim"},
    ),
    "directory over a lower symlink": (
        [[symlink("up", OUTSIDE)], [folder("up"), entry("up/f", b"x")]],
        {"up", "up/f"},
    ),
    "hard link of a symlink": (
        [[symlink("up", OUTSIDE), hardlink("again", "up")]],
        {"up", "again"},
    ),
    "symlink out that nobody uses": ([[symlink("up", OUTSIDE + "/victim")]], {"up"}),
}


@pytest.mark.parametrize("shape", CONFINED)
def test_breakout_stays_inside(place: Workplace, shape: str) -> None:
    layers, expected = CONFINED[shape]
    place.unpack(*layers)
    assert {
        os.path.relpath(Path(top, name), place.root)
        for top, folders, files in os.walk(place.root)
        for name in (*folders, *files)
    } == expected
    place.assert_nothing_left()


def test_final_modes_are_not_given_through_a_link(place: Workplace) -> None:
    """A directory of a lower layer that a link replaces must not lead its mode outside."""
    before = mode_of(place.outside)
    place.unpack([folder("up", 0o000)], [symlink("up", OUTSIDE)])
    assert (place.root / "up").is_symlink()
    assert mode_of(place.outside) == before
    place.assert_nothing_left()


# --- the stream: damage, lies and bombs ---


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_plain_gzip_and_zstd_layers_are_read(
    place: Workplace, pack: Callable[[bytes], bytes]
) -> None:
    layer = place.layer(tar_bytes([entry("a", b"1")]), pack)
    unpack([layer], place.root, reader=SERVICE)
    assert place.listing() == {"a"}


def test_gzip_of_many_members_is_read(place: Workplace) -> None:
    tar = tar_bytes([entry("a", b"1" * 100_000), entry("b", b"2")])
    layer = place.layer(tar, gzip.compress)
    pieces = [gzip.compress(tar[at : at + 700]) for at in range(0, len(tar), 700)]
    layer.path.write_bytes(b"".join(pieces))
    unpack([layer], place.root, reader=SERVICE)
    assert (place.root / "a").read_bytes() == b"1" * 100_000
    assert (place.root / "b").read_bytes() == b"2"


def damaged(tar: bytes, kind: str) -> tuple[bytes, str]:
    packed = gzip.compress(tar)
    broken_header = tar[:1024] + b"\xff" * 512 + tar[1536:]
    return {
        "truncated gzip": (packed[:-9], "ends inside its gzip stream"),
        "gzip checksum": (packed[:-8] + b"\1\2\3\4" + packed[-4:], "cannot be inflated"),
        "garbage after gzip": (packed + b"garbage", "has something behind its gzip stream"),
        "truncated tar": (gzip.compress(tar[:514]), "ends inside"),
        "damaged header": (gzip.compress(broken_header), "after the end"),
        "data after the tar": (gzip.compress(tar + b"x"), "after the end"),
        "empty": (gzip.compress(b""), "no readable tar"),
        "other content": (gzip.compress(tar.replace(b"1111", b"1112")), "hashes to"),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "truncated gzip",
        "gzip checksum",
        "garbage after gzip",
        "truncated tar",
        "damaged header",
        "data after the tar",
        "empty",
        "other content",
    ],
)
def test_damaged_layer_is_refused(place: Workplace, kind: str) -> None:
    tar = tar_bytes([entry("a", b"1111"), entry("b", b"2")])
    layer = place.layer(tar, gzip.compress)
    content, message = damaged(tar, kind)
    layer.path.write_bytes(content)
    with pytest.raises(InvalidLayer, match=message) as caught:
        unpack([layer], place.root, reader=SERVICE)
    assert caught.value.where == str(layer.path)


def test_only_wanted_files_are_written(place: Workplace) -> None:
    """Directories and links stay; what a lower layer has under an unwanted path goes."""
    lower = [folder("a"), entry("a/keep.py", b"old"), entry("a/b.py", b"1")]
    upper = [
        folder("a"),
        entry("a/keep.txt", b"unwanted"),
        hardlink("a/twin.txt", "a/keep.txt"),
        entry("a/keep.py", b"new"),
        hardlink("a/twin.py", "a/keep.py"),
        symlink("a/link", "keep.txt"),
        folder("empty"),
        entry("a/.wh.b.py"),
    ]
    files = [place.layer(tar_bytes(entries)) for entries in (lower, upper)]
    done = unpack(files, place.root, reader=SERVICE, wanted=lambda path: path.endswith(".py"))
    assert place.listing() == {"a", "a/keep.py", "a/twin.py", "a/link", "empty"}
    assert (place.root / "a/keep.py").read_bytes() == b"new"
    assert done.skipped == ()


def test_a_layer_in_xz_is_refused_with_the_way_out(place: Workplace) -> None:
    layer = place.layer(tar_bytes([]), lzma.compress)
    with pytest.raises(UnsupportedLayer) as caught:
        unpack([layer], place.root, reader=SERVICE)
    assert caught.value.hint is not None
    assert "gzip or zstd" in caught.value.hint


def test_limits_on_bytes_count_all_layers(place: Workplace) -> None:
    big: Entries = [entry("a", b"1" * 30_000)]
    place.unpack(big, [entry("b", b"1" * 30_000)], limits=Limits(bytes=90_000))
    with pytest.raises(InvalidLayer, match="inflates to more than"):
        place.unpack(big, [entry("b", b"1" * 60_000)], limits=Limits(bytes=90_000))


def test_limit_on_entries(place: Workplace) -> None:
    place.unpack([entry("a"), entry("b")], limits=Limits(entries=2))
    with pytest.raises(InvalidLayer, match="more than 1 entries"):
        place.unpack([entry("a"), entry("b")], limits=Limits(entries=1))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_extended_header_that_would_fill_the_memory_is_refused(
    place: Workplace, kind: bytes
) -> None:
    header, _ = entry("a", kind=kind)
    header.size = 1 << 40
    tar = header.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(InvalidLayer, match="claims 1099511627776 bytes"):
        unpack([place.layer(tar + bytes(1024))], place.root, reader=SERVICE)


def test_negative_size_is_refused(place: Workplace) -> None:
    header, _ = entry("a")
    header.size = -512
    tar = header.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(InvalidLayer, match="claims -512 bytes"):
        unpack([place.layer(tar + bytes(1024))], place.root, reader=SERVICE)


def test_full_disk_is_the_machines_fault(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "symlink", full)
    with pytest.raises(UnpackFailed, match="No space left on device") as caught:
        place.unpack([symlink("a", "b")])
    assert caught.value.where == str(place.root)


def test_progress_adds_up_to_the_bytes_read(place: Workplace) -> None:
    seen: list[int] = []
    layer = place.layer(tar_bytes([entry("a", b"1" * 5000), entry("b", b"2" * 5000)]))
    result = unpack([layer], place.root, reader=SERVICE, advance=seen.append)
    assert result.bytes == layer.path.stat().st_size
    assert 10_000 < sum(seen) <= result.bytes
    assert len(seen) == 2
