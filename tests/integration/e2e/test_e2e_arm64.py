# SPDX-License-Identifier: Apache-2.0
"""Debian's real packages of both architectures: the other one's image without an emulator.

The image is run nowhere here; ``scripts/emulate`` and an arm64 machine do that.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.services import native_platform
from wheelship.oci.validate import validate
from wheelship.testing.layer import read_layer

pytestmark = pytest.mark.integration

NATIVE = native_platform().architecture
FOREIGN = "arm64" if NATIVE == "amd64" else "amd64"
_ELF_MACHINES = {"amd64": 62, "arm64": 183}  # e_machine, elf(5)

PROJECT = """\
[project]
name = "twin"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["markupsafe", "uvicorn"]

[tool.wheelship]
python = "3.11"
platforms = ["linux/{platform}"]
command = ["uvicorn", "twin:app", "--host", "0.0.0.0", "--port", "8000"]
port = 8000
health = "/healthz"

[tool.wheelship.check]
imports = ["uvicorn", "markupsafe._speedups"]
"""

APP = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A project that was built for the other architecture first, then for both."""

    root: Path
    store: Path
    alone: dict[str, Any]
    both: dict[str, Any]

    def image(self, architecture: str) -> dict[str, Any]:
        (found,) = (
            one for one in self.both["images"] if one["platform"] == f"linux/{architecture}"
        )
        assert isinstance(found, dict)
        return found

    def files(self, layer: dict[str, Any]) -> dict[str, Any]:
        digest = layer["digest"].partition(":")[2]
        return read_layer((self.store / "blobs/sha256" / digest).read_bytes())


@pytest.fixture(scope="module")
def twin(shell: Any) -> Iterator[Twin]:
    files = {"pyproject.toml": PROJECT.format(platform=FOREIGN), "twin.py": APP}
    root, store = shell.project("twin", files), shell.store("twin-store")
    alone = shell.run("build", root, "--json", store=store).document
    text = PROJECT.format(platform='amd64", "linux/arm64')
    (root / "pyproject.toml").write_text(text)
    both = shell.run("build", root, "--json", store=store).document
    shell.keep(store)
    yield Twin(root=root, store=store, alone=alone, both=both)
    shutil.rmtree(root)
    shutil.rmtree(store)


