# SPDX-License-Identifier: Apache-2.0
"""The oracle: it accepts what is right and finds each planted defect, and only that one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from wheelship.oci.descriptor import CONFIG, INDEX, LAYER_GZIP, LAYER_TAR, LAYER_ZSTD, MANIFEST
from wheelship.oci.validate import problems_of_layout, validate

Document = dict[str, Any]
REF_NAME = "org.opencontainers.image.ref.name"


def tar_bytes(
    *names: str, ending: bool = True, form: int = tarfile.PAX_FORMAT, **attributes: Any
) -> bytes:
    """Make a tar with the standard library; a name that ends with a slash is a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=form) as archive:
        for name in names:
            member = tarfile.TarInfo(name.removesuffix("/"))
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            for key, value in attributes.items():
                setattr(member, key, value)
            archive.addfile(member)
        written = archive.offset
    return out.getvalue() if ending else out.getvalue()[:written]


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


def test_names_of_foreign_layers_may_begin_as_tar_writes_them(layout: Layout) -> None:
    layout.set_layer(tar_bytes("./a", "./deep/without/parents", mode=0o6755))
    layout.write()
    name = f"sha256:{hashlib.sha256(layout.blobs[1]).hexdigest()}"
    assert any("no plain relative path" in one for one in problems_of_layout(layout.directory))
    assert validate(layout.directory, foreign=[name]).problems == ()
    layout.set_layer(tar_bytes("./a", "a"))
    layout.write()
    name = f"sha256:{hashlib.sha256(layout.blobs[1]).hexdigest()}"
    (found,) = validate(layout.directory, foreign=[name]).problems
    assert "stands in it twice" in found


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


