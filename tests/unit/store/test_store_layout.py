# SPDX-License-Identifier: Apache-2.0
"""OCI layouts: linked from the store, read by tag, never half there."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheelship.archive.entry import Directory, Entry, File, InMemory
from wheelship.errors import ExitStatus
from wheelship.oci.digest import Digest
from wheelship.oci.image import Image
from wheelship.oci.validate import problems_of_layout
from wheelship.store import layout_writer as module
from wheelship.store.errors import DamagedStore, InvalidLayout, NotWritable
from wheelship.store.layout import REF_NAME, read_layout
from wheelship.store.layout_writer import write_layout
from wheelship.store.store import Store
from wheelship.testing.image import make_image


def one(name: str) -> list[Entry]:
    return [Directory(path="opt"), File(path=f"opt/{name}", content=InMemory(name.encode()))]


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture
def image(store: Store) -> Image:
    return make_image(store, one("base"), one("app"))


def blobs(directory: Path) -> dict[str, int]:
    """Return the layout's blobs with their inodes."""
    return {path.name: path.stat().st_ino for path in (directory / "blobs/sha256").iterdir()}


def tags(directory: Path) -> list[str]:
    index = json.loads((directory / "index.json").read_bytes())
    return [entry["annotations"][REF_NAME] for entry in index["manifests"]]


