# SPDX-License-Identifier: Apache-2.0
"""``wheelship compare`` on built images: what changed, and limits that name who broke them."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wheelship.testing.registry import FakeRegistry
from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "schema"


def beta(version: str, size: int) -> Any:
    """A wheel with noise in it, which no codec makes smaller."""
    noise = random.Random(size).randbytes(size)
    return make_wheel("beta", version, files={"beta/__init__.py": b"", "beta/data": noise})


def checked(document: dict[str, Any], name: str = "compare") -> dict[str, Any]:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    jsonschema.validate(document, schema)
    return document


def blobs(layout: Path) -> dict[str, int]:
    """Size of every blob of the only image in a layout, found without wheelship."""

    def read(descriptor: dict[str, Any]) -> dict[str, Any]:
        path = layout / "blobs" / descriptor["digest"].replace(":", "/")
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = read(entry)
    return {one["digest"]: one["size"] for one in (entry, manifest["config"], *manifest["layers"])}


@pytest.fixture
def grown(site: Any) -> Any:
    """The project, built twice: its dependency beta has grown; the first image is in ``before``."""
    site.serve(beta("1.0", 30_000), beta("2.0", 90_000))
    site.project("alpha", "beta==1.0")
    site.build()
    shutil.copytree(site.root / "dist" / "demo", site.root / "before")
    site.project("alpha", "beta==2.0")
    site.build()
    return site


def limit(site: Any, requirement: str, bytes_: int) -> None:
    table = f'[tool.wheelship.variants.cpu]\naccelerator = "cpu"\nbudget = {bytes_}'
    site.project("alpha", requirement, table=table)


def test_a_dependency_that_grew_is_named_and_one_that_shrank_passes(grown: Any) -> None:
    before = f"oci:{grown.root}/before"
    ran = grown.run("compare", before, str(grown.root), "--fail-growth", "10", status=1)
    assert re.search(r"~ beta 1.0 → 2.0 .* \+6\d\.\d kB", ran.out)
    assert re.search(r"pulls \d+\.\d kB: 2 of \d layers, manifest and configuration", ran.out)
    assert "error[limit-broken]" in ran.err
    assert re.search(r"grew by 6\d\.\d kB \(\+\d+\.\d %\) to \d+\.\d kB transfer", ran.err)
    first = ran.err.partition("what grew most:")[2].strip().splitlines()[0]
    assert re.match(r"beta 1.0 → 2.0: 3\d\.\d kB → 9\d\.\d kB \(\+6\d\.\d kB\)", first)
    assert "Traceback" not in ran.err

    back = grown.run("compare", str(grown.root), before, "--fail-growth", "0", "--json")
    document = checked(back.document)
    assert document["ok"]
    (one,) = document["differences"]
    old, new = blobs(grown.root / "dist" / "demo"), blobs(grown.root / "before")
    assert one["transfer_bytes"] == sum(new.values()) - sum(old.values()) < -59_000
    pulled = sum(size for digest, size in new.items() if digest not in old)
    # What the project requires is in its own metadata, so its layer is another one, too.
    assert one["pull"] == {"transfer_bytes": pulled, "layers": 2}
    (row,) = [row for row in one["owners"] if row["name"] == "beta"]
    assert (row["old"], row["new"], row["how"]) == (["2.0"], ["1.0"], "version")
    for size in ("transfer_bytes", "unpacked_bytes", "effective_bytes"):
        gains = sum(row["after"][size] - row["before"][size] for row in one["owners"])
        assert gains == one[size]

    comment = grown.run(
        *("compare", before, str(grown.root), "--markdown", "--fail-over", "unpacked=10kB"),
        status=1,
    )
    assert comment.out.startswith("<!-- wheelship compare -->\n### `")
    assert "**Limit broken: " in comment.out
    assert "`beta 1.0 → 2.0`" in comment.out


def test_a_budget_of_the_configuration_is_broken_and_kept(grown: Any) -> None:
    report = grown.build()
    size = report["transfer_bytes"]
    limit(grown, "beta==2.0", size)
    kept = grown.run("compare", str(grown.root))
    assert "limits: 1 kept" in kept.out
    limit(grown, "beta==2.0", size - 1)
    broken = grown.run("compare", str(grown.root), status=1)
    assert "1 B above the budget of" in broken.err
    assert "what is largest:" in broken.err
    against = grown.run("compare", f"oci:{grown.root}/before", str(grown.root), "--json", status=1)
    (breach,) = checked(against.document)["broken"]
    assert (breach["rule"], breach["limit_bytes"], breach["actual_bytes"]) == (
        "budget",
        size - 1,
        size,
    )
    assert breach["owners"][0]["name"] == "beta"
    # The first image is what others are held against: its own budget is not judged.
    swapped = grown.run("compare", str(grown.root), f"oci:{grown.root}/before", "--json")
    assert swapped.document["ok"]


def test_a_baseline_is_kept_and_compared(grown: Any) -> None:
    saved = grown.root / "sizes.json"
    before = f"oci:{grown.root}/before"
    grown.run("compare", before, "--save", str(saved))
    checked(json.loads(saved.read_text()), "baseline")
    kept = saved.read_bytes()
    options = ("--baseline", str(saved), "--save", str(saved))
    same = grown.run("compare", before, *options, "--fail-growth", "0")
    assert "pulls nothing: it is the same image" in same.out
    assert saved.read_bytes() == kept
    broken = grown.run("compare", str(grown.root), *options, "--fail-growth", "5", status=1)
    assert f"nothing was saved to {saved}" in broken.err
    assert "beta 1.0 → 2.0" in broken.err
    assert saved.read_bytes() == kept
    grown.run("compare", str(grown.root), *options, "--fail-growth", "500")
    assert saved.read_bytes() != kept


def test_a_registry_holds_the_same_bytes_and_is_asked_once(grown: Any) -> None:
    with FakeRegistry() as registry:
        reference = f"registry:{registry.host}/team/demo:1"
        grown.build("--output", reference)
        shutil.rmtree(grown.store)
        before = f"oci:{grown.root}/before"
        ran = grown.run("compare", before, reference, "--json")
        (one,) = checked(ran.document)["differences"]
        new = blobs(grown.root / "dist" / "demo")
        assert one["transfer_bytes"] == sum(new.values()) - sum(
            blobs(grown.root / "before").values()
        )
        fetched = registry.requests("GET", r"/blobs/")
        # Layers that the first image has are known by then, so nobody fetched them.
        assert len(fetched) == 1 + one["pull"]["layers"]
        again = grown.run("compare", reference, str(grown.root), "--fail-growth", "0", "--json")
        assert again.document["differences"][0]["pull"] == {"transfer_bytes": 0, "layers": 0}
        # Only the configuration, which is no layer.
        assert len(registry.requests("GET", r"/blobs/")) == len(fetched) + 1


def exported(layout: Path, file: Path) -> None:
    """Write what ``docker save`` writes of the only image in a layout: layers uncompressed."""

    def blob(descriptor: dict[str, Any]) -> bytes:
        return (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()

    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(entry))
    layers = {
        f"{at}/layer.tar": gzip.decompress(blob(one)) for at, one in enumerate(manifest["layers"])
    }
    listed = [{"Config": "config.json", "RepoTags": ["demo:1"], "Layers": list(layers)}]
    files = {
        **layers,
        "config.json": blob(manifest["config"]),
        "manifest.json": json.dumps(listed).encode(),
    }
    with tarfile.open(file, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_an_archive_holds_the_same_and_an_engine_does_not_tell_what_a_pull_moves(
    grown: Any,
) -> None:
    archive = grown.root / "image.tar"
    grown.build("--output", f"oci-archive:{archive}")
    ran = grown.run("compare", str(grown.root), f"oci-archive:{archive}", "--json")
    (one,) = checked(ran.document)["differences"]
    assert one["pull"] == {"transfer_bytes": 0, "layers": 0}
    assert [row for row in one["owners"] if row["how"] != "same"] == []

    exported(grown.root / "dist" / "demo", grown.root / "saved.tar")
    client = grown.root / "docker"
    client.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = save ]; then exec cat {grown.root}/saved.tar; fi\n'
        f"echo sha256:{'0' * 64} 1000\n"
    )
    client.chmod(0o755)
    compare = ("compare", str(grown.root), "docker:demo:1", f"--docker={client}")
    ran = grown.run(*compare, "--json")
    (one,) = checked(ran.document)["differences"]
    assert (one["transfer_bytes"], one["pull"]) == (None, None)
    assert (one["unpacked_bytes"], one["effective_bytes"]) == (0, 0)
    assert one["shared_layers"] == len(one["layers"])
    text = grown.run(*compare, "--fail-growth", "unpacked=0")
    assert re.search(r"transfer +\d+\.\d kB +unknown\n", text.out)
    assert "no package gained or lost unpacked bytes" in text.out
    for limit_of in (("--fail-over", "1GB"), ("--fail-growth", "5")):
        error = grown.refuse(
            *compare, *limit_of, code="transfer-unknown", status=3, says=("docker:demo:1",)
        )
        assert f"{limit_of[0]} unpacked=" in error["hint"]
        assert "registry:REF" in error["hint"]


def test_what_was_not_built_is_said_and_what_was_is_remembered(grown: Any) -> None:
    error = grown.refuse(
        "compare",
        str(grown.root),
        "--variant",
        "cuda",
        code="unknown-variant",
        status=3,
    )
    assert "cpu" in error["hint"]
    grown.refuse(
        "compare",
        str(grown.root),
        "--platform",
        "linux/arm64",
        code="no-image",
        status=3,
        says=("has no build of cpu for linux/arm64",),
    )
    grown.refuse(
        "compare",
        str(grown.root),
        "--baseline",
        str(grown.root / "none.json"),
        code="invalid-baseline",
        status=3,
        says=("none.json: cannot be read",),
    )

    text = grown.run("compare", str(grown.root), "--history")
    assert text.out.startswith("demo:cpu  linux/amd64\n  2 builds, ")
    document = checked(
        grown.run("compare", str(grown.root), "--history", "--json").document, "compare-history"
    )
    (series,) = document["series"]
    assert len(series["builds"]) == 2
    file = grown.root / ".wheelship" / "history.jsonl"
    assert grown.run("compare", str(file), "--history", "--json").document == document
    none = grown.run("compare", str(file), "--history", "--variant", "cuda", "--json")
    assert none.document["series"] == []
    page = grown.root / "report.html"
    ran = grown.run("compare", str(grown.root), "--history", "--markdown", "--html", str(page))
    assert ran.out.startswith("| image | platform |")
    assert "Builds over time" in page.read_text("utf-8")
    assert "beta" in page.read_text("utf-8")
    grown.refuse(
        *("compare", str(grown.root / "demo.py"), "--history"),
        code="invalid-history",
        status=3,
        says=("demo.py",),
    )
    grown.project("alpha", table="")
    text = (grown.root / "pyproject.toml").read_text()
    (grown.root / "pyproject.toml").write_text(
        text.replace("[tool.wheelship]", "[tool.wheelship]\nhistory = false")
    )
    grown.refuse("compare", str(grown.root), "--history", code="no-history", status=3)


def test_variants_stand_side_by_side_and_are_held_against_their_own(site: Any) -> None:
    site.serve(beta("1.0", 30_000), beta("2.0", 90_000))

    def variants(**requirements: str) -> None:
        tables = "".join(
            f'\n[tool.wheelship.variants.{name}]\naccelerator = "cpu"\nextras = ["{name}"]'
            for name in requirements
        )
        extras = "".join(f'\n{name} = ["{one}"]' for name, one in requirements.items())
        site.project("alpha", table=f"{tables}\n[project.optional-dependencies]{extras}")
        site.run("build", str(site.root), "--all", "--quiet")

    saved = site.root / "sizes.json"
    variants(cpu="alpha", full="beta==1.0")
    ran = site.run("compare", str(site.root), "--save", str(saved))
    assert re.search(r"beta 1.0 +- +3\d\.\d kB\n", ran.out)
    assert re.search(r"together \d+\.\d kB transfer, .* shared layers save \d+\.\d kB", ran.out)
    assert len(json.loads(saved.read_text())["images"]) == 2

    variants(cpu="alpha", full="beta==2.0", more="beta==1.0")
    ran = site.run(
        *("compare", str(site.root), "--baseline", str(saved), "--fail-growth", "1", "--json"),
        status=1,
    )
    document = checked(ran.document)
    assert [one["variant"] for one in document["images"]] == ["cpu", "full", "more"]
    assert [one["after"]["variant"] for one in document["differences"]] == ["cpu", "full"]
    assert [one["variant"] for one in document["unmatched"]] == ["more"]
    (breach,) = document["broken"]
    assert (breach["variant"], breach["owners"][0]["name"]) == ("full", "beta")
    site.run(
        *("compare", str(site.root), "--baseline", str(saved), "--fail-growth", "1"),
        *("--variant", "cpu"),
    )
    grown = site.run(
        *("compare", str(site.root), str(site.root), "--variant", "cpu", "--variant", "full")
    )
    assert "pull after A" in grown.out