def tar_of(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def over(below: bytes, above: bytes) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        layout.layers[0] = below
        layout.blobs[0] = gzip.compress(below, mtime=0)
        layout.set_layer(above)

    return change


def many_layers(layout: Layout) -> None:
    layout.layers = [tar_bytes(f"file{number}") for number in range(126)]
    layout.blobs = [gzip.compress(layer, mtime=0) for layer in layout.layers]
    layout.config.pop("history")


def gzip_header(at: int, value: int) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        blob = bytearray(layout.blobs[1])
        blob[at] = value
        layout.blobs[1] = bytes(blob)

    return change


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
        set_in("config", "rootfs", {"type": "layers", "diff_ids": []}),
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
    "index is both": (set_in("index", "layers", []), "is an index and a manifest at once"),
    "index annotation": (set_in("index", "annotations", {"a": 1}), "malformed annotation 'a'"),
    "entry annotation": (set_in("entry", "annotations", {"": "a"}), "malformed annotation ''"),
    "name": (set_in("entry", "annotations", {REF_NAME: "a b"}), "the name 'a b', which is none"),
    "manifest version": (set_in("manifest", "schemaVersion", 1), "has the wrong shape"),
    "manifest annotation": (set_in("manifest", "annotations", {"a": None}), "malformed annotation"),
    "digest": (set_in("entry", "digest", "sha256:ABC"), "'sha256:ABC' is no sha256 digest"),
    "climbing digest": (set_in("entry", "digest", "sha256:../../x"), "is no sha256 digest"),
    "no architecture": (set_in("config", "architecture", ""), "has no architecture|the index says"),
    "variant": (
        set_in("entry", "platform", {"architecture": "amd64", "os": "linux", "variant": "v8"}),
        "the index says .*v8",
    ),
    "rootfs": (set_in("config", "rootfs", {"type": "rootfs"}), "a rootfs of the type 'rootfs'"),
    "diff_id form": (
        set_in("config", "rootfs", {"type": "layers", "diff_ids": ["sha256:1", "md5:2"]}),
        "has the diff_id 'sha256:1'|has the diff_id 'md5:2'|unpacks to another",
    ),
    "created": (set_in("config", "created", "yesterday"), "created at 'yesterday'"),
    "history": (set_in("config", "history", [{"created": 1}, {}]), "was created at 1"),
    "variable": (set_in("config", "config", {"Env": ["PATH"]}), "'PATH', which is none"),
    "variable twice": (set_in("config", "config", {"Env": ["A=1", "A=2"]}), "variable A twice"),
    "command": (set_in("config", "config", {"Cmd": "true"}), "a malformed Cmd"),
    "entry point": (set_in("config", "config", {"Entrypoint": [1]}), "a malformed Entrypoint"),
    "port": (set_in("config", "config", {"ExposedPorts": {"http": {}}}), "exposes 'http'"),
    "volume": (set_in("config", "config", {"Volumes": {"data": {}}}), "'data', which is not abs"),
    "directory": (set_in("config", "config", {"WorkingDir": "app"}), "'app', which is not abs"),
    "label": (set_in("config", "config", {"Labels": {"a": 1}}), "a malformed label 'a'"),
    "too many layers": (many_layers, "126 layers; Docker's classic store takes 125"),
    "lone whiteout": (layer_of(tar_bytes(".wh.")), "looks like a whiteout and is none"),
    "whiteout with content": (layer_of(tar_of(".wh.a", b"x")), "like a whiteout and is none"),
    "whiteout directory": (layer_of(tar_bytes(".wh.a/")), "like a whiteout and is none"),
    "below a whiteout": (
        layer_of(tar_bytes(".wh.a/", "opt/", ".wh.a/b")),
        "lies below a whiteout|looks like a whiteout",
    ),
    "whiteout of its own": (layer_of(tar_bytes("a", ".wh.a")), "hides what the layer itself"),
    "late opaque whiteout": (
        layer_of(tar_bytes("d/", "d/a", "d/.wh..wh..opq")),
        "comes after what it would hide",
    ),
    "times": (
        layer_of(tar_bytes("a", ending=False) + tar_bytes("b", mtime=5)),
        "its entries have 2 different times",
    ),
    "owner's name": (layer_of(tar_bytes("a", uname="root")), "names its owner root:"),
    "writable file": (layer_of(tar_bytes("a", mode=0o666)), "everybody may write to a"),
    "writable directory": (layer_of(tar_bytes("a/", mode=0o777)), "everybody may write to a"),
    "extended attribute": (
        layer_of(tar_bytes("a", pax_headers={"SCHILY.xattr.user.x": "1"})),
        "the extended headers SCHILY.xattr.user.x",
    ),
    "GNU long name": (
        layer_of(tar_bytes("n" * 200, form=tarfile.GNU_FORMAT)),
        "neither ustar nor pax",
    ),
    "file as a parent": (layer_of(tar_bytes("a", "a/b")), "a/b lies below what is no directory"),
    "link of a lower layer": (
        over(tar_bytes("lib", type=tarfile.SYMTYPE, linkname="usr"), tar_bytes("lib/", "lib/x")),
        "lib replaces something of another kind",
    ),
    "directory of a lower layer": (
        over(tar_bytes("lib/", "lib/x"), tar_bytes("lib")),
        "lib replaces something of another kind",
    ),
    "time in the gzip": (gzip_header(4, 1), "its gzip header holds a time"),
    "flags in the gzip": (gzip_header(3, 16), "its gzip header holds a time|cannot be read"),
}


ALSO_WRONG_FROM_OTHERS = {"layer type", "duplicate path", "lone whiteout", "diff_id", "no tar"}
HOUSE = {"missing parent", "set-uid", "device", "times", "owner's name", "writable file"}


@pytest.mark.parametrize("name", sorted(ALSO_WRONG_FROM_OTHERS | HOUSE))
def test_layers_of_others_are_held_to_the_specification_alone(layout: Layout, name: str) -> None:
    DEFECTS[name][0](layout)
    layout.write()
    digest = f"sha256:{hashlib.sha256(layout.blobs[1]).hexdigest()}"
    for foreign in ([digest], None):
        report = validate(layout.directory, foreign=foreign)
        assert bool(report.problems) == (name in ALSO_WRONG_FROM_OTHERS)
    assert validate(layout.directory, foreign=[f"sha256:{'0' * 64}"]).problems


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


# --- whiteouts, nested indexes, other compressions ---


def test_an_explicit_whiteout_hides_what_is_below(layout: Layout) -> None:
    """After it the path may be something else."""
    out = tar_bytes(".wh.opt", "etc/", "etc/.wh..wh..opq", "etc/x")
    layout.set_layer(out)
    layout.layers.append(tar_bytes("opt"))
    layout.blobs.append(gzip.compress(layout.layers[2], mtime=0))
    layout.config["history"] = []
    assert layout.problems() == []