def tree(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


# Writing


def test_a_written_layout_is_valid_and_reads_back(
    tmp_path: Path, store: Store, image: Image
) -> None:
    target = tmp_path / "new/dist"
    write_layout(target, image, "1.0-cpu", store.blob)
    assert problems_of_layout(target) == []
    found = read_layout(target)
    assert found.reference == "1.0-cpu"
    assert found.digest == image.descriptor.digest
    assert found.manifest == image.manifest_bytes
    assert (found.config, found.config_bytes) == (image.config, image.config_bytes)
    assert [(layer.digest, layer.diff_id, layer.size_bytes) for layer in found.layers] == [
        (layer.descriptor.digest, layer.diff_id, layer.descriptor.size_bytes)
        for layer in image.layers
    ]
    assert all(layer.path.is_file() for layer in found.layers)
    assert json.loads((target / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


def test_layers_are_hard_links(tmp_path: Path, store: Store, image: Image) -> None:
    """DESIGN §3: hard links from the store; a layout of gigabytes costs nothing."""
    linked = write_layout(tmp_path / "dist", image, "a", store.blob)
    digests = [layer.descriptor.digest for layer in image.layers]
    assert linked == frozenset(digests)
    for digest in digests:
        assert blobs(tmp_path / "dist")[digest.hex] == store.blob(digest).stat().st_ino


def test_a_second_write_links_nothing(tmp_path: Path, store: Store, image: Image) -> None:
    write_layout(tmp_path / "dist", image, "a", store.blob)
    before = blobs(tmp_path / "dist")
    index = (tmp_path / "dist/index.json").stat()
    assert write_layout(tmp_path / "dist", image, "a", store.blob) == frozenset()
    assert blobs(tmp_path / "dist") == before
    after = (tmp_path / "dist/index.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (index.st_ino, index.st_mtime_ns)


def test_a_layout_is_the_same_however_often_it_was_written(
    tmp_path: Path, store: Store, image: Image
) -> None:
    other = make_image(store, one("base"), one("changed"))
    write_layout(tmp_path / "direct", image, "a", store.blob)
    for step in (other, image, image):
        write_layout(tmp_path / "detour", step, "a", store.blob)
    assert tree(tmp_path / "direct") == tree(tmp_path / "detour")
    for name in ("index.json", "oci-layout"):
        direct = (tmp_path / "direct" / name).read_bytes()
        assert direct == (tmp_path / "detour" / name).read_bytes()


def test_other_tags_are_kept(tmp_path: Path, store: Store, image: Image) -> None:
    other = make_image(store, one("base"), one("cuda"))
    write_layout(tmp_path, image, "cpu", store.blob)
    write_layout(tmp_path, other, "cuda", store.blob)
    assert tags(tmp_path) == ["cpu", "cuda"]
    assert read_layout(tmp_path, "cpu").digest == image.descriptor.digest
    assert read_layout(tmp_path, "cuda").digest == other.descriptor.digest
    assert problems_of_layout(tmp_path) == []


def test_a_moved_tag_leaves_no_unreachable_blob(tmp_path: Path, store: Store, image: Image) -> None:
    write_layout(tmp_path / "dist", image, "a", store.blob)
    changed = make_image(store, one("base"), one("changed"))
    write_layout(tmp_path / "dist", changed, "a", store.blob)
    documents = (changed.manifest_bytes, changed.config_bytes)
    assert set(blobs(tmp_path / "dist")) == {
        *(layer.descriptor.digest.hex for layer in changed.layers),
        *(Digest.of(data).hex for data in documents),
    }
    assert all(store.blob(layer.descriptor.digest).exists() for layer in image.layers)
    assert problems_of_layout(tmp_path / "dist") == []


def test_what_another_tool_put_there_is_kept(tmp_path: Path, store: Store, image: Image) -> None:
    """An index of several platforms reaches its manifests, and they their layers."""
    write_layout(tmp_path, image, "cpu", store.blob)
    nested = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [image.descriptor.to_json()],
        }
    ).encode()
    path = tmp_path / "blobs/sha256" / Digest.of(nested).hex
    path.write_bytes(nested)
    index = json.loads((tmp_path / "index.json").read_bytes())
    entry = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": str(Digest.of(nested)),
        "size": len(nested),
        "annotations": {REF_NAME: "multi"},
    }
    index |= {"manifests": [entry], "annotations": {"made.by": "another tool"}}
    (tmp_path / "index.json").write_text(json.dumps(index))
    write_layout(tmp_path, make_image(store, one("other")), "cuda", store.blob)
    assert path.exists()
    assert {layer.descriptor.digest.hex for layer in image.layers} <= set(blobs(tmp_path))
    kept = json.loads((tmp_path / "index.json").read_bytes())
    assert kept["annotations"] == {"made.by": "another tool"}
    assert tags(tmp_path) == ["cuda", "multi"]


def test_nothing_is_collected_when_a_document_cannot_be_read(
    tmp_path: Path, store: Store, image: Image
) -> None:
    """What it names is unknown, so everything may still be needed."""
    write_layout(tmp_path, image, "a", store.blob)
    (tmp_path / "blobs/sha256" / image.descriptor.digest.hex).write_bytes(b"damaged")
    write_layout(tmp_path, make_image(store, one("other")), "b", store.blob)
    assert {layer.descriptor.digest.hex for layer in image.layers} <= set(blobs(tmp_path))


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave like a file system without hard links; /dev/shm is a real one (integration)."""

    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_blobs_are_copied_once(
    tmp_path: Path, store: Store, image: Image
) -> None:
    """DESIGN §3: copies across file systems."""
    target = tmp_path / "dist"
    assert write_layout(target, image, "a", store.blob) == frozenset()
    assert problems_of_layout(target) == []
    before = blobs(target)
    assert write_layout(target, image, "a", store.blob) == frozenset()
    assert blobs(target) == before


@pytest.mark.usefixtures("no_links")
def test_a_damaged_copy_is_replaced(tmp_path: Path, store: Store, image: Image) -> None:
    write_layout(tmp_path, image, "a", store.blob)
    path = tmp_path / "blobs/sha256" / image.layers[0].descriptor.digest.hex
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    assert problems_of_layout(tmp_path) != []
    write_layout(tmp_path, image, "a", store.blob)
    assert problems_of_layout(tmp_path) == []


@pytest.mark.parametrize("victim", ["layer", "config", "manifest", "oci-layout"])
@pytest.mark.parametrize("damage", ["remove", "change"])
def test_the_next_write_repairs(
    tmp_path: Path, store: Store, image: Image, victim: str, damage: str
) -> None:
    """DESIGN §11: the next run repairs, even when nothing changed."""
    write_layout(tmp_path, image, "a", store.blob)
    path = {
        "layer": tmp_path / "blobs/sha256" / image.layers[0].descriptor.digest.hex,
        "config": tmp_path / "blobs/sha256" / Digest.of(image.config_bytes).hex,
        "manifest": tmp_path / "blobs/sha256" / image.descriptor.digest.hex,
        "oci-layout": tmp_path / "oci-layout",
    }[victim]
    path.unlink()
    if damage == "change":
        path.write_bytes(b"{}")
    assert problems_of_layout(tmp_path) != []
    write_layout(tmp_path, image, "a", store.blob)
    assert problems_of_layout(tmp_path) == []


def test_an_interrupted_first_write_does_not_block_the_next(
    tmp_path: Path, store: Store, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the index was there: the names are the layout's own."""
    with monkeypatch.context() as patch:
        replace = Path.replace

        def stop(self: Path, target: Path) -> Path:
            if target.name == "index.json":
                raise KeyboardInterrupt
            return replace(self, target)

        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            write_layout(tmp_path, image, "a", store.blob)
    assert not (tmp_path / "index.json").exists()
    write_layout(tmp_path, image, "a", store.blob)
    assert problems_of_layout(tmp_path) == []


def test_a_tag_moves_last(
    tmp_path: Path, store: Store, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DESIGN §11: a tag moves only when everything it names is there."""
    write_layout(tmp_path, image, "a", store.blob)
    changed = make_image(store, one("base"), one("changed"))
    replace = Path.replace
    order: list[str] = []

    def watch(self: Path, target: Path) -> Path:
        order.append(target.name)
        assert read_layout(tmp_path).digest == image.descriptor.digest
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    write_layout(tmp_path, changed, "a", store.blob)
    assert order[-1] == "index.json"
    assert order.count("index.json") == 1
    assert read_layout(tmp_path).digest == changed.descriptor.digest


def test_leftovers_of_a_killed_process_are_removed(
    tmp_path: Path, store: Store, image: Image
) -> None:
    write_layout(tmp_path, image, "a", store.blob)
    expected = tree(tmp_path)
    (tmp_path / "blobs/sha256/.new-x").mkdir()
    (tmp_path / "blobs/sha256/.new-x/blob").write_bytes(b"half")
    (tmp_path / ".new-y").write_bytes(b"{")
    write_layout(tmp_path, image, "a", store.blob)
    assert tree(tmp_path) == expected


def test_a_directory_with_something_else_is_refused(
    tmp_path: Path, store: Store, image: Image
) -> None:
    """``--output oci:.`` must not fill somebody's home directory."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/notes.txt").write_text("mine")
    with pytest.raises(InvalidLayout, match="a directory with other content") as caught:
        write_layout(tmp_path / "dist", image, "a", store.blob)
    assert caught.value.exit_status == ExitStatus.INPUT
    assert tree(tmp_path / "dist") == {"notes.txt"}


def test_a_file_in_the_way_is_said(tmp_path: Path, store: Store, image: Image) -> None:
    (tmp_path / "dist").write_text("a file")
    with pytest.raises(NotWritable):
        write_layout(tmp_path / "dist", image, "a", store.blob)


def test_a_blob_that_left_the_store_is_said(tmp_path: Path, store: Store, image: Image) -> None:
    """Another process may prune the store while this one builds."""
    store.blob(image.layers[0].descriptor.digest).unlink()
    with pytest.raises(DamagedStore, match="lost the blob") as caught:
        write_layout(tmp_path / "dist", image, "a", store.blob)
    assert "again" in (caught.value.hint or "")
    assert not (tmp_path / "dist/index.json").exists()


def test_permissions_let_others_read(tmp_path: Path, store: Store, image: Image) -> None:
    write_layout(tmp_path, image, "a", store.blob)
    for path in (tmp_path / "index.json", tmp_path / "oci-layout"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


# Reading


def written(directory: Path, store: Store, image: Image, *names: str) -> Path:
    for name in names or ("a",):
        write_layout(directory, image, name, store.blob)
    return directory


def test_without_a_tag_there_must_be_one_image(tmp_path: Path, store: Store, image: Image) -> None:
    """DESIGN §5: a layout with one image needs no tag."""
    written(tmp_path, store, image, "cpu", "cuda")
    with pytest.raises(InvalidLayout, match="holds several images; it has cpu, cuda") as caught:
        read_layout(tmp_path)
    assert caught.value.hint == f"name one: oci:{tmp_path}:cpu"
    assert read_layout(tmp_path, "cuda").reference == "cuda"


def test_an_unknown_tag_is_said_with_those_there_are(
    tmp_path: Path, store: Store, image: Image
) -> None:
    written(tmp_path, store, image, "cpu")
    with pytest.raises(InvalidLayout, match="has no tag 'rocm'; it has cpu"):
        read_layout(tmp_path, "rocm")


def test_an_empty_layout_has_no_image(tmp_path: Path) -> None:
    with pytest.raises(InvalidLayout, match="holds no image") as caught:
        read_layout(tmp_path / "nowhere")
    assert caught.value.hint == "build one: wheelship build"


def document(directory: Path, name: str, change: dict[str, Any]) -> None:
    """Change a document and everything that names it, so that only its content is wrong."""
    index = json.loads((directory / "index.json").read_bytes())
    entry = index["manifests"][0]
    manifest = json.loads(blob(directory, entry["digest"]).read_bytes())
    if name == "config":
        config = json.loads(blob(directory, manifest["config"]["digest"]).read_bytes())
        manifest["config"] |= put(directory, config | change)
    if name == "manifest":
        manifest |= change
    entry |= put(directory, manifest)
    (directory / "index.json").write_text(json.dumps(index))


def blob(directory: Path, digest: str) -> Path:
    return directory / "blobs/sha256" / digest.removeprefix("sha256:")


def put(directory: Path, value: object) -> dict[str, Any]:
    data = json.dumps(value).encode()
    digest = str(Digest.of(data))
    blob(directory, digest).write_bytes(data)
    return {"digest": digest, "size": len(data)}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("manifest", {"mediaType": "application/json"}, "does not name an image manifest"),
        ("manifest", {"config": {}}, "malformed document"),
        ("manifest", {"config": None}, "malformed document"),
        ("manifest", {"layers": None}, "malformed document"),
        ("manifest", {"layers": []}, "a configuration for other layers"),
        ("manifest", {"layers": [1, 2]}, "malformed document"),
        ("manifest", {"layers": [{}, {}]}, "malformed document"),
        ("config", {"rootfs": {}}, "malformed document"),
        ("config", {"rootfs": None}, "malformed document"),
        ("config", {"config": {"Env": [1]}}, "malformed document"),
        ("config", {"history": [None]}, "malformed document"),
    ],
)
def test_a_malformed_document_is_refused(
    tmp_path: Path, store: Store, image: Image, name: str, change: dict[str, Any], message: str
) -> None:
    """Any tool's layout may be given as IMAGE; never a traceback for bad input."""
    written(tmp_path, store, image)
    document(tmp_path, name, change)
    with pytest.raises(InvalidLayout, match=message):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"manifests": null}', '{"manifests": [1]}', '{"manifests": [{}]}', "1"],
)
def test_an_unreadable_index_is_refused(
    tmp_path: Path, store: Store, image: Image, text: str
) -> None:
    written(tmp_path, store, image)
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(InvalidLayout, match=r"unreadable index\.json"):
        read_layout(tmp_path)
    with pytest.raises(InvalidLayout, match=r"unreadable index\.json"):
        write_layout(tmp_path, image, "a", store.blob)
    assert {layer.descriptor.digest.hex for layer in image.layers} <= set(blobs(tmp_path))


