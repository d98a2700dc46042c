# SPDX-License-Identifier: Apache-2.0
"""``wheelship lock``: variants that share wheels, what changed and why, nothing half done."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "schema"
TWO = """
[tool.wheelship.variants.cpu]
[tool.wheelship.variants.slim]
accelerator = "cpu"
"""


def versions(root: Path, variant: str) -> dict[str, str]:
    document = tomllib.loads((root / f"pylock.{variant}.toml").read_text())
    return {one["name"]: one["version"] for one in document["packages"]}


def files(root: Path, variant: str) -> dict[str, str]:
    document = tomllib.loads((root / f"pylock.{variant}.toml").read_text())
    return {one["name"]: one["wheels"][0]["hashes"]["sha256"] for one in document["packages"]}


# Variants share wheels


def publish_two_generations(site: Any) -> None:
    site.serve(make_wheel("helper", "1.0"), make_wheel("app", "1.0", requires=["helper"]))


def publish_news(site: Any) -> None:
    site.serve(make_wheel("helper", "2.0"), make_wheel("app", "2.0", requires=["helper"]))


def test_variants_locked_in_one_run_and_in_two_get_the_same_wheels(site: Any) -> None:
    """The second run happens later, when the index has newer versions."""
    publish_two_generations(site)
    site.project("app", table=TWO)
    site.run("lock", str(site.root))
    together = {name: files(site.root, name) for name in ("cpu", "slim")}
    assert together["cpu"] == together["slim"]
    for name in together:
        (site.root / f"pylock.{name}.toml").unlink()
    site.run("lock", str(site.root), "--variant", "cpu")
    publish_news(site)
    site.run("lock", str(site.root), "--variant", "slim")
    assert {name: files(site.root, name) for name in together} == together
    assert versions(site.root, "slim") == {"app": "1.0", "helper": "1.0"}


def test_what_one_variant_cannot_have_does_not_bind_the_others(site: Any) -> None:
    site.serve(*(make_wheel("app", version) for version in ("1.0", "2.0")))
    site.project("app", table=TWO + 'requirements = ["slim.txt"]\n')
    (site.root / "slim.txt").write_text("app>=2\n")
    site.run("lock", str(site.root), "--variant", "slim")
    (site.root / "pyproject.toml").write_text(
        (site.root / "pyproject.toml").read_text().replace('["app"]', '["app<2"]')
    )
    (site.root / "slim.txt").write_text("alpha\n")
    site.run("lock", str(site.root))
    assert versions(site.root, "cpu") == {"app": "1.0"}
    assert versions(site.root, "slim") == {"app": "1.0", "alpha": "1.0"}


def test_a_variant_takes_over_what_another_found_in_the_same_run(site: Any) -> None:
    """The first may not have the newest; the second may, and does without, to share the wheel."""
    site.serve(*(make_wheel("app", version) for version in ("1.0", "2.0")))
    site.project("app", table=TWO.replace("variants.cpu]", 'variants.cpu]\nextras = ["old"]'))
    pyproject = site.root / "pyproject.toml"
    extra = '[project.optional-dependencies]\nold = ["app<2"]\n[tool.wheelship]'
    pyproject.write_text(pyproject.read_text().replace("[tool.wheelship]", extra, 1))
    site.run("lock", str(site.root), "--dry-run")
    site.run("lock", str(site.root))
    assert versions(site.root, "cpu") == versions(site.root, "slim") == {"app": "1.0"}
    site.run("lock", str(site.root), "--variant", "slim", "--upgrade", "app")
    assert versions(site.root, "slim") == {"app": "2.0"}


def test_locking_again_changes_nothing(site: Any) -> None:
    publish_two_generations(site)
    site.project("app", table=TWO)
    site.run("lock", str(site.root))
    before = {path.name: path.read_bytes() for path in site.root.glob("*lock*")}
    publish_news(site)
    done = site.run("lock", str(site.root))
    assert done.out == "cpu: nothing changed\nslim: nothing changed\n"
    assert {path.name: path.read_bytes() for path in site.root.glob("*lock*")} == before


def test_an_upgrade_reaches_all_variants_of_the_run(site: Any) -> None:
    publish_two_generations(site)
    site.project("app", table=TWO)
    site.run("lock", str(site.root))
    publish_news(site)
    site.run("lock", str(site.root), "--upgrade", "helper")
    for name in ("cpu", "slim"):
        assert versions(site.root, name) == {"app": "1.0", "helper": "2.0"}


# Each variant is locked as a whole, or not at all


def test_a_variant_that_fails_takes_nothing_from_the_others(site: Any) -> None:
    publish_two_generations(site)
    site.project("app", table='[tool.wheelship.variants.bad]\naccelerator = "cpu"\n' + TWO)
    pyproject = site.root / "pyproject.toml"
    extra = '[project.optional-dependencies]\nbroken = ["absent-package"]\n'
    text = pyproject.read_text().replace("[tool.wheelship]", f"{extra}[tool.wheelship]")
    pyproject.write_text(text.replace("variants.bad]\n", 'variants.bad]\nextras = ["broken"]\n'))
    done = site.run("lock", str(site.root), status=3)
    assert "absent-package" in done.err
    assert done.out.startswith("cpu:\n")
    assert (
        versions(site.root, "cpu") == versions(site.root, "slim") == {"app": "1.0", "helper": "1.0"}
    )
    assert not (site.root / "pylock.bad.toml").exists()


def test_what_was_locked_stands_beside_the_error_in_json(site: Any) -> None:
    publish_two_generations(site)
    bad = '[tool.wheelship.variants.bad]\naccelerator = "cpu"\nrequirements = ["bad.txt"]\n'
    site.project("app", table=bad + TWO)
    (site.root / "bad.txt").write_text("absent-package\n")
    document = json.loads(site.run("lock", str(site.root), "--json", status=3).out)
    jsonschema.validate(document, json.loads((SCHEMAS / "error.json").read_text()))
    jsonschema.validate(document["locked"], json.loads((SCHEMAS / "lock.json").read_text()))
    assert document["error"]["code"] == "unresolvable"
    assert set(document["locked"]["variants"]) == {"cpu", "slim"}
    assert document["locked"]["written"] is True
    alone = site.run("lock", str(site.root), "--variant", "bad", "--json", status=3)
    assert set(json.loads(alone.out)) == {"error"}


def test_several_failures_are_all_told(site: Any) -> None:
    site.project("absent-package", table=TWO)
    done = site.run("lock", str(site.root), status=3)
    assert "error[unresolvable]" in done.err
    assert "warning[not-locked]: slim was not locked either: [unresolvable]" in done.err


def test_wheels_are_not_locked_without_their_base(site: Any) -> None:
    """Debian's mirror does not know the new package: the wheels' lock must not move either."""
    publish_two_generations(site)
    site.project("alpha")
    site.run("lock", str(site.root))
    before = {path.name: path.read_bytes() for path in site.root.glob("*lock*")}
    site.project("app", table='system-packages = ["ffmpeg"]')
    site.run("lock", str(site.root), status=4)
    assert {path.name: path.read_bytes() for path in site.root.glob("*lock*")} == before


# What changed


def test_changes_are_told_with_reason_and_weight(site: Any) -> None:
    publish_two_generations(site)
    site.project("app", "alpha")
    site.run("lock", str(site.root))
    site.serve(
        make_wheel("helper", "2.0", files={"helper.py": bytes(range(256)) * 40}),
        make_wheel("extra", "1.0"),
        make_wheel("app", "2.0", requires=["helper", "extra"]),
    )
    site.project("app", "extra")
    done = site.run("lock", str(site.root), "--upgrade", "app", "--upgrade-package", "helper")
    lines = done.out.splitlines()
    assert lines[0] == "cpu:"
    assert re.fullmatch(r"  \+ extra 1\.0  \(direct\)  \+\d+ B", lines[1])
    assert re.fullmatch(r"  - alpha 1\.0  \(direct\)  -6\d\.\d kB", lines[2])
    assert re.fullmatch(r"  ~ app 1\.0 → 2\.0  \(direct\)  \+\d+ B", lines[3])
    assert re.fullmatch(r"  ~ helper 1\.0 → 2\.0  \(via app\)  \+\d+ B", lines[4])
    assert re.fullmatch(r"  linux/\w+: image shrinks by [\d.]+ kB, [\d.]+ kB to download", lines[5])
    assert len(lines) == 6


def test_changes_as_json(site: Any) -> None:
    publish_two_generations(site)
    site.project("app")
    site.run("lock", str(site.root))
    publish_news(site)
    document = site.run("lock", str(site.root), "--upgrade", "helper", "--json").document
    (variant,) = document["variants"].values()
    (change,) = variant["changed"]
    (platform,) = variant["bytes"]
    sizes = [
        (site.index.files / f"helper-{one}-py3-none-any.whl").stat().st_size for one in (1.0, 2.0)
    ]
    assert change == {
        "name": "helper",
        "old": "1.0",
        "new": "2.0",
        "direct": False,
        "via": ["app"],
        "growth_bytes": {platform: sizes[1] - sizes[0]},
    }
    total = variant["bytes"][platform]
    assert total["after"] - total["before"] == sizes[1] - sizes[0]
    assert document["written"] is True
    schema = json.loads((SCHEMAS / "lock.json").read_text())
    assert set(document) == set(schema["required"])
    of_variant = schema["properties"]["variants"]["additionalProperties"]
    assert set(variant) == set(of_variant["required"])
    assert set(variant["base"]) == set(of_variant["properties"]["base"]["required"])
    assert set(change) == set(schema["$defs"]["package"]["required"])
    assert variant["added"] == variant["removed"] == variant["base"]["changed"] == []


def test_a_dry_run_writes_nothing(site: Any) -> None:
    publish_two_generations(site)
    site.project("app")
    site.run("lock", str(site.root))
    publish_news(site)
    before = {path.name: path.read_bytes() for path in site.root.iterdir() if path.is_file()}
    done = site.run("lock", str(site.root), "--upgrade", "app", "--dry-run")
    assert "  ~ app 1.0 → 2.0" in done.out
    assert done.out.endswith("nothing was written\n")
    assert {
        path.name: path.read_bytes() for path in site.root.iterdir() if path.is_file()
    } == before


def test_a_package_that_is_not_locked_cannot_be_upgraded(site: Any) -> None:
    publish_two_generations(site)
    site.project("app")
    site.run("lock", str(site.root))
    error = site.refuse(
        "lock", str(site.root), "--upgrade", "helpr", code="unknown-package", status=3
    )
    assert error["hint"] == "did you mean 'helper'?"


def test_a_path_after_upgrade_is_explained(site: Any) -> None:
    site.run("lock", "--upgrade", str(site.root), status=2)
    done = site.run("lock", "--upgrade", str(site.root), "--json", status=2)
    document = json.loads(done.out)
    jsonschema.validate(document, json.loads((SCHEMAS / "error.json").read_text()))
    assert f"write the path first: wheelship lock {site.root}" in document["error"]["message"]


# Are the locks current?


def test_check_passes_on_current_locks_and_asks_nobody(site: Any) -> None:
    site.project("alpha", table=TWO)
    site.run("lock", str(site.root))
    site.index.received.clear()
    for option in ("--check", "--locked"):
        assert site.run("lock", str(site.root), option).out == "cpu: current\nslim: current\n"
    assert site.index.received == []


def test_check_says_variant_by_variant_what_is_out_of_date(site: Any) -> None:
    publish_two_generations(site)
    site.project("alpha", table=TWO)
    site.run("lock", str(site.root))
    site.project("app", table=TWO + 'exclude = ["helper"]\n')
    error = site.refuse(
        "lock",
        str(site.root),
        "--check",
        code="lock-out-of-date",
        status=3,
        says=[
            "pylock.cpu.toml, pylock.slim.toml",
            "cpu: requirement: + app",
            "slim: exclude: + helper",
        ],
    )
    assert error["hint"].startswith("wheelship lock")
    site.project("alpha", table='system-packages = ["ffmpeg"]\n' + TWO)
    says = ["wheelship.lock", "it holds no base of bookworm", "with ffmpeg"]
    site.refuse("lock", str(site.root), "--check", code="lock-out-of-date", status=3, says=says)
    site.run("lock", str(site.root), "--check", "--upgrade", status=2)
