# SPDX-License-Identifier: Apache-2.0
"""Each build is remembered, no image knows of it, and no build fails for it."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wheelship.history.file import read

pytestmark = pytest.mark.integration

BOTH = """
[tool.wheelship.variants.cpu]
platforms = ["linux/amd64", "linux/arm64"]
[tool.wheelship.variants.other]
accelerator = "cpu"
"""


@pytest.fixture
def path(site: Any) -> Path:
    history: Path = site.root / ".wheelship" / "history.jsonl"
    return history


def test_each_build_is_remembered_and_changes_nothing(site: Any, path: Path) -> None:
    git = ["git", "-C", str(site.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    began = datetime.now(UTC).replace(microsecond=0)
    first, second = site.build(), site.build()
    (site.root / "demo.py").write_text("value = 2\n")
    third = site.build()
    builds = read(path)
    assert first["digest"] == second["digest"] != third["digest"]
    assert [str(one.digest) for one in builds] == [one["digest"] for one in (first, second, third)]
    for build, image in zip(builds, (first, second, third), strict=True):
        assert (build.name, build.variant, str(build.platform)) == (
            "demo",
            "cpu",
            image["platform"],
        )
        assert build.transfer_bytes == image["transfer_bytes"]
        assert build.unpacked_bytes == image["unpacked_bytes"]
        assert build.seconds == image["seconds"]
        fresh = [one for one in image["layers"] if not one["reused"]]
        assert build.layers == len(image["layers"])
        assert build.reused == build.layers - len(fresh)
        assert build.fresh_bytes == sum(one["transfer_bytes"] for one in fresh)
        assert began <= datetime.fromisoformat(build.time) <= datetime.now(UTC)
    assert builds[0].reused == 0
    assert builds[1].reused == builds[1].layers
    assert 0 < builds[2].reused < builds[2].layers
    status = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=all"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "demo.py" in status.stdout
    assert ".wheelship" not in status.stdout


def test_of_several_images_each_has_a_line(site: Any, path: Path) -> None:
    site.bases("amd64", "arm64")
    site.project("alpha", table=BOTH)
    images = site.run("build", str(site.root), "--all", "--json").document["images"]
    assert len(images) == 3
    assert [(one.variant, str(one.platform)) for one in read(path)] == [
        (one["variant"], one["platform"]) for one in images
    ]


def test_what_came_to_nothing_is_not_remembered(site: Any, path: Path) -> None:
    site.run("build", str(site.root), "--dry-run")
    site.run("build", str(site.root), "--output", "registry:127.0.0.1:9/demo:1", status=4)
    site.project("beta")
    site.run("build", str(site.root), status=3)
    assert not path.parent.exists()


def test_an_image_over_its_budget_was_built_all_the_same(site: Any, path: Path) -> None:
    site.project("alpha", table="budget = 1000")
    site.run("build", str(site.root), status=1)
    assert [one.transfer_bytes > 1000 for one in read(path)] == [True]


def test_the_history_can_be_elsewhere_or_nowhere(site: Any, path: Path, tmp_path: Path) -> None:
    site.build("--history", "none")
    site.build("--history", str(tmp_path / "ci" / "builds.jsonl"))
    assert len(read(tmp_path / "ci" / "builds.jsonl")) == 1
    site.project("alpha", table="history = false")
    site.build()
    assert not path.parent.exists()


def test_a_history_among_the_code_does_not_change_the_image(site: Any) -> None:
    package = site.root / "demo"
    package.mkdir()
    (site.root / "demo.py").rename(package / "__init__.py")
    options = ("--history", str(package / "builds.jsonl"))
    first, second = site.build(*options), site.build(*options)
    assert len(read(package / "builds.jsonl")) == 2
    assert first["digest"] == second["digest"]


@pytest.mark.parametrize("content", [None, "# Notes\n"], ids=["directory", "foreign"])
def test_a_history_that_cannot_be_kept_is_a_warning(
    site: Any, path: Path, content: str | None
) -> None:
    path.parent.mkdir()
    path.mkdir() if content is None else path.write_text(content)
    ran = site.run("build", str(site.root), "--quiet", "--json")
    assert len(ran.document["images"]) == 1
    assert "warning[history-not-kept]" in ran.err
    assert "hint:" in ran.err
    assert "Traceback" not in ran.err
    if content is not None:
        assert path.read_text() == content


def test_a_line_is_what_its_schema_says(site: Any, path: Path) -> None:
    schema = Path(__file__).parents[3] / "docs" / "reference" / "schema" / "history.json"
    site.build()
    document = json.loads(path.read_bytes())
    jsonschema.validate(document, json.loads(schema.read_text("utf-8")))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"seconds": "3"}, json.loads(schema.read_text("utf-8")))


def test_the_page_about_a_project_draws_the_course_of_its_builds(site: Any, path: Path) -> None:
    site.build()
    (site.root / "demo.py").write_text("value = 2\n")
    site.build()
    other = path.read_text().splitlines()[0].replace('"variant":"cpu"', '"variant":"huge"')
    assert "huge" in other
    path.write_text(f"{path.read_text()}{other}\n")
    drawn = 'class="chart"'
    site.run("inspect", str(site.root), "--html=page.html")
    page = Path("page.html").read_text("utf-8")
    assert page.count(drawn) > 0
    assert "huge" not in page, "another variant's builds are another image's"
    site.run("inspect", f"oci:{site.root}/dist/demo", "--html=page.html")
    assert drawn not in Path("page.html").read_text("utf-8"), "a layout has no history"
    path.write_text("no history\n")
    ran = site.run("inspect", str(site.root), "--html=page.html")
    assert "warning[history-not-shown]" in ran.err
    assert drawn not in Path("page.html").read_text("utf-8")
