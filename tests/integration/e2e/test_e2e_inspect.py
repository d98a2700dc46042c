# SPDX-License-Identifier: Apache-2.0
"""An image that wheelship built, looked into wherever it lies; docs/how-to/inspect.md, followed."""

from __future__ import annotations

import json
import re
import shlex
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from integration.test_docs_commands import commands, unseen
from wheelship.testing.registry import FakeRegistry
from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "reference/schema/inspect.json").read_text())
PAGE = (DOCS / "how-to/inspect.md").read_text()
KEYS = ("transfer_bytes", "unpacked_bytes", "effective_bytes")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def built(site: Any) -> dict[str, Any]:
    """The image of the made project, in all kinds of files."""
    site.serve(make_wheel("beta", files={"beta/__init__.py": b"", "beta/model.bin": b"m" * 9000}))
    site.project("alpha", "beta")
    image = site.build(
        "--output=oci:layout:1",
        "--output=oci-archive:oci.tar",
        "--output=docker-archive:docker.tar",
        f"--output=oci:{site.root}/dist/demo",
    )
    assert isinstance(image, dict)
    return image


def looked_into(site: Any, *arguments: str) -> dict[str, Any]:
    document = site.run("inspect", *arguments, "--json").document
    jsonschema.validate(document, SCHEMA)
    assert isinstance(document, dict)
    return document


