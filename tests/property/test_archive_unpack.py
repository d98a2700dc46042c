# SPDX-License-Identifier: Apache-2.0
"""Unpacking against a model of stacked layers; and no bytes whatever lead out of the directory."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from wheelship.archive.unpack import remove_tree, unpack
from wheelship.archive.untar import InvalidLayer, LayerFile
from wheelship.oci.digest import Digest

Operation: TypeAlias = tuple[str, str, bytes]  # kind, path, content or target
NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = st.sampled_from(["a", "../b", "/", "../../outside", "/etc", "c/a", "."])


@contextmanager
def directory() -> Iterator[Path]:
    """A root to unpack into beside a directory that must stay as it is."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "root")
        root.mkdir()
        outside = Path(name, "outside")
        outside.mkdir(mode=0o755)
        (outside / "a").write_bytes(b"untouched")
        before = outside.stat()
        yield root
        assert [path.name for path in outside.iterdir()] == ["a"]
        assert (outside / "a").read_bytes() == b"untouched"
        assert (outside / "a").stat().st_nlink == 1
        assert outside.stat().st_mode == before.st_mode
        remove_tree(root)


def layer(operations: list[Operation], path: Path) -> LayerFile:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for kind, name, content in operations:
            header = tarfile.TarInfo(name)
            header.mode = 0o755
            if kind == "directory":
                header.type = tarfile.DIRTYPE
            elif kind in ("symlink", "hardlink"):
                header.type = tarfile.SYMTYPE if kind == "symlink" else tarfile.LNKTYPE
                header.linkname = content.decode()
            elif kind == "whiteout":
                header.name = "/".join([*name.split("/")[:-1], ".wh." + name.split("/")[-1]])
            elif kind == "opaque":
                header.name = f"{name}/.wh..wh..opq"
            header.size = len(content) if kind == "file" else 0
            archive.addfile(header, io.BytesIO(content))
    path.write_bytes(buffer.getvalue())
    return LayerFile(path=path, diff_id=Digest.of(buffer.getvalue()))


# --- a model: paths to contents, None for directories ---

Tree: TypeAlias = dict[str, bytes | None]


def without(tree: Tree, path: str) -> Tree:
    return {
        name: value
        for name, value in tree.items()
        if name != path and not name.startswith(path + "/")
    }


def stacked(lower: Tree, operations: list[Operation]) -> Tree:
    """What layer.md says is seen: first everything hidden, then everything that is there."""
    tree = dict(lower)
    for kind, path, _ in operations:
        if kind == "whiteout":
            tree = without(tree, path)
        elif kind == "opaque":
            tree = {name: value for name, value in tree.items() if not name.startswith(path + "/")}
    for kind, path, content in operations:
        if kind not in ("file", "directory"):
            continue
        for depth in range(1, path.count("/") + 1):
            parent = "/".join(path.split("/")[:depth])
            if tree.get(parent, b"") is not None:
                tree = without(tree, parent)
                tree[parent] = None
        if kind == "file" or tree.get(path, b"") is not None:
            tree = without(tree, path)
        tree[path] = content if kind == "file" else None
    return tree


@st.composite
def layers(draw: st.DrawFn) -> list[Operation]:
    """Files, directories and whiteouts in any order that do not contradict each other."""
    files: dict[str, Operation] = {}
    for path in draw(st.lists(PATHS, max_size=5, unique=True)):
        parents = {"/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1)}
        if any(files.get(one, ("directory",))[0] == "file" for one in parents):
            continue
        kind = draw(st.sampled_from(["file", "directory"]))
        if any(name.startswith(path + "/") for name in files):
            kind = "directory"
        files[path] = (kind, path, draw(st.binary(max_size=4)) if kind == "file" else b"")
    hidden = draw(st.lists(PATHS, max_size=2))
    hides = [(draw(st.sampled_from(["whiteout", "opaque"])), path, b"") for path in hidden]
    # A path that the layer makes a file of has nothing below it to hide, and hiding the path itself
    # together with making it is layer.md's "replace".
    made = {name for name, operation in files.items() if operation[0] == "file"}
    hides = [
        one
        for one in hides
        if not any(one[1] == name or one[1].startswith(name + "/") for name in made)
    ]
    return draw(st.permutations([*files.values(), *hides]))


@settings(deadline=None)
@given(st.lists(layers(), max_size=4))
def test_stacked_layers_look_as_the_specification_says(stack: list[list[Operation]]) -> None:
    """image-spec, layer.md: applied from the lowest layer up, whiteouts to lower ones only."""
    expected: Tree = {}
    for operations in stack:
        expected = stacked(expected, operations)
    with directory() as root:
        files = [
            layer(operations, root.parent / f"layer{number}")
            for number, operations in enumerate(stack)
        ]
        unpack(files, root, reader=(0, 0))
        found: Tree = {
            str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
            for path in root.rglob("*")
        }
    assert found == expected


HOSTILE = st.tuples(
    st.sampled_from(["file", "directory", "symlink", "symlink", "hardlink", "whiteout", "opaque"]),
    st.one_of(PATHS, st.sampled_from(["../outside/a", "/a", "a/../../outside/a", "..", ".", ""])),
    TARGETS.map(str.encode),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(HOSTILE, max_size=6), max_size=3))
def test_no_layers_lead_outside(stack: list[list[Operation]]) -> None:
    with directory() as root:
        files = [
            layer(operations, root.parent / f"layer{number}")
            for number, operations in enumerate(stack)
        ]
        try:
            unpack(files, root, reader=(0, 0))
        except InvalidLayer:
            pass
        else:
            assert all(Path(top).is_relative_to(root) for top, _, _ in os.walk(root))


@settings(deadline=None)
@given(st.data())
def test_no_damage_goes_unnoticed(data: st.DataObject) -> None:
    """A changed byte is refused, whatever tarfile makes of it."""
    with directory() as root:
        good = layer([("file", "a", b"1"), ("symlink", "b", b"a")], root.parent / "layer")
        content = bytearray(good.path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        good.path.write_bytes(content)
        try:
            unpack([good], root, reader=(0, 0))
        except InvalidLayer:
            return
        raise AssertionError(f"byte {at} changed, and nobody noticed")
