# SPDX-License-Identifier: Apache-2.0
"""No byte is lost or counted twice, whatever the layers; and the overlay is what engines make."""

from __future__ import annotations

import io
import stat
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wheelship.archive.unpack import remove_tree, unpack
from wheelship.archive.untar import LayerFile
from wheelship.inspect.contents import make_contents
from wheelship.inspect.group import by_kind, by_layer, by_owner, by_path
from wheelship.inspect.model import Entry, EntryKind, Sizes
from wheelship.oci.digest import Digest
from wheelship.testing.contents import ScannedSource, entry, make_layer

SITE = "v/lib/python3.11/site-packages"
STEPS = st.sampled_from(["a", "b", "lib", "usr", "d-1.dist-info", "x.so", "y.pyc", ".cache"])
PATHS = st.lists(STEPS, min_size=1, max_size=4).map("/".join)
PLACES = st.one_of(PATHS, PATHS.map(lambda path: f"{SITE}/{path}"))
ANY_KIND = st.sampled_from(
    ["file", "file", "directory", "symlink", "hardlink", "device", "whiteout", "opaque"]
)
DOCUMENTS = {
    f"{SITE}/d-1.dist-info/RECORD": st.lists(PATHS, max_size=5).map("\n".join),
    f"{SITE}/d-1.dist-info/METADATA": st.sampled_from(["Name: d\nVersion: 1", "Version: 2"]),
    f"{SITE}/d-1.dist-info/direct_url.json": st.just('{"url": "file:///d", "dir_info": {}}'),
    "var/lib/dpkg/status": st.sampled_from(["Package: p\nVersion: 1", "Package: p\nVersion: 2"]),
    "var/lib/dpkg/info/p.list": st.lists(PATHS.map("/{}".format), max_size=5).map("\n".join),
    "v/pyvenv.cfg": st.just(""),
}


@st.composite
def any_layer(draw: st.DrawFn) -> tuple[list[Entry], dict[str, bytes]]:
    """Return entries that no engine needs to accept, and databases among them."""
    entries = [
        entry(draw(PLACES), draw(ANY_KIND), draw(st.integers(0, 3000)), target=draw(PLACES))
        for _ in range(draw(st.integers(0, 12)))
    ]
    entries = [
        one if one.kind == "file" else entry(one.path, one.kind, target=one.target)
        for one in entries
    ]
    names = draw(st.sets(st.sampled_from(sorted(DOCUMENTS))))
    documents = {name: draw(DOCUMENTS[name]).encode() for name in sorted(names)}
    entries += [entry(name, size=len(content)) for name, content in documents.items()]
    return draw(st.permutations(entries)), documents


@given(st.lists(any_layer(), max_size=5))
def test_every_view_of_an_image_adds_up_to_the_same_totals(
    made: list[tuple[list[Entry], dict[str, bytes]]],
) -> None:
    layers = [make_layer(entries, documents) for entries, documents in made]
    contents = make_contents(ScannedSource(contents=layers), layers)
    for rows in (
        by_owner(contents),
        by_kind(contents),
        by_layer(contents),
        *(by_path(contents, depth) for depth in (0, 1, 3, 9)),
    ):
        assert sum((one.sizes for one in rows.values()), Sizes()) == contents.sizes
        files = sum(one.kind == "file" for layer in layers for one in layer.entries)
        assert sum(one.files for one in rows.values()) == files
    assert contents.sizes.unpacked == sum(one.unpacked_bytes for one in layers)
    documents = sum(item.entry.transfer_bytes for item in contents.items if item.layer < 0)
    assert contents.sizes.transfer == sum(one.transfer_bytes for one in layers) + documents
    in_layers = [item.entry for item in contents.items if item.layer >= 0]
    assert in_layers == [one for layer in layers for one in layer.entries]


@given(st.lists(any_layer(), max_size=4))
def test_equal_images_give_equal_contents(
    made: list[tuple[list[Entry], dict[str, bytes]]],
) -> None:
    layers = [make_layer(entries, documents) for entries, documents in made]
    source = ScannedSource(contents=layers)
    assert make_contents(source, layers) == make_contents(source, layers)


@st.composite
def sound_layer(draw: st.DrawFn) -> list[Entry]:
    """Return entries as one layer may hold them: a tree, links to what stands before them."""
    steps = st.sampled_from("abc")
    paths = st.lists(steps, min_size=1, max_size=3).map("/".join)
    kinds: dict[str, str] = {}
    entries: list[Entry] = []
    for path in draw(st.lists(paths, max_size=8, unique=True)):
        parents = {path.rsplit("/", count)[0] for count in range(1, path.count("/") + 1)}
        if any(kinds.get(one, "directory") != "directory" for one in parents):
            continue
        if any(one.startswith(f"{path}/") for one in kinds):
            continue
        kind = draw(st.sampled_from(["file", "file", "directory", "symlink", "hardlink"]))
        linked = [one.path for one in entries if one.kind in ("file", "hardlink")]
        if kind == "hardlink" and not linked:
            kind = "file"
        kinds[path] = kind
        size = draw(st.integers(1, 5000)) if kind == "file" else 0
        target = draw(st.sampled_from(linked)) if kind == "hardlink" else draw(paths)
        entries.append(entry(path, kind, size, target=target))  # type: ignore[arg-type]
    removed = draw(st.lists(paths, max_size=3, unique=True))
    marks: st.SearchStrategy[EntryKind] = st.sampled_from(["whiteout", "opaque"])
    return entries + [entry(path, draw(marks)) for path in removed]


def archive(entries: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for one in entries:
            directory, _, name = one.path.rpartition("/")
            below = f"{directory}/" if directory else ""
            header = tarfile.TarInfo(one.path)
            match one.kind:
                case "directory":
                    header.type, header.mode = tarfile.DIRTYPE, 0o755
                case "symlink":
                    header.type, header.linkname = tarfile.SYMTYPE, one.target
                case "hardlink":
                    header.type, header.linkname = tarfile.LNKTYPE, one.target
                case "whiteout":
                    header.name = f"{below}.wh.{name}"
                case "opaque":
                    header.name = f"{one.path}/.wh..wh..opq"
            header.size = one.size_bytes
            tar.addfile(header, io.BytesIO(bytes(one.size_bytes)))
    return out.getvalue()


@given(st.lists(sound_layer(), min_size=1, max_size=4))
def test_the_final_file_system_is_the_one_that_unpacking_makes(layers: list[list[Entry]]) -> None:
    made = [make_layer(entries) for entries in layers]
    contents = make_contents(ScannedSource(contents=made), made)
    linked = any(one.kind == "hardlink" for entries in layers for one in entries)
    visible = {
        item.entry.path
        for item in contents.items
        if item.hidden_by is None and item.entry.kind in ("file", "hardlink", "symlink")
    }
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "root")
        root.mkdir()
        files = []
        for number, entries in enumerate(layers):
            data = archive(entries)
            path = Path(directory, f"{number}.tar")
            path.write_bytes(data)
            files.append(LayerFile(path=path, diff_id=Digest.of(data)))
        unpack(files, root, reader=(0, 0))
        sizes: dict[int, int] = {}
        there: set[str] = set()
        for path in root.rglob("*"):
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode):
                there.add(path.relative_to(root).as_posix())
            if stat.S_ISREG(found.st_mode):
                sizes[found.st_ino] = found.st_size
        remove_tree(root)
    assert contents.sizes.effective == sum(sizes.values())
    # The name under which content was stored may be gone while another one keeps it alive.
    assert visible >= there if linked else visible == there