@pytest.mark.parametrize("digest", ["sha512:" + "0" * 128, "sha256:../../../etc/passwd", "x"])
def test_a_digest_that_is_none_is_refused(
    tmp_path: Path, store: Store, image: Image, digest: str
) -> None:
    """A digest becomes a file name, so it is checked before."""
    written(tmp_path, store, image)
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [{"digest": digest}]}))
    with pytest.raises(Exception, match="digest") as caught:
        read_layout(tmp_path)
    assert getattr(caught.value, "code", None) == "invalid-digest"


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        (victim, damage)
        for victim in ("layer", "config", "manifest")
        for damage in ("remove", "truncate", "change")
        if (victim, damage) != ("layer", "change")  # found by whoever reads the layer
    ],
)
def test_a_missing_or_damaged_blob_is_found(
    tmp_path: Path, store: Store, image: Image, victim: str, damage: str
) -> None:
    written(tmp_path, store, image)
    digest = {
        "layer": image.layers[1].descriptor.digest,
        "config": Digest.of(image.config_bytes),
        "manifest": image.descriptor.digest,
    }[victim]
    path = blob(tmp_path, str(digest))
    data = path.read_bytes()
    path.unlink()
    if damage == "truncate":
        path.write_bytes(data[:-1])
    if damage == "change":
        path.write_bytes(data[:-1] + b"x")
    with pytest.raises(InvalidLayout, match=f"{digest}"):
        read_layout(tmp_path)


