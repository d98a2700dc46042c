# SPDX-License-Identifier: Apache-2.0
"""The oracle: it accepts what is right and finds each planted defect, and only that one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheelship.oci.descriptor import CONFIG, INDEX, LAYER_GZIP, LAYER_TAR, MANIFEST
from wheelship.oci.validate import problems_of_layout

Document = dict[str, Any]


def tar_bytes(*names: str, **attributes: Any) -> bytes:
    """Make a tar with the standard library; a name that ends with a slash is a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            member = tarfile.TarInfo(name.removesuffix("/"))
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            for key, value in attributes.items():
                setattr(member, key, value)
            archive.addfile(member)
    return out.getvalue()


class Layout:
    """A right layout, written with the standard library alone; tests break it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "blobs/sha256").mkdir(parents=True)
        self.layers = [tar_bytes("opt/", "opt/a"), tar_bytes("opt/", "opt/b")]
        self.blobs = [gzip.compress(layer, mtime=0) for layer in self.layers]
        self.layer_type = LAYER_GZIP
        self.config: Document = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers"},
            "history": [{}, {"empty_layer": True}, {}],
        }
        self.manifest: Document = {"schemaVersion": 2, "mediaType": MANIFEST}
        self.entry: Document = {"platform": {"architecture": "amd64", "os": "linux"}}
        self.index: Document = {"schemaVersion": 2, "mediaType": INDEX}
        self.layout: object = {"imageLayoutVersion": "1.0.0"}

    def put(self, data: bytes, media_type: str) -> Document:
        digest = hashlib.sha256(data).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def write(self) -> None:
        diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in self.layers]
        rootfs = {"diff_ids": diff_ids} | self.config["rootfs"]
        config = self.put(json.dumps(self.config | {"rootfs": rootfs}).encode(), CONFIG)
        layers = [self.put(blob, self.layer_type) for blob in self.blobs]
        manifest = {"config": config, "layers": layers} | self.manifest
        entry = self.put(json.dumps(manifest).encode(), MANIFEST) | self.entry
        index = {"manifests": [entry]} | self.index
        (self.directory / "index.json").write_text(json.dumps(index))
        (self.directory / "oci-layout").write_text(json.dumps(self.layout))

    def set_layer(self, tar: bytes) -> None:
        self.layers[1] = tar
        self.blobs[1] = gzip.compress(tar, mtime=0)

    def blob(self, data: bytes) -> Path:
        return self.directory / "blobs/sha256" / hashlib.sha256(data).hexdigest()

    def problems(self) -> list[str]:
        self.write()
        return problems_of_layout(self.directory)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_a_right_layout_has_no_problems(layout: Layout) -> None:
    assert layout.problems() == []


def test_uncompressed_layers_and_missing_history_are_right(layout: Layout) -> None:
    layout.blobs = list(layout.layers)
    layout.layer_type = LAYER_TAR
    layout.config.pop("history")
    layout.entry.pop("platform")
    assert layout.problems() == []


def test_what_is_in_a_foreign_layer_is_not_judged_but_its_bytes_are(layout: Layout) -> None:
    layout.set_layer(tar_bytes("./a", "./a", "deep/without/parents", mode=0o6755))
    layout.write()
    name = f"sha256:{hashlib.sha256(layout.blobs[1]).hexdigest()}"
    assert problems_of_layout(layout.directory) != []
    assert problems_of_layout(layout.directory, [name]) == []
    assert problems_of_layout(layout.directory, ["sha256:other"]) != []
    layout.layers[1] = b"something else"
    layout.write()
    (found,) = problems_of_layout(layout.directory, [name])
    assert "another diff_id" in found
    layout.blob(layout.blobs[1]).write_bytes(b"damaged")
    (found,) = problems_of_layout(layout.directory, [name])
    assert "not what its descriptor says" in found


def test_an_empty_layer_and_an_empty_index_are_right(layout: Layout) -> None:
    layout.set_layer(bytes(1024))
    assert layout.problems() == []
    layout.index["manifests"] = []
    assert layout.problems() == []


def test_a_sticky_directory_and_a_local_hard_link_are_right(layout: Layout) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as archive:
        for name, kind, mode, link in (
            ("tmp", tarfile.DIRTYPE, 0o1777, ""),
            ("tmp/a", tarfile.REGTYPE, 0o644, ""),
            ("tmp/b", tarfile.LNKTYPE, 0o644, "tmp/a"),
            ("tmp/c", tarfile.SYMTYPE, 0o777, "/anywhere/../else"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.linkname = kind, mode, link
            archive.addfile(member)
    layout.set_layer(out.getvalue())
    assert layout.problems() == []


def swap(first: str, second: str) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        layout.set_layer(layout.layers[1].replace(first.encode(), second.encode()))

    return change


def set_in(part: str, key: str, value: object) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        getattr(layout, part)[key] = value

    return change


def layer_of(tar: bytes) -> Callable[[Layout], None]:
    return lambda layout: layout.set_layer(tar)


def broken_header(layout: Layout) -> None:
    """Break the second header: tarfile silently takes it for the end of the archive."""
    tar = bytearray(tar_bytes("opt/", "opt/b", "opt/c"))
    tar[512 + 150] ^= 1
    layout.set_layer(bytes(tar))


def other_diff_id(layout: Layout) -> None:
    layout.blobs[1] = gzip.compress(tar_bytes("opt/", "opt/other"), mtime=0)


def trailing_garbage(layout: Layout) -> None:
    layout.blobs[1] += b"garbage"


def damaged_deflate(layout: Layout) -> None:
    blob = bytearray(layout.blobs[1])
    blob[12] ^= 0xFF
    layout.blobs[1] = bytes(blob)


def truncated(layout: Layout) -> None:
    layout.blobs[1] = layout.blobs[1][:-9]


DEFECTS: dict[str, tuple[Callable[[Layout], None], str]] = {
    "layout version": (
        lambda layout: setattr(layout, "layout", {"imageLayoutVersion": "2"}),
        "oci-layout has no version",
    ),
    "index type": (set_in("index", "mediaType", MANIFEST), "index.json is no image index"),
    "index version": (set_in("index", "schemaVersion", 1), "index.json is no image index"),
    "index without manifests": (set_in("index", "manifests", None), "a document is malformed"),
    "manifest digest": (set_in("entry", "digest", f"sha256:{'0' * 64}"), "manifest .* is missing"),
    "manifest size": (set_in("entry", "size", 1), "manifest .* is missing or not what"),
    "manifest type": (set_in("manifest", "mediaType", INDEX), "has the wrong shape"),
    "manifest is both": (set_in("manifest", "manifests", []), "has the wrong shape"),
    "no configuration": (set_in("manifest", "config", {}), "a document is malformed"),
    "platform": (
        set_in("entry", "platform", {"architecture": "arm64", "os": "linux"}),
        "the index says .*arm64.*, the configuration amd64",
    ),
    "too few diff_ids": (
        set_in("config", "rootfs", {"diff_ids": []}),
        "2 layers, 0 diff_ids",
    ),
    "too much history": (set_in("config", "history", [{}] * 3), "2 layers, 3 history rows"),
    "layer type": (
        lambda layout: setattr(layout, "layer_type", "application/zip"),
        "has the media type application/zip",
    ),
    "diff_id": (other_diff_id, "unpacks to another diff_id"),
    "duplicate path": (layer_of(tar_bytes("a", "a")), "a stands in it twice"),
    "missing parent": (layer_of(tar_bytes("a/b")), "a/b comes before its directory"),
    "parent after its child": (layer_of(tar_bytes("a/b", "a/")), "a/b comes before its directory"),
    "absolute path": (layer_of(tar_bytes("/etc")), "'/etc' is no plain relative path"),
    "climbing path": (layer_of(tar_bytes("../up")), "'../up' is no plain relative path"),
    "dotted path": (layer_of(tar_bytes("./a")), "'./a' is no plain relative path"),
    "set-uid": (layer_of(tar_bytes("su", mode=0o4755)), "su is set-uid or set-gid"),
    "set-gid": (layer_of(tar_bytes("wall", mode=0o2755)), "wall is set-uid or set-gid"),
    "device": (layer_of(tar_bytes("null", type=tarfile.CHRTYPE)), "null is a device"),
    "pipe": (layer_of(tar_bytes("pipe", type=tarfile.FIFOTYPE)), "pipe is a device"),
    "link into a lower layer": (
        layer_of(tar_bytes("b", type=tarfile.LNKTYPE, linkname="opt/a")),
        "b links to opt/a, which is not in the layer",
    ),
    "broken header": (broken_header, "has data where its archive ends"),
    "no end": (
        lambda layout: layout.set_layer(tar_bytes("a")[:1024]),
        "lacks the end of its archive",
    ),
    "truncated gzip": (truncated, "cannot be read"),
    "damaged gzip": (damaged_deflate, "cannot be read"),
    "garbage behind the gzip": (trailing_garbage, "cannot be read"),
    "no tar": (layer_of(b"hello" * 500), "cannot be read"),
}


@pytest.mark.parametrize(("plant", "message"), DEFECTS.values(), ids=DEFECTS.keys())
def test_a_planted_defect_is_found(
    layout: Layout, plant: Callable[[Layout], None], message: str
) -> None:
    """image-spec and traps §1.1, one defect each; nothing else is reported."""
    plant(layout)
    problems = layout.problems()
    assert problems != []
    assert [problem for problem in problems if not re.search(message, problem)] == []


@pytest.mark.parametrize("victim", ["config", "layer", "manifest"])
@pytest.mark.parametrize("damage", ["missing", "changed", "longer"])
def test_a_missing_or_changed_blob_is_found(layout: Layout, victim: str, damage: str) -> None:
    """image-spec, descriptor.md: size and digest of what is there must be those promised."""
    layout.write()
    entry = json.loads((layout.directory / "index.json").read_bytes())["manifests"][0]
    manifest_path = layout.directory / "blobs/sha256" / entry["digest"].removeprefix("sha256:")
    manifest = json.loads(manifest_path.read_bytes())
    blobs = layout.directory / "blobs/sha256"
    path = {
        "manifest": manifest_path,
        "config": blobs / manifest["config"]["digest"].removeprefix("sha256:"),
        "layer": layout.blob(layout.blobs[0]),
    }[victim]
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(data[:-1] + b"!" if damage == "changed" else data + b"!")
    (problem,) = problems_of_layout(layout.directory)
    assert "is missing or not" in problem


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
@pytest.mark.parametrize("text", [None, "", "{", "\xff"])
def test_no_layout_at_all_is_said(layout: Layout, name: str, text: str | None) -> None:
    layout.write()
    (layout.directory / name).unlink()
    if text is not None:
        (layout.directory / name).write_bytes(text.encode("latin-1"))
    (problem,) = problems_of_layout(layout.directory)
    assert problem.startswith("no readable layout")


@pytest.mark.parametrize("text", ["[]", "null", "1", '{"manifests": [1]}', '{"manifests": [{}]}'])
def test_any_json_is_answered_with_problems(layout: Layout, text: str) -> None:
    layout.write()
    (layout.directory / "index.json").write_text(text)
    assert any("malformed" in problem for problem in problems_of_layout(layout.directory))
