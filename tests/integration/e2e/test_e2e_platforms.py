# SPDX-License-Identifier: Apache-2.0
"""Several platforms and variants in one build: what they share, and where they go.

Everything is made: packages, wheels, index. Real packages of arm64 are in ``test_e2e_arm64.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest

from wheelship.cli.services import native_platform
from wheelship.engine.emulation import emulates
from wheelship.oci.platform import Platform
from wheelship.oci.validate import validate
from wheelship.testing.registry import FakeRegistry
from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

NATIVE = native_platform().architecture
FOREIGN = "arm64" if NATIVE == "amd64" else "amd64"
BOTH = 'platforms = ["linux/amd64", "linux/arm64"]\n'
MACHINES = ("x86_64", "aarch64")
GPU = """
[tool.wheelship.variants.cpu]
[tool.wheelship.variants.big]
accelerator = "cpu"
env = { SIZE = "big" }
"""


def missing(reason: str) -> NoReturn:
    """Skip on a developer's machine; in CI a missing part must not pass for a passed test."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def two(site: Any) -> Any:
    """A project for two platforms: one pure wheel, and one that differs."""
    for machine in MACHINES:
        files = {"native.so": machine.encode() * 9}
        site.serve(make_wheel("native", tag=f"cp311-cp311-manylinux_2_17_{machine}", files=files))
    site.bases("amd64", "arm64")
    site.project("alpha", "native", table=BOTH)
    site.lock()
    return site


def build(site: Any, *options: str, status: int = 0) -> dict[str, Any]:
    ran = site.run("build", str(site.root), "--json", *options, status=status)
    document: dict[str, Any] = ran.document
    return document


def layers(image: dict[str, Any], kind: str) -> dict[str, str]:
    return {one["title"]: one["digest"] for one in image["layers"] if one["kind"] == kind}


def blobs(layout: Path) -> set[str]:
    return {f"sha256:{path.name}" for path in (layout / "blobs/sha256").iterdir()}