def test_a_nested_index_is_followed(layout: Layout) -> None:
    layout.write()
    inner = (layout.directory / "index.json").read_bytes()
    layout.index["manifests"] = [layout.put(inner, INDEX)]
    assert layout.problems() == []
    layout.blob(layout.blobs[0]).unlink()
    (problem,) = problems_of_layout(layout.directory)
    assert "is missing or not" in problem


def index_of(layout: Layout, *entries: Document) -> list[str]:
    """Return what is wrong when the layout's name leads to an index of its manifest, changed so."""
    layout.index.pop("manifests", None)
    layout.write()
    (manifest,) = json.loads((layout.directory / "index.json").read_bytes())["manifests"]
    manifest.pop("platform")
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [manifest | e for e in entries],
    }
    layout.index["manifests"] = [layout.put(json.dumps(document).encode(), INDEX)]
    return layout.problems()


def test_an_index_has_one_manifest_for_each_platform(layout: Layout) -> None:
    amd64 = {"platform": {"os": "linux", "architecture": "amd64"}}
    assert index_of(layout, amd64) == []
    assert index_of(layout, {}) == [], "the only one need not say what it is for"
    (problem,) = index_of(layout, amd64, amd64)
    assert problem.endswith("lists several manifests for linux/amd64")
    (problem,) = index_of(layout, amd64, {})
    assert problem.endswith("lists several manifests, and not all say for which platform")
    assert index_of(layout)[0].endswith("lists nothing")
    found = index_of(layout, amd64, {"platform": {"os": "linux", "architecture": "arm64"}})
    assert [one.partition(",")[0][:14] for one in found] == ["the index says"]


def test_what_is_attached_to_images_is_no_second_image(layout: Layout) -> None:
    """BuildKit's attestations are all for the platform unknown/unknown."""
    unknown = {"platform": {"os": "unknown", "architecture": "unknown"}}
    layout.config |= {"os": "unknown", "architecture": "unknown"}
    assert [one for one in index_of(layout, unknown, unknown) if "several" in one] == []


def test_a_name_that_leads_to_two_manifests_is_found(layout: Layout) -> None:
    layout.entry["annotations"] = {REF_NAME: "cpu"}
    layout.write()
    index = json.loads((layout.directory / "index.json").read_bytes())
    layout.index["manifests"] = index["manifests"] * 2
    assert layout.problems() == ["the name 'cpu' leads to several manifests"]


def test_zstd_is_read_in_all_its_frames(layout: Layout) -> None:
    layout.layer_type = LAYER_ZSTD
    problems = layout.problems()
    assert len(problems) == 2
    assert all("cannot be read" in one for one in problems), "it is gzip"
    layout.blobs = [
        zstandard.compress(tar[:700]) + zstandard.compress(tar[700:]) for tar in layout.layers
    ]
    assert layout.problems() == []
    layout.blobs[0] = layout.blobs[0][:-9]
    assert any("cannot be read" in one or "diff_id" in one for one in layout.problems())


def test_a_document_may_not_say_a_thing_twice(layout: Layout) -> None:
    """Readers disagree about which of the two counts."""
    layout.write()
    path = layout.directory / "index.json"
    path.write_text(path.read_text().replace("{", '{"schemaVersion": 2, ', 1))
    (problem,) = problems_of_layout(layout.directory)
    assert "a key stands twice" in problem


def test_a_document_of_more_than_4_mib_is_refused(layout: Layout) -> None:
    """Traps §1.2: other readers stop there."""
    layout.index["annotations"] = {"a": "x" * 5_000_000}
    (problem,) = layout.problems()
    assert "readers take 4194304" in problem


def test_a_blob_that_is_a_link_is_found(layout: Layout) -> None:
    """Some engines refuse those (traps §1.3)."""
    layout.write()
    blob = layout.blob(layout.blobs[0])
    blob.rename(layout.directory / "elsewhere")
    blob.symlink_to(layout.directory / "elsewhere")
    report = validate(layout.directory)
    assert any("is missing or not" in one for one in report.problems)
    assert any(one.endswith("is no regular file") for one in report.problems)
    assert report.notes == ("elsewhere is no part of a layout",)