def sums(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    rows = list(rows)
    return {key: sum(row[key] for row in rows) for key in KEYS}


def test_it_tells_the_same_wherever_the_image_lies(
    site: Any, built: dict[str, Any], fake: FakeRegistry
) -> None:
    name = f"{fake.host}/team/demo:1"
    site.run("push", "oci:layout:1", name)
    places = [
        str(site.root),
        "oci:layout:1",
        "layout",
        "oci-archive:oci.tar",
        "oci.tar",
        "docker-archive:docker.tar",
        f"registry:{name}",
        name,
    ]
    found = [looked_into(site, place) for place in places]
    assert len({document["reference"] for document in found}) > 3
    first = {**found[0], "reference": ""}
    for place, document in zip(places, found, strict=True):
        assert {**document, "reference": ""} == first, place
    assert first["digest"] == built["digest"]
    assert first["sizes"]["unpacked_bytes"] == built["unpacked_bytes"]
    assert first["sizes"]["transfer_bytes"] == built["transfer_bytes"]
    assert [one["digest"] for one in first["layers"]] == [one["digest"] for one in built["layers"]]
    require_every_byte_has_one_owner(first, built, Path("layout"))
    short = looked_into(site, "layout", "--top=2", "--depth=1", "--accelerator=cuda")
    assert short["largest_files"] == first["largest_files"][:2]
    assert {"opt", "usr"} <= {one["path"] for one in short["directories"]}
    assert not [one for one in short["directories"] if "/" in one["path"]]
    assert short["expectation"]["accelerator"] == "cuda"


def require_every_byte_has_one_owner(
    document: dict[str, Any], built: dict[str, Any], layout: Path
) -> None:
    assert sums([*document["layers"], document["documents"]]) == document["sizes"]
    for rows in ("owners", "kinds", "directories"):
        assert sums(document[rows]) == document["sizes"], rows
    owners = {(one["type"], one["name"], one["version"]): one for one in document["owners"]}
    packages = {
        (one["type"], one["name"], one["version"])
        for layer in built["layers"]
        for one in layer["packages"]
    }
    assert {("python", "alpha", "1.0"), ("python", "beta", "1.0")} <= packages <= set(owners)
    assert owners["python", "beta", "1.0"]["effective_bytes"] >= 9000
    assert document["expectation"] == {"accelerator": "cpu", "gpu_targets": []}
    counted = document["counted_by_others"]
    sizes = [one["transfer_bytes"] for one in built["layers"]]
    assert counted["skopeo_layers_bytes"] == sum(sizes)
    assert counted["du_files_bytes"] == document["sizes"]["effective_bytes"]
    files = contents_of(layout, document["layers"])
    assert counted["docker_images_bytes"] == sum(files.values())
    assert document["files"] == len(files)


def contents_of(layout: Path, layers: Iterable[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Return the sizes of all files of a layout, as Python's own reader of archives has them."""
    sizes = {}
    for number, layer in enumerate(layers):
        blob = layout / "blobs/sha256" / layer["digest"].removeprefix("sha256:")
        with tarfile.open(blob) as archive:
            sizes |= {(number, one.name): one.size for one in archive if one.isreg()}
    return sizes


def test_what_was_read_once_is_not_read_again(
    site: Any, built: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    site.run("cache", "prune")
    first = site.run("inspect", str(site.root))
    again = site.run("inspect", str(site.root))
    assert again.out == first.out
    count = len(built["layers"])
    assert first.err.count("inspect layer ") == count
    assert again.err == f"inspect layers: reused: {count} of {count} were read before\n"
    fresh = site.run("inspect", str(site.root), "--no-cache")
    assert fresh.out == first.out
    assert fresh.err.count("inspect layer ") == count
    for word in (built["digest"], "alpha 1.0", "beta 1.0", "Debian packages (2)", "meant for cpu"):
        assert word in first.out, word
    assert "\x1b" not in first.out
    assert "\x1b[1m" in site.run("inspect", str(site.root), "--color=always").out
    by_path = site.run("inspect", str(site.root), "--by=path", "--size=effective").out
    assert "model.bin" in by_path
    assert "/opt/" in by_path
    require_pages(site, built)


def require_pages(site: Any, built: dict[str, Any]) -> None:
    ran = site.run("inspect", str(site.root), "--html=new/image.html")
    page = Path("new/image.html").read_text("utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert built["digest"] in page
    assert "whose bytes" in ran.out
    Path("closed").write_text("no directory")
    ran = site.run("inspect", str(site.root), "--html=closed/image.html", "--json", status=5)
    assert ran.document["error"]["code"] == "not-writable"


def test_what_an_engine_exports_has_no_transfer_size(site: Any, built: dict[str, Any]) -> None:
    """An archive of the old form, with its layers as they are unpacked."""
    save_as_docker_does(site.root / "dist/demo", built, Path("saved.tar"))
    document = looked_into(site, "docker-archive:saved.tar")
    whole = looked_into(site, str(site.root))
    assert document["transfer_known"] is False
    assert document["sizes"]["transfer_bytes"] is None
    for rows in ("owners", "kinds"):
        kept = [
            {**one, "transfer_bytes": None} for one in whole[rows] if one.get("type") != "image"
        ]
        assert [one for one in document[rows] if one.get("type") != "image"] == kept
    assert re.search(r"transfer +unknown", site.run("inspect", "docker-archive:saved.tar").out)
    ran = site.run("inspect", "docker-archive:saved.tar", "--size=transfer", "--json", status=3)
    error = ran.document["error"]
    assert (error["code"], error["exit_status"]) == ("no-transfer-size", 3)
    assert "--size unpacked" in error["hint"]


def save_as_docker_does(layout: Path, built: dict[str, Any], path: Path) -> None:
    import gzip
    import io

    def blob(digest: str) -> bytes:
        return (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()

    manifest = json.loads(blob(built["digest"]))
    layers = [gzip.decompress(blob(one["digest"])) for one in manifest["layers"]]
    files = {f"{number}/layer.tar": data for number, data in enumerate(layers)}
    saved = [{"Config": "config.json", "RepoTags": ["demo:1"], "Layers": list(files)}]
    files |= {
        "config.json": blob(manifest["config"]["digest"]),
        "manifest.json": json.dumps(saved).encode(),
    }
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_variants_of_a_project(site: Any) -> None:
    names = ("cpu", "large", "small")
    tables = (
        f'[tool.wheelship.variants.{name}]\naccelerator = "cpu"\nworkdir = "/{name}"'
        for name in names
    )
    site.project("alpha", table="\n".join(tables))
    root = str(site.root)
    site.run("build", root, "--variant=small")
    small = looked_into(site, root)
    assert small["reference"].endswith("demo:small"), "the only one that was built"
    site.run("build", root, "--variant=large")
    error = site.run("inspect", root, "--json", status=3).document["error"]
    assert "cpu" in f"{error['where']}: {error['message']}", "of several, the default one"
    site.run("build", root)
    assert looked_into(site, root)["reference"].endswith("demo:cpu")
    assert looked_into(site, root, "--variant=small") == small
    assert looked_into(site, f"oci:{root}/dist/demo:small") == small
    error = site.run("inspect", root, "--variant=tiny", "--json", status=3).document["error"]
    assert error["code"] == "unknown-variant"
    assert "known variants: cpu, large, small" in error["hint"]


def test_every_command_prints_what_the_page_shows(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run in this process; where the output goes is all that the shell would do."""
    site.build()
    monkeypatch.chdir(site.root)
    ran = 0
    for command in commands(PAGE):
        line, _, file = command.line.partition(" > ")
        program, *arguments = shlex.split(line)
        assert program == "wheelship"
        done = site.run(*arguments, status=command.status)
        if file:
            Path(file).write_text(done.out)
        missing = unseen(command.shown, done.out)
        assert missing is None, f"$ {command.line}\ndid not print: {missing}\n{done.out}"
        ran += 1
    assert ran == 8
    assert Path("summary.md").read_text().startswith("### `")
    assert json.loads(Path("image.json").read_text())["schema"] == "wheelship.inspect/1"
