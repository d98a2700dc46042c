# SPDX-License-Identifier: Apache-2.0
"""The view of stacked layers: what unpacking them would give, without unpacking."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest

from wheelship.archive.unpack import unpack
from wheelship.archive.untar import InvalidLayer, LayerFile
from wheelship.base.files import FileTree
from wheelship.oci.digest import Digest
from wheelship.testing.base import Content, tar_of

LIMIT = 10 * 1024 * 1024


def layer(files: Mapping[str, Content], directory: Path) -> LayerFile:
    tar = tar_of(files)
    path = directory / Digest.of(tar).hex
    path.write_bytes(gzip.compress(tar))
    return LayerFile(path=path, diff_id=Digest.of(tar))


def tree_of(directory: Path, *layers: Mapping[str, Content]) -> FileTree:
    tree = FileTree()
    for files in layers:
        tree.add_layer(layer(files, directory), limit_bytes=LIMIT)
    return tree


def unpacked(directory: Path, *layers: Mapping[str, Content]) -> dict[str, str]:
    root = directory / "root"
    root.mkdir()
    unpack([layer(files, directory) for files in layers], root, reader=(0, 0))
    kinds = {}
    for path in root.rglob("*"):
        kind = "link" if path.is_symlink() else "directory" if path.is_dir() else "file"
        kinds[path.relative_to(root).as_posix()] = kind
    return kinds


STACKS: dict[str, list[dict[str, Content]]] = {
    "one layer": [{"a": None, "a/b": b"1", "l": "-> a/b"}],
    "replaced file": [{"a": b"1"}, {"a": b"2"}],
    "file over directory": [{"a": None, "a/b": b"1"}, {"a": b"2"}],
    "directory over file": [{"a": b"1"}, {"a": None, "a/b": b"2"}],
    "directory over link": [{"r": None, "a": "-> r", "r/x": b""}, {"a": None, "a/b": b"2"}],
    "parent over link": [{"r": None, "a": "-> r", "r/x": b""}, {"a/b": b"2"}],
    "merged directory": [{"a": None, "a/b": b"1"}, {"a": None, "a/c": b"2"}],
    "whiteout of file": [{"a": None, "a/b": b"1", "a/c": b"1"}, {"a/.wh.b": b""}],
    "whiteout of tree": [{"a": None, "a/b": None, "a/b/c": b"1"}, {".wh.a": b""}],
    "whiteout of nothing that is there": [{"a": b"1"}, {".wh.b": b"", "x/.wh.y": b""}],
    "whiteout keeps the layer's own": [
        {"a": None, "a/old": b"1"},
        {"a": None, "a/new": b"2", ".wh.a": b""},
    ],
    "opaque": [{"a": None, "a/b": b"1", "a/c": None}, {"a": None, "a/.wh..wh..opq": b""}],
    "opaque keeps the layer's own": [
        {"a": None, "a/old": b"1"},
        {"a": None, "a/new": b"2", "a/.wh..wh..opq": b""},
    ],
    "aufs": [{"a": None}, {"a/.wh..wh.plnk": b""}],
    "hard link": [{"a": b"1", "b": ("hard", "a")}],
    "root entry": [{"./": None, "./a": b"1"}],
}


@pytest.mark.parametrize("name", STACKS)
def test_shows_what_unpacking_gives(tmp_path: Path, name: str) -> None:
    """image-spec, layer.md; the unpacker is tested against real engines."""
    stack = STACKS[name]
    seen = {path: node.kind for path, node in tree_of(tmp_path, *stack).walk()}
    assert seen == unpacked(tmp_path, *stack)
    assert seen or name == "whiteout of tree"


def test_upper_layers_win(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"a": b"1", "h": ("hard", "a")}, {"a": b"2"})
    new, old = tree.find("a"), tree.find("h")
    assert new is not None
    assert old is not None
    assert new.sha256 == Digest.of(b"2").hex
    assert old.sha256 == Digest.of(b"1").hex


def test_links_are_followed_inside_the_image_only(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "usr": None,
        "usr/bin": None,
        "usr/bin/python3.11": b"x",
        "bin": "-> usr/bin",
        "usr/bin/python3": "-> python3.11",
        "usr/bin/up": "-> ../../../../usr/bin/python3",
        "usr/bin/absolute": "-> /bin/python3",
        "loop": "-> loop",
        "dangling": "-> nowhere/at/all",
    }
    tree = tree_of(tmp_path, files)
    for path in ("bin/python3", "/usr/bin/up", "usr/bin/absolute", "bin/../bin/python3.11"):
        found = tree.resolve(path)
        assert found is not None
        assert found[0] == "usr/bin/python3.11"
    assert tree.resolve("loop") is None
    assert tree.resolve("dangling") is None
    assert tree.resolve("usr/bin/python3.11/x") is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"../up": b""}, "stay inside"),
        ({"/etc/passwd": b""}, "stay inside"),
        ({"a/.wh.": b""}, "whiteout of nothing"),
        ({"a/.wh...": b""}, "whiteout of nothing"),
        ({"b": ("hard", "a")}, "hard link"),
    ],
)
def test_hostile_layers_are_refused(
    tmp_path: Path, files: dict[str, Content], message: str
) -> None:
    with pytest.raises(InvalidLayer, match=message):
        tree_of(tmp_path, files)


def test_a_layer_that_is_not_its_diff_id_is_refused(tmp_path: Path) -> None:
    good = layer({"a": b"1"}, tmp_path)
    wrong = LayerFile(path=good.path, diff_id=Digest.of(b"other"))
    with pytest.raises(InvalidLayer, match="hashes to"):
        FileTree().add_layer(wrong, limit_bytes=LIMIT)


def test_the_limit_holds(tmp_path: Path) -> None:
    with pytest.raises(InvalidLayer, match="more than"):
        FileTree().add_layer(layer({"a": b"0" * 100_000}, tmp_path), limit_bytes=50_000)
