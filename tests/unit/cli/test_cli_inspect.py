# SPDX-License-Identifier: Apache-2.0
"""What ``wheelship inspect`` is told before it looks at an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

from wheelship.cli.images import InvalidTarget, stated_expectation
from wheelship.cli.main import main
from wheelship.errors import NetworkError
from wheelship.inspect.model import Expectation


@pytest.mark.parametrize(
    ("accelerator", "targets", "expected"),
    [
        (None, (), (None, ())),
        ("cpu", (), ("cpu", ())),
        (None, ("sm_90", "sm_100a"), ("cuda", ("sm_90", "sm_100a"))),
        ("rocm", ("gfx942", "gfx90a"), ("rocm", ("gfx942", "gfx90a"))),
    ],
)
def test_what_an_image_is_meant_for(
    accelerator: str | None, targets: tuple[str, ...], expected: tuple[str | None, tuple[str, ...]]
) -> None:
    found = stated_expectation(accelerator, targets)
    assert found == Expectation(accelerator=expected[0], gpu_targets=expected[1])


@pytest.mark.parametrize(
    ("accelerator", "targets", "says"),
    [
        (None, ("90",), "is no GPU target"),
        (None, ("sm_",), "is no GPU target"),
        (None, ("gfx\x1b[31m",), "is no GPU target"),
        ("cpu", ("sm_90",), "a target of cuda, and the image is meant for cpu"),
        (None, ("sm_90", "gfx942"), "a target of rocm, and the image is meant for cuda"),
    ],
)
def test_targets_that_contradict(
    accelerator: str | None, targets: tuple[str, ...], says: str
) -> None:
    with pytest.raises(InvalidTarget, match=says) as caught:
        stated_expectation(accelerator, targets)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--json", "--markdown"], "--json and --markdown exclude each other"),
        (["--by", "colour"], "'colour' is not one of"),
        (["--size", "weight"], "'weight' is not one of"),
        (["--top", "0"], "0 is not in the range"),
        (["--accelerator", "tpu"], "'tpu' is not one of"),
    ],
)
def test_wrong_options_are_usage_errors(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", *arguments]) == 2
    shown = capsys.readouterr()
    assert says in shown.err or says in json.loads(shown.out)["error"]["message"]


@pytest.mark.parametrize(
    ("name", "guessed"),
    [("dist/service", True), ("registry:dist/service", False), ("ghcr.io/dist/service", False)],
)
def test_a_name_that_was_guessed_is_said_to_be(
    name: str,
    *,
    guessed: bool,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who mistypes a path is not to look for a fault of the network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHEELSHIP_STORE", str(tmp_path / "store"))

    def refuse(*_: object, **__: object) -> NoReturn:
        raise NetworkError("no answer", hint="check the network")

    monkeypatch.setattr("wheelship.source.open.open_image", refuse)
    assert main(["inspect", name, "--json"]) == 4
    error = json.loads(capsys.readouterr().out)["error"]
    says = f"no path here is called {name}, so it was taken for registry:{name}"
    assert (says in error["hint"]) == guessed
    assert "check the network" in error["hint"]


@pytest.mark.parametrize("image", [None, "oci:nowhere", "oci-archive:nowhere.tar", "./nowhere"])
def test_an_image_that_is_not_there(
    image: str | None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHEELSHIP_STORE", str(tmp_path / "store"))
    assert main(["inspect", *([image] if image else []), "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["hint"]
    assert list((tmp_path / "store").glob("tmp/*")) == []