def test_a_huge_document_is_not_read(tmp_path: Path, store: Store, image: Image) -> None:
    """Traps §1.2: other readers take 4 MiB; memory is not the image's to choose."""
    written(tmp_path, store, image)
    document(tmp_path, "manifest", {"annotations": {"x": "y" * (5 * 1024 * 1024)}})
    with pytest.raises(InvalidLayout, match="damaged blob"):
        read_layout(tmp_path)


def test_layouts_of_one_directory_are_written_one_after_the_other(
    tmp_path: Path, store: Store, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builds of two variants share a layout; neither may lose the other's tag."""
    import threading

    other = make_image(store, one("base"), one("cuda"))
    inside: list[int] = []
    read_index = module.read_index

    def slow(directory: Path) -> dict[str, Any]:
        inside.append(1)
        assert len(inside) == 1, "two writers at once"
        found = read_index(directory)
        threading.Event().wait(0.02)
        inside.pop()
        return found

    monkeypatch.setattr(module, "read_index", slow)
    threads = [
        threading.Thread(target=write_layout, args=(tmp_path, image, f"cpu{n}", store.blob))
        for n in range(3)
    ]
    threads += [threading.Thread(target=write_layout, args=(tmp_path, other, "cuda", store.blob))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tags(tmp_path) == ["cpu0", "cpu1", "cpu2", "cuda"]
    assert problems_of_layout(tmp_path) == []


def test_removing_a_layout_leaves_the_store_alone(
    tmp_path: Path, store: Store, image: Image
) -> None:
    written(tmp_path / "dist", store, image)
    shutil.rmtree(tmp_path / "dist")
    for number, layer in enumerate(image.layers):
        record = store.find_layer(Digest.of(b"layer %d" % number))
        assert record is not None
        assert record.digest == layer.descriptor.digest
        assert store.blob(layer.descriptor.digest).stat().st_nlink == 1