def skopeo(*arguments: str | Path) -> dict[str, Any]:
    """Run skopeo, which shares no code with us; return the JSON that it prints."""
    program = shutil.which("skopeo")
    if program is None:
        missing("needs skopeo: apt-get install skopeo")
    command = [program, "--insecure-policy", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return found


def test_pure_wheels_and_the_application_are_the_same_layers(two: Any) -> None:
    document = build(two)
    ours, others = document["images"]
    assert [ours["platform"], others["platform"]] == ["linux/amd64", "linux/arm64"]
    wheels, other_wheels = layers(ours, "wheels"), layers(others, "wheels")
    assert wheels["alpha 1.0"] == other_wheels["alpha 1.0"]
    assert wheels["native 1.0"] != other_wheels["native 1.0"]
    assert layers(ours, "application") == layers(others, "application")
    assert set(layers(ours, "base").values()).isdisjoint(layers(others, "base").values())
    reused = {one["title"] for one in others["layers"] if one["reused"]}
    assert {"alpha 1.0", "demo 1.0", "directories"} <= reused
    assert not any(one["reused"] for one in ours["layers"]), "nothing was there before"

    totals = document["totals"]
    both = {one["digest"]: one["transfer_bytes"] for i in (ours, others) for one in i["layers"]}
    shared = {one["digest"] for one in ours["layers"]} & {one["digest"] for one in others["layers"]}
    assert totals["transfer_bytes"] == ours["transfer_bytes"] + others["transfer_bytes"]
    assert totals["shared_transfer_bytes"] == sum(both[one] for one in shared) > 60_000
    assert (
        totals["unique_transfer_bytes"] + totals["shared_transfer_bytes"]
        == totals["transfer_bytes"]
    )


def test_a_layout_has_one_tag_and_two_images(two: Any) -> None:
    document = build(two)
    layout = two.root / "dist" / "demo"
    report = validate(layout)
    assert (report.problems, report.notes) == ((), ())
    digests = {one["platform"]: one["digest"] for one in document["images"]}
    index = skopeo("inspect", "--raw", f"oci:{layout}:cpu")
    assert {
        f"{one['platform']['os']}/{one['platform']['architecture']}": one["digest"]
        for one in index["manifests"]
    } == digests
    (delivery,) = document["images"][0]["deliveries"]
    assert delivery == document["images"][1]["deliveries"][0]
    assert delivery["platforms"] == ["linux/amd64", "linux/arm64"]
    assert (
        delivery["digest"]
        == json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    )


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_skopeo_finds_each_platform_and_copies_all(two: Any, kind: str, tmp_path: Path) -> None:
    document = build(two, f"--output={kind}:{tmp_path / 'out'}")
    source = f"{kind}:{tmp_path / 'out'}:cpu"
    for image in document["images"]:
        architecture = image["platform"].partition("/")[2]
        found = skopeo("--override-arch", architecture, "inspect", source)
        assert (found["Architecture"], found["Layers"][0]) == (
            architecture,
            image["layers"][0]["digest"],
        )
        target = tmp_path / architecture
        skopeo("--override-arch", architecture, "copy", "-q", source, f"oci:{target}:one")
        assert image["digest"] in blobs(target)
    skopeo("copy", "-q", "--all", source, f"oci:{tmp_path / 'all'}:all")
    assert {one["digest"] for one in document["images"]} <= blobs(tmp_path / "all")
    assert validate(tmp_path / "all").problems == ()


def test_a_docker_archive_gets_this_machine_s_platform(two: Any, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    document = build(two, f"--output=docker-archive:{archive}", f"--output=oci:{tmp_path / 'o'}")
    found = {one["platform"]: one["outputs"] for one in document["images"]}
    assert found[f"linux/{FOREIGN}"] == [f"oci:{tmp_path / 'o'}"]
    assert found[f"linux/{NATIVE}"] == [f"docker-archive:{archive}", f"oci:{tmp_path / 'o'}"]
    assert validate(archive).problems == ()
    assert skopeo("inspect", f"docker-archive:{archive}")["Architecture"] == NATIVE
    build(two, f"--platform=linux/{FOREIGN}", f"--output=docker-archive:{archive}")
    assert skopeo("inspect", f"docker-archive:{archive}")["Architecture"] == FOREIGN


def test_a_tag_is_what_the_last_build_named(two: Any) -> None:
    build(two)
    (image,) = build(two, f"--platform=linux/{FOREIGN}")["images"]
    layout = two.root / "dist" / "demo"
    assert skopeo("inspect", "--raw", f"oci:{layout}:cpu")["config"]
    assert [one["reused"] for one in image["layers"]] == [True] * len(image["layers"])
    report = validate(layout)
    assert (report.problems, report.notes) == ((), ()), "nothing of the other platform is left"
    two.refuse(
        *("push", str(two.root), "127.0.0.1:1/a:1", f"--platform=linux/{NATIVE}"),
        code="layout-lacks-platform",
        status=3,
        says=[f"not for linux/{NATIVE}", f"has linux/{FOREIGN}"],
    )


def test_a_push_carries_the_whole_index_or_one_platform(two: Any) -> None:
    document = build(two)
    with FakeRegistry() as registry:
        two.run("push", str(two.root), f"{registry.host}/team/demo:1")
        held = registry.repository("team/demo")
        (delivery,) = document["images"][0]["deliveries"]
        assert held.tags == {"1": delivery["digest"]}
        assert registry.missing("team/demo", "1") == []
        two.run("push", str(two.root), f"{registry.host}/team/demo:2", "--platform=linux/arm64")
        assert held.tags["2"] == document["images"][1]["digest"]
        pushed = build(two, "--push", f"--tag={registry.host}/team/demo:3")
        assert held.tags["3"] == delivery["digest"], "every place gets the same index"
        for image in pushed["images"]:
            assert [one["method"] for one in image["deliveries"]] == ["written", "pushed"]


def test_variants_and_platforms_in_one_go(two: Any) -> None:
    two.project("alpha", "native", table=BOTH + GPU)
    ran = two.run("build", str(two.root), "--all")
    lines = ran.out.splitlines()
    assert lines[0].split() == [
        *("variant", "platform", "transfer", "unpacked", "layers", "reused", "seconds")
    ]
    rows = [line.split()[:2] for line in lines[1:5]]
    assert rows == [[v, f"linux/{a}"] for v in ("cpu", "big") for a in ("amd64", "arm64")]
    assert lines[5].startswith("4 images: ")
    assert "shared layers save" in lines[5]
    document = build(two, "--all")
    by_image = {(one["variant"], one["platform"]): one for one in document["images"]}
    cpu, big = (by_image[name, "linux/arm64"] for name in ("cpu", "big"))
    assert [one["digest"] for one in cpu["layers"]] == [one["digest"] for one in big["layers"]]
    assert cpu["digest"] != big["digest"]
    totals = document["totals"]
    assert totals["images"] == 4
    assert totals["unique_transfer_bytes"] < totals["transfer_bytes"] / 2
    index = json.loads((two.root / "dist/demo/index.json").read_bytes())["manifests"]
    assert len(index) == 2
    assert validate(two.root / "dist/demo").problems == ()


def test_all_means_the_platforms_of_each_variant(two: Any) -> None:
    """One command for all: what is not made for a platform does not stop the others."""
    other = GPU.replace("accelerator", f'platforms = ["linux/{NATIVE}"]\naccelerator')
    two.project("alpha", "native", table=BOTH + other)
    images = build(two, "--all")["images"]
    assert sorted((one["variant"], one["platform"]) for one in images) == [
        ("big", f"linux/{NATIVE}"),
        ("cpu", "linux/amd64"),
        ("cpu", "linux/arm64"),
    ]
    (image,) = build(two, "--all", f"--platform=linux/{FOREIGN}")["images"]
    assert image["variant"] == "cpu"
    two.refuse(
        *("build", str(two.root), "--variant=big", f"--platform=linux/{FOREIGN}"),
        code="unlocked-platform",
        status=3,
        says=["big", FOREIGN],
    )


def test_one_tag_is_not_for_two_variants(two: Any) -> None:
    two.project("alpha", "native", table=BOTH + GPU)
    error = two.refuse(
        *("build", str(two.root), "--all", "--tag=team/demo:1"),
        code="invalid-output",
        status=3,
        says=["2 variants"],
    )
    assert "--tag team/demo" in error["hint"]
    assert {one["reference"] for one in build(two, "--all", "--tag=team/demo")["images"]} == {
        "team/demo:cpu",
        "team/demo:big",
    }


def test_one_verdict_on_all_budgets_and_nothing_is_pushed(two: Any) -> None:
    limit = f'budget = {{ transfer = "1 GB", "linux/{FOREIGN}" = "1 kB" }}\n'
    two.project("alpha", "native", table=limit + BOTH)
    with FakeRegistry() as registry:
        push = ("--push", f"--tag={registry.host}/team/demo:1")
        document = build(two, *push, status=1)
        verdicts = {one["platform"]: one["budget"] for one in document["images"]}
        assert verdicts[f"linux/{NATIVE}"]["ok"]
        assert verdicts[f"linux/{NATIVE}"]["limit_bytes"] == 10**9
        assert not verdicts[f"linux/{FOREIGN}"]["ok"]
        assert verdicts[f"linux/{FOREIGN}"]["limit_bytes"] == 1000
        assert document["totals"]["budget_ok"] is False
        ran = two.run("build", str(two.root), *push, status=1)
        assert f"budget of linux/{FOREIGN}: BROKEN" in ran.out
        assert f"linux/{FOREIGN}" in ran.err
        assert not registry.repository("team/demo").tags


def test_an_image_for_another_machine_is_not_started(two: Any) -> None:
    if emulates(Platform(FOREIGN).machine):
        pytest.skip("this machine runs programs of the other architecture")
    build(two)
    two.refuse(
        *("check", str(two.root), f"--platform=linux/{FOREIGN}", "--engine=embedded"),
        code="foreign-platform",
        status=5,
        says=[FOREIGN],
    )
