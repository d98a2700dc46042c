# SPDX-License-Identifier: Apache-2.0
"""Builds that are killed, interrupted, run twice at once, or find their store damaged."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheelship.oci.validate import problems_of_layout
from wheelship.testing.index import Fault

WHEEL = "alpha-1.0-py3-none-any.whl"


def wait_for_requests(site: Any, path: str, count: int) -> None:
    for _ in range(3000):
        if site.index.paths().count(f"/files/{path}") >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} was not asked for {count} times")


def end(process: subprocess.Popen[str], number: int) -> tuple[str, str]:
    process.send_signal(number)
    return process.communicate(timeout=60)


@pytest.fixture
def clean_digest(site: Any, tmp_path: Path) -> str:
    """The digest that a build nobody disturbs has, in a store that is not used again."""
    site.lock()
    digest: str = site.build("--store", str(tmp_path / "clean"))["digest"]
    shutil.rmtree(site.root / "dist")
    return digest


def test_a_killed_build_leaves_nothing_that_the_next_one_trips_over(
    site: Any, clean_digest: str
) -> None:
    # The first answer breaks off, the second is late: the build is killed with a wheel half there.
    site.index.faults += [Fault(path=WHEEL, truncate=30_000), Fault(path=WHEEL, delay_seconds=2)]
    asked = site.index.paths().count(f"/files/{WHEEL}")
    process = site.spawn("build", str(site.root))
    wait_for_requests(site, WHEEL, asked + 2)
    end(process, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (left,) = site.store.glob("tmp/*")
    assert len(list(site.store.glob("downloads/*.partial"))) == 1
    assert not (site.root / "dist").exists()
    image = site.build()
    assert image["digest"] == clean_digest
    assert not left.exists()
    site.require_sound_store()
    assert not list(site.store.glob("downloads/*.partial"))
    assert re.fullmatch(r"bytes=[1-9]\d+-", site.index.received[-1].headers["range"])
    assert problems_of_layout(site.root / "dist" / "demo") == []


@pytest.mark.parametrize("lines", [1, 4, 7, 9])
def test_a_build_killed_at_any_moment_can_be_repeated(
    site: Any, clean_digest: str, lines: int
) -> None:
    process = site.spawn("build", str(site.root))
    for _ in range(lines):
        assert process.stderr.readline()
    end(process, signal.SIGKILL)
    assert site.build()["digest"] == clean_digest
    assert problems_of_layout(site.root / "dist" / "demo") == []
    (site.root / "demo.py").write_text("value = 2\n")
    site.build()  # one that makes something sweeps what the killed one left
    site.require_sound_store()


def test_an_interrupted_build_says_so_and_cleans_up(site: Any, clean_digest: str) -> None:
    site.index.faults.append(Fault(path=WHEEL, delay_seconds=2))
    asked = site.index.paths().count(f"/files/{WHEEL}")
    process = site.spawn("build", str(site.root))
    wait_for_requests(site, WHEEL, asked + 1)
    out, err = end(process, signal.SIGINT)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    assert not (site.root / "dist").exists()
    site.require_sound_store()
    assert site.build()["digest"] == clean_digest


def test_two_builds_at_once_do_the_same(site: Any, clean_digest: str) -> None:
    processes = [site.spawn("build", str(site.root), "--json", "--quiet") for _ in range(3)]
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    digests = {json.loads(out)["images"][0]["digest"] for out, _ in ended}
    assert digests == {clean_digest}
    site.require_sound_store()
    assert problems_of_layout(site.root / "dist" / "demo") == []


# --- a damaged store ---


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_damaged_layer_is_made_again(site: Any, clean_digest: str) -> None:
    layers = site.build()["layers"]
    hurt = next(layer for layer in layers if layer["title"] == "alpha 1.0")
    blob = site.store / "blobs/sha256" / hurt["digest"].removeprefix("sha256:")
    shutil.rmtree(site.root / "dist")  # its links lead to the same bytes
    flip(blob)
    image = site.build()
    assert image["digest"] == clean_digest
    assert [layer["title"] for layer in image["layers"] if not layer["reused"]] == ["alpha 1.0"]
    assert problems_of_layout(site.root / "dist" / "demo") == []


def test_a_damaged_layout_is_repaired_by_a_build(site: Any, clean_digest: str) -> None:
    site.build()
    layout = site.root / "dist" / "demo"
    shutil.copytree(layout, site.root / "dist" / "copy")  # copies, no links into the store
    for blob in (site.root / "dist/copy/blobs/sha256").iterdir():
        flip(blob)
    shutil.rmtree(layout)
    (site.root / "dist" / "copy").rename(layout)
    assert problems_of_layout(layout) != []
    assert site.build()["digest"] == clean_digest
    assert problems_of_layout(layout) == []


@pytest.mark.parametrize("part", ["layers/*.json", "marks/*", "downloads/*"])
@pytest.mark.parametrize("how", [flip, Path.unlink])
def test_what_the_store_remembers_may_be_damaged_or_lost(
    site: Any, clean_digest: str, part: str, how: Callable[[Path], None]
) -> None:
    site.build()
    paths = list(site.store.glob(part))
    assert paths
    for path in paths:
        how(path)
    assert site.build()["digest"] == clean_digest
    assert site.build()["digest"] == clean_digest


@pytest.mark.parametrize("how", [flip, Path.unlink])
def test_a_damaged_list_of_files_is_forgotten_with_its_layer(
    site: Any, clean_digest: str, how: Callable[[Path], None]
) -> None:
    site.build()
    for mark in site.store.glob("marks/*"):
        mark.unlink()  # so that the lists are read
    how(next(site.store.glob("layers/*.index")))
    error = site.refuse("build", str(site.root), code="damaged-store", status=5, says=[".index"])
    assert "again" in error["hint"]
    image = site.build()
    assert image["digest"] == clean_digest
    assert [layer["reused"] for layer in image["layers"]].count(False) == 1


def test_verify_finds_what_a_build_would_not_look_at(site: Any, clean_digest: str) -> None:
    site.build()
    sha256 = hashlib.sha256((site.index.files / WHEEL).read_bytes()).hexdigest()
    flip(site.store / "downloads" / sha256)
    damaged = site.run("cache", "verify", "--json").document["damaged"]
    assert [Path(one["path"]).name for one in damaged] == [sha256]
    assert site.run("cache", "verify", "--json").document["damaged"] == []
    assert site.build()["digest"] == clean_digest


def test_after_pruning_everything_a_build_begins_anew(site: Any, clean_digest: str) -> None:
    site.build()
    assert site.run("cache", "prune", "--json").document["freed_bytes"] > 0
    assert site.blobs() == set()
    shutil.rmtree(site.root / "dist")
    image = site.build()
    assert image["digest"] == clean_digest
    assert not any(layer["reused"] for layer in image["layers"])
