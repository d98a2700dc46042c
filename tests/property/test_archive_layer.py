# SPDX-License-Identifier: Apache-2.0
"""Layers of arbitrary entries read back as they were given."""

from __future__ import annotations

import gzip
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from wheelship.archive.entry import Content, Directory, Entry, File, InMemory, Streamed, Symlink
from wheelship.archive.layer import with_parents
from wheelship.oci.digest import Digest
from wheelship.testing.layer import deflated, read_layer, write_layer

NAMES = st.text("abcdé.-", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
SMALL = st.binary(max_size=1500)
LARGE = st.tuples(st.binary(min_size=1, max_size=30), st.integers(1, 9000)).map(
    lambda pair: pair[0] * pair[1]
)


@st.composite
def contents(draw: st.DrawFn) -> tuple[Content, bytes]:
    data = draw(st.one_of(SMALL, LARGE))
    match draw(st.sampled_from("dms")):
        case "d":
            promised = ("sha512", hashlib.sha512(data).hexdigest())
            return deflated(data, level=draw(st.integers(0, 9)), expected_hash=promised), data
        case "m":
            return InMemory(data), data
        case _:
            cut = draw(st.integers(1, 5000))
            pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
            return Streamed(len(data), lambda: iter(pieces)), data


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[Entry], dict[str, bytes]]:
    """Return entries that form a tree: no path is both a file and the parent of another."""
    entries: list[Entry] = []
    data: dict[str, bytes] = {}
    paths = draw(st.sets(PATHS, max_size=12))
    for path in sorted(paths):
        if any(other != path and other.startswith(path + "/") for other in paths):
            continue
        match draw(st.sampled_from("fffds")):
            case "f":
                content, data[path] = draw(contents())
                mode = draw(st.sampled_from((0o644, 0o755)))
                entries.append(File(path=path, mode=mode, content=content))
            case "d":
                entries.append(Directory(path=path))
            case _:
                entries.append(Symlink(path=path, target=draw(PATHS)))
    return entries, data


@given(trees())
def test_a_layer_reads_back(tree: tuple[list[Entry], dict[str, bytes]]) -> None:
    entries, data = tree
    blob, told = write_layer(with_parents(entries))
    found = read_layer(blob)
    assert {path: one.data for path, one in found.items() if one.kind == b"0"} == data
    for entry in entries:
        assert found[entry.path].mode == entry.mode
        assert found[entry.path].target == getattr(entry, "target", "")
    assert told.diff_id == Digest.of(gzip.decompress(blob))
    rows = {row.path: row.sha256 for row in told.index if row.sha256}
    assert rows == {path: hashlib.sha256(one).hexdigest() for path, one in data.items()}


@given(trees())
def test_each_entry_comes_after_its_parents(tree: tuple[list[Entry], dict[str, bytes]]) -> None:
    """Traps §1.1: always emit parents, and before what lies in them."""
    seen: set[str] = set()
    for entry in with_parents(tree[0]):
        parent = entry.path.rpartition("/")[0]
        assert not parent or parent in seen
        assert entry.path not in seen
        seen.add(entry.path)
    assert {entry.path for entry in tree[0]} <= seen


@given(trees())
def test_bytes_depend_on_entries_only(
    tree: tuple[list[Entry], dict[str, bytes]],
) -> None:
    """The same entries give the same blob however their contents arrive."""
    entries, data = tree

    def whole(entry: Entry) -> Entry:
        if isinstance(entry, File) and isinstance(entry.content, Streamed):
            return File(path=entry.path, mode=entry.mode, content=InMemory(data[entry.path]))
        return entry

    assert write_layer(entries) == write_layer([whole(entry) for entry in entries])
