# SPDX-License-Identifier: Apache-2.0
"""Files left out of packages: said in the image, in plan and report; RECORD stays true."""

from __future__ import annotations

import gzip
import json
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

SITE = "opt/venv/lib/python3.11/site-packages"
OMIT = 'omit = { fat = ["fat/tests/*", "fat/*.a", "fat/moved/*"], absent = ["x"] }'


@pytest.fixture
def fat(site: Any) -> Any:
    files = {
        "fat/__init__.py": b"",
        "fat/tests/__init__.py": b"",
        "fat/tests/data": b"x" * 1000,
        "fat/lib.a": b"y" * 500,
    }
    site.serve(make_wheel("fat", files=files))
    site.project("fat", table=OMIT)
    return site


def layer_of(site: Any, image: dict[str, Any], package: str) -> dict[str, bytes]:
    (layer,) = (one for one in image["layers"] if package in [p["name"] for p in one["packages"]])
    blob = site.store / "blobs/sha256" / layer["digest"].removeprefix("sha256:")
    with tarfile.open(fileobj=BytesIO(gzip.decompress(blob.read_bytes()))) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.isreg()}  # type: ignore[union-attr]


def labels_of(root: Path) -> dict[str, str]:
    layout = root / "dist/demo"
    index = json.loads((layout / "index.json").read_text())

    def blob(digest: str) -> Any:
        return json.loads((layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_text())

    labels: dict[str, str] = blob(blob(index["manifests"][0]["digest"])["config"]["digest"])[
        "config"
    ]["Labels"]
    return labels


def test_what_is_left_out_is_said_everywhere(fat: Any) -> None:
    plan = fat.run("build", str(fat.root), "--dry-run", "--json").image
    assert [one["pattern"] for one in plan["omitted"]] == ["fat/tests/*", "fat/*.a", "fat/moved/*"]
    ran = fat.run("build", str(fat.root), "--json", "--output", f"oci:{fat.root}/dist/demo")
    assert ran.image["omitted"] == [
        {"package": "fat", "version": "1.0", "pattern": pattern, "files": files, "bytes": size}
        for pattern, files, size in (
            ("fat/tests/*", 2, 1000),
            ("fat/*.a", 1, 500),
            ("fat/moved/*", 0, 0),
        )
    ]
    labels = {name: text for name, text in labels_of(fat.root).items() if "omitted" in name}
    assert labels == {"wheelship.omitted.fat": "fat/tests/* fat/*.a fat/moved/*"}
    files = layer_of(fat, ran.image, "fat")
    assert f"{SITE}/fat/__init__.py" in files
    record = files[f"{SITE}/fat-1.0.dist-info/RECORD"].decode().splitlines()
    listed = {line.partition(",")[0] for line in record}
    assert listed == {
        name.removeprefix(f"{SITE}/") for name in files if name.startswith(f"{SITE}/fat")
    }
    assert not any("tests" in name or name.endswith(".a") for name in files)


def test_patterns_without_effect_are_warned_of_at_every_build(fat: Any) -> None:
    """Also where the layer is in the store already, and its wheel is not opened."""
    for _ in range(2):
        ran = fat.run("build", str(fat.root))
        warnings = [line for line in ran.err.splitlines() if "omit-without-effect" in line]
        assert len(warnings) == 2
        assert "omit names absent, but the image has no such package" in warnings[0]
        assert "'fat/moved/*' matches no file of fat 1.0" in warnings[1]
        assert "omitted: fat/tests/* of fat 1.0, 2 files, 1.0 kB" in ran.out


def test_reports_keep_to_their_schema(fat: Any) -> None:
    schemas = Path(__file__).parents[3] / "docs" / "reference" / "schema"
    for name, options in (("build", ()), ("plan", ("--dry-run",))):
        image = fat.run("build", str(fat.root), "--json", *options).image
        schema = json.loads((schemas / f"{name}.json").read_text())
        item = schema["properties"]["images"]["items"]
        assert set(item["required"]) == set(image)
        wanted = item["properties"]["omitted"]["items"]["required"]
        assert [set(one) for one in image["omitted"]] == [set(wanted)] * 3