def test_what_nothing_leads_to_is_noted(layout: Layout) -> None:
    layout.write()
    assert validate(layout.directory).notes == ()
    layout.put(b"alone", LAYER_TAR)
    layout.blob(b"alone").with_name("f" * 64).write_bytes(b"damaged")
    (layout.directory / ".index.json.new-abc").touch()
    report = validate(layout.directory)
    assert report.problems == ()
    assert len(report.notes) == 3
    assert f"the blob {'f' * 64} is damaged, and nothing leads to it" in report.notes


# --- archives ---


def archive(layout: Layout, *more: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    path = layout.directory.parent / f"{layout.directory.name}.tar"
    with tarfile.open(path, "w:") as out:
        for child in layout.directory.iterdir():
            out.add(child, f"./{child.name}")
        for name, data in more:
            member = tarfile.TarInfo(name)
            member.size, member.type = len(data), kind
            out.addfile(member, io.BytesIO(data))
    return path


def manifest_json(layout: Layout, **changes: object) -> bytes:
    index = json.loads((layout.directory / "index.json").read_bytes())
    manifest = layout.blob(b"").with_name(index["manifests"][0]["digest"][7:])
    document = json.loads(manifest.read_bytes())
    names = [f"blobs/sha256/{layer['digest'][7:]}" for layer in document["layers"]]
    row = {"Config": f"blobs/sha256/{document['config']['digest'][7:]}", "RepoTags": ["a:1"]}
    return json.dumps([row | {"Layers": names} | changes]).encode()


def test_an_archive_is_read_in_place(layout: Layout) -> None:
    layout.write()
    assert validate(archive(layout)) == validate(layout.directory)
    assert problems_of_layout(archive(layout, ("manifest.json", manifest_json(layout)))) == []


def test_defects_in_an_archive_are_found(layout: Layout) -> None:
    broken_header(layout)
    layout.write()
    assert problems_of_layout(archive(layout)) == problems_of_layout(layout.directory) != []


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        (("index.json", b"{}"), tarfile.REGTYPE, "index.json stands in the archive twice"),
        (("../x", b""), tarfile.REGTYPE, "'../x' is no plain relative path"),
        (("blobs/sha256/x", b""), tarfile.SYMTYPE, "blobs/sha256/x is no regular file"),
    ],
)
def test_an_archive_holds_each_file_once_and_no_links(
    layout: Layout, more: tuple[str, bytes], kind: bytes, message: str
) -> None:
    layout.write()
    problems = problems_of_layout(archive(layout, more, kind=kind))
    assert any(message in problem for problem in problems)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Config": "blobs/sha256/" + "0" * 64}, "names another image"),
        ({"Layers": []}, "names another image"),
        ({"RepoTags": []}, "gives the image no name"),
        ({"RepoTags": None}, "gives the image no name"),
    ],
)
def test_both_doors_of_a_docker_archive_lead_to_one_image(
    layout: Layout, changes: dict[str, object], message: str
) -> None:
    layout.write()
    found = problems_of_layout(archive(layout, ("manifest.json", manifest_json(layout, **changes))))
    assert [problem for problem in found if message not in problem] == []
    assert found


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"no tar at all" * 100)
    assert problems_of_layout(path)[0].startswith("no readable layout")
    assert problems_of_layout(tmp_path / "nothing")[0].startswith("no readable layout")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "manifest.json").write_text("[]")
    assert "and no index.json" in problems_of_layout(tmp_path / "old")[0]


# --- as a program ---


def test_the_program_says_what_is_wrong_and_ends_with_1(layout: Layout) -> None:
    layout.write()
    command = [sys.executable, "-P", "-m", "wheelship.oci.validate"]
    right = subprocess.run([*command, layout.directory], capture_output=True, text=True, check=True)
    assert right.stdout == f"{layout.directory}: right\n"
    layout.set_layer(tar_bytes("su", mode=0o4755))
    layout.write()
    ended = subprocess.run(
        [*command, layout.directory], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "su is set-uid or set-gid" in ended.stdout
    assert ended.stdout.endswith(": wrong\n")
    assert "note: nothing leads to the blob" in ended.stdout
    subprocess.run([*command, "--foreign", "all", layout.directory], check=True)