def layout_of(twin: Twin, directory: Path, *architectures: str) -> None:
    """Write a layout whose only name leads to an index of images of the bases, as others do."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        media_type = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def dumped(document: dict[str, Any], kind: str) -> dict[str, Any]:
        return put(json.dumps(document).encode(), kind)

    manifests = []
    for architecture in architectures:
        layer = twin.image(architecture)["layers"][0]
        path = twin.store / "blobs/sha256" / layer["digest"].partition(":")[2]
        held = put(path.read_bytes(), "layer.v1.tar+gzip")
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/usr/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["diff_id"]]},
        }
        described = dumped(config, "config.v1+json")
        manifest = dumped(
            {"schemaVersion": 2, "config": described, "layers": [held]}, "manifest.v1+json"
        )
        manifests.append(manifest | {"platform": {"os": "linux", "architecture": architecture}})
    entry = dumped({"schemaVersion": 2, "manifests": manifests}, "index.v1+json")
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def of_kind(image: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {one["title"]: one for one in image["layers"] if one["kind"] == kind}


def test_the_lock_holds_what_this_machine_compiles_with(twin: Twin) -> None:
    entries = json.loads((twin.root / "wheelship.lock").read_text())["debian"]
    assert [one["architecture"] for one in entries] == ["amd64", "arm64"]
    (image,) = twin.alone["images"]
    assert image["platform"] == f"linux/{FOREIGN}"
    assert image["bytecode"] == {"state": "all", "reason": None}
    assert "wheelship.lock" in image["lock"]
    assert image["digest"] == twin.image(FOREIGN)["digest"], "the second build changed nothing"


def test_every_program_is_of_the_image_s_architecture(twin: Twin) -> None:
    """Of the base and of wheels: nothing of the machine that compiled comes along."""
    for architecture in (NATIVE, FOREIGN):
        found: set[int] = set()
        for layer in twin.image(architecture)["layers"]:
            for file in twin.files(layer).values():
                if file.data is not None and file.data[:4] == b"\x7fELF":
                    found.add(struct.unpack_from("<H", file.data, 18)[0])
        assert found == {_ELF_MACHINES[architecture]}


def test_pure_wheels_and_all_bytecode_are_the_same_layers(twin: Twin) -> None:
    """Only the base and wheels with machine code differ between the architectures."""
    ours, others = twin.image(NATIVE), twin.image(FOREIGN)
    bytecode, other_bytecode = of_kind(ours, "bytecode"), of_kind(others, "bytecode")
    assert len(bytecode) > 3
    assert {title: one["digest"] for title, one in bytecode.items()} == {
        title: one["digest"] for title, one in other_bytecode.items()
    }
    wheels, other_wheels = of_kind(ours, "wheels"), of_kind(others, "wheels")
    different = {
        title
        for title in wheels.keys() | other_wheels.keys()
        if wheels.get(title, {}).get("digest") != other_wheels.get(title, {}).get("digest")
    }
    (name,) = {title.partition(" ")[0] for title in different}
    assert name == "markupsafe"
    assert of_kind(ours, "application") == {
        title: one | {"reused": True} for title, one in of_kind(others, "application").items()
    }
    totals = twin.both["totals"]
    shared = sum(one["transfer_bytes"] for one in bytecode.values())
    assert totals["shared_transfer_bytes"] > shared
    assert totals["budget_ok"]


def test_the_library_s_bytecode_is_of_the_image_s_own_library(twin: Twin) -> None:
    """All of it but the module that describes the architecture, which would spoil the layer."""
    image = twin.image(FOREIGN)
    base = next(one for one in image["layers"] if one["kind"] == "base")
    modules = {
        path.removesuffix(".py")
        for path, file in twin.files(base).items()
        if path.startswith("usr/lib/python3.11/") and path.endswith(".py") and file.kind == b"0"
    }
    (environment,) = (one for title, one in of_kind(image, "bytecode").items() if "envi" in title)
    compiled = {
        path.replace("__pycache__/", "").removesuffix(".cpython-311.pyc")
        for path in twin.files(environment)
        if path.startswith("usr/lib/python3.11/") and path.endswith(".pyc")
    }
    (left,) = modules - compiled
    assert left.startswith("usr/lib/python3.11/_sysconfigdata_")
    assert len(compiled) > 300


def test_one_tag_leads_to_both_and_is_right(twin: Twin) -> None:
    layout = twin.root / "dist" / "twin"
    report = validate(layout)
    assert (report.problems, report.notes) == ((), ())
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert entry["mediaType"] == "application/vnd.oci.image.index.v1+json"


def test_this_machine_s_image_of_the_tag_runs(twin: Twin, shell: Any) -> None:
    """It has layers that were made for the other one first."""
    ran = shell.run("check", twin.root, "--engine=embedded", "--json", store=twin.store)
    assert ran.document["ok"], ran.document["steps"]
    assert ran.document["digest"] == twin.image(NATIVE)["digest"]


def test_a_lock_without_it_says_what_is_missing(twin: Twin, shell: Any) -> None:
    path = twin.root / "wheelship.lock"
    before = {one: one.read_text() for one in twin.root.iterdir() if one.is_file()}
    document = json.loads(before[path])
    document["debian"] = [one for one in document["debian"] if one["architecture"] == FOREIGN]
    try:
        path.write_text(json.dumps(document))
        (twin.root / "pyproject.toml").write_text(PROJECT.format(platform=FOREIGN))
        shell.run("lock", twin.root, store=twin.store)
        assert len(json.loads(path.read_text())["debian"]) == 2, "lock adds it"
        path.write_text(json.dumps(document))
        ran = shell.run("build", twin.root, "--locked", "--json", store=twin.store, status=3)
        error = ran.document["error"]
        assert error["code"] == "lock-out-of-date"
        assert f"linux/{NATIVE}, whose Python compiles here" in error["message"]
        assert 'bytecode = "none"' in error["hint"]
    finally:
        for one, text in before.items():
            one.write_text(text)


def test_nothing_to_do_is_noticed(twin: Twin, shell: Any) -> None:
    ran = shell.run("build", twin.root, "--locked", "--offline", "--json", store=twin.store)
    for image in ran.document["images"]:
        assert all(one["reused"] for one in image["layers"])
        assert image["digest"] == twin.image(image["platform"].partition("/")[2])["digest"]


def test_a_base_that_exists_for_the_other_machine_alone_gets_no_bytecode(
    twin: Twin, shell: Any
) -> None:
    """Nothing here can compile for it: the image says so, and so does the lock from then on."""
    text = PROJECT.format(platform=FOREIGN).replace(
        "[tool.wheelship]\n", '[tool.wheelship]\nbase = "oci:../lonely-base"\n', 1
    )
    files = {"pyproject.toml": text.replace('"markupsafe", "uvicorn"', ""), "twin.py": APP}
    root = shell.project("lonely", files)
    layout_of(twin, shell.work / "lonely-base", FOREIGN)
    reason = f"oci:../lonely-base has no image for linux/{NATIVE}"
    for options in ((), ("--locked", "--offline")):
        ran = shell.run("build", root, "--json", *options, store=twin.store)
        assert ran.image["bytecode"] == {"state": "left-out", "reason": reason}
        assert not [one for one in ran.image["layers"] if one["title"].startswith("bytecode")]
        assert "bytecode-left-out" in ran.err
    lock = json.loads((root / "wheelship.lock").read_text())
    assert [one["platform"] for one in lock["absent"]] == [f"linux/{NATIVE}"]
    stored = read_layout_of(root / "dist" / "twin")
    assert stored["config"]["Labels"]["wheelship.bytecode"] == f"left out: {reason}"
    assert stored["architecture"] == FOREIGN
    assert validate(root / "dist" / "twin").problems == ()


def read_layout_of(layout: Path) -> dict[str, Any]:
    """Return the configuration of the only image in a layout."""
    document = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    for key in ("manifest", "config"):
        blob = layout / "blobs/sha256" / document["digest"].partition(":")[2]
        document = json.loads(blob.read_bytes())
        document = document["config"] if key == "manifest" else document
    assert isinstance(document, dict)
    return document
