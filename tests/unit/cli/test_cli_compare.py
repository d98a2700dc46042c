# SPDX-License-Identifier: Apache-2.0
"""What ``wheelship compare`` refuses before it reads anything."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from wheelship.cli.main import main
from wheelship.history.file import append
from wheelship.history.model import PastBuild
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("oci:before",), "one IMAGE alone is compared with nothing"),
        (("oci:before", "--fail-growth", "5"), "--fail-growth needs a second IMAGE"),
        (("a", "b", "--fail-growth", "much"), "no number of per cent"),
        (("a", "b", "--fail-over", "packed=3GB"), "no size of an image"),
        (("a", "b", "--fail-over", "4 GBit"), "is no size"),
        (("a", "b", "--json", "--markdown"), "exclude each other"),
        (("a", "b", "--by", "path"), "path"),
        (("a", "b", "--history"), "compares nothing"),
        (("a", "--history", "--fail-over", "1GB"), "compares nothing"),
        (("a", "b", "--html", "x.html"), "wheelship inspect IMAGE --html FILE"),
        (("history.jsonl", "--history", "--html", "x.html"), "it needs the project"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments]) == 2
    shown = capsys.readouterr()
    assert says in shown.err + shown.out
    assert "Traceback" not in shown.err


def test_a_history_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(tmp_path), "--history", "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["where"]) == ("no-history", str(tmp_path))


def test_a_variant_that_was_not_built_is_no_empty_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "history.jsonl"
    build = PastBuild(
        time="2026-11-25T12:00:00Z",
        name="service",
        variant="cpu",
        platform=Platform("amd64"),
        digest=Digest.of(b"image"),
        transfer_bytes=1,
        unpacked_bytes=2,
        seconds=3.0,
        layers=1,
        reused=0,
        fresh_bytes=1,
    )
    append(path, [build])
    for more in (("--variant", "cuda"), ("--platform", "linux/arm64")):
        assert main(["compare", str(path), "--history", *more]) == 0
        text = capsys.readouterr().out
        assert text.startswith("no builds of ")
        assert text.endswith(f"{more[1]} are remembered; there are builds of cpu for linux/amd64\n")
        assert main(["compare", str(path), "--history", "--json", *more]) == 0
        assert json.loads(capsys.readouterr().out)["series"] == []


def test_a_damaged_baseline_is_noticed_before_an_image_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "sizes.json"
    baseline.write_text("{}")
    image = f"oci:{tmp_path}/nowhere"
    assert main(["compare", image, "--baseline", str(baseline), "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["where"]) == ("invalid-baseline", str(baseline))
    assert "wheelship compare IMAGE --save" in error["hint"]


def test_what_stdout_has_no_characters_for_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = {
        "time": "2026-11-01T12:00:00Z",
        "name": "demo",
        "variant": "cpu",
        "seconds": 1,
        "platform": "linux/amd64",
        "digest": f"sha256:{64 * '0'}",
        "layers": 2,
        "reused": 1,
        "transfer_bytes": 10,
        "unpacked_bytes": 20,
        "fresh_bytes": 5,
    }
    past = [{**build, "schema": "wheelship.past-build/1", "transfer_bytes": 10**6}, build]
    path = tmp_path / "past.jsonl"
    path.write_text("".join(f"{json.dumps(past[0] | one)}\n" for one in past))
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii", write_through=True))
    assert main(["compare", str(path), "--history", "--markdown"]) == 0
    assert b"\\u2588\\u2581" in out.getvalue()
