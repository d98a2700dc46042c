# SPDX-License-Identifier: Apache-2.0
"""Errors that once were bugs, came without a fix, or left half of their work behind."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest

from wheelship.testing.index import Fault
from wheelship.testing.wheel import MadeWheel, make_wheel

WHEEL = "alpha-1.0-py3-none-any.whl"


def record_of(made: MadeWheel) -> str:
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/RECORD")]
        return archive.read(name).decode()


# --- a fix for everything ---


def test_requirements_that_contradict_each_other_come_with_a_way_out(site: Any) -> None:
    site.serve(make_wheel("beta", "2.0"), make_wheel("alpha", requires=["beta<1"]))
    site.project("alpha", "beta>=1")
    error = site.refuse("lock", str(site.root), code="unresolvable", status=3)
    assert "loosen" in error["hint"]
    assert "exclude = [" in error["hint"]


def test_a_package_that_nobody_has_comes_with_a_way_out(site: Any) -> None:
    site.project("alpha", "nowhere")
    error = site.refuse("lock", str(site.root), code="unresolvable", status=3)
    assert "index = " in error["hint"]


def test_a_value_out_of_range_comes_with_one_inside(site: Any) -> None:
    site.project("alpha", table="port = 99999")
    error = site.refuse("build", str(site.root), code="configuration", status=3)
    assert error["hint"] == "for instance port = 65535"


def test_invalid_toml_comes_with_a_way_out(site: Any) -> None:
    (site.root / "pyproject.toml").write_text("[project]\nname = demo\n")
    error = site.refuse("build", str(site.root), code="configuration", status=3, says=[":2"])
    assert "quotes" in error["hint"]


# --- names ---


def test_a_wrong_hash_in_a_group_names_the_wheel_and_the_file(site: Any) -> None:
    """Light wheels share a layer; its title says nothing about which of them is bad."""
    right = make_wheel("gamma", files={"gamma/x.py": b"2\n"})
    site.serve(make_wheel("gamma", files={"gamma/x.py": b"1\n"}, record=record_of(right)))
    site.project("alpha", "gamma")
    site.lock()
    site.refuse(
        *("build", str(site.root)),
        code="content-mismatch",
        status=3,
        says=["gamma 1.0: ", "site-packages/gamma/x.py"],
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gamma", "gamma installs a file where alpha has a directory"),
        ("delta", "delta 1.0 holds a file where alpha 1.0 holds a directory"),
    ],
    ids=["in one layer", "in two layers"],
)
def test_a_file_in_the_place_of_a_directory_is_named_with_both_wheels(
    site: Any, name: str, says: str
) -> None:
    site.serve(make_wheel(name, files={"alpha": b""}))
    site.project("alpha", name)
    site.lock()
    error = site.refuse(
        *("build", str(site.root)),
        code="conflicting-files",
        status=3,
        says=[says, "site-packages/alpha"],
    )
    assert "exclude" in error["hint"]


# --- --json ---


@pytest.mark.parametrize(
    ("arguments", "says", "hint"),
    [
        (["build", "--json", "--nonsense"], "--nonsense", "wheelship build --help"),
        (["build", "--nonsense", "--json"], "--nonsense", "wheelship build --help"),
        (["--json", "bild"], "Did you mean 'build'?", "wheelship --help"),
        (["build", "/nowhere/at/all", "--json"], "does not exist", "wheelship build --help"),
    ],
)
def test_a_wrong_command_line_is_an_error_document_under_json(
    site: Any, arguments: list[str], says: str, hint: str
) -> None:
    ran = site.run(*arguments, status=2)
    error = json.loads(ran.out)["error"]
    assert error["code"] == "usage"
    assert says in error["message"]
    assert error["hint"] == hint
    assert error["exit_status"] == 2


def test_a_wrong_command_line_is_said_in_words_otherwise(site: Any) -> None:
    ran = site.run("build", "--nonsense", "--", "--json", status=2)
    assert ran.out == ""
    assert "--nonsense" in ran.err


# --- locks ---


def test_a_base_lock_without_an_interpreter_is_refused(site: Any) -> None:
    site.lock()
    path = site.root / "wheelship.lock"
    document = json.loads(path.read_text())
    (entry,) = document["debian"]
    entry["packages"] = [one for one in entry["packages"] if "python" not in one["name"]]
    path.write_text(json.dumps(document))
    error = site.refuse(
        *("build", str(site.root)),
        code="invalid-debian-lock",
        status=3,
        says=["python3.11-minimal", "wheelship.lock"],
    )
    assert "wheelship lock" in error["hint"]


def test_locking_writes_both_files_or_neither(site: Any) -> None:
    """The mirror has no release file, so the base cannot be locked once a package is missing."""
    site.lock()
    site.serve(make_wheel("beta"))
    site.project("alpha", "beta", table='system-packages = ["libfoo1"]')
    site.refuse("lock", str(site.root), code="http-status", status=4)
    site.refuse("build", str(site.root), code="http-status", status=4)
    (site.root / "pylock.cpu.toml").unlink()
    site.refuse("lock", str(site.root), code="http-status", status=4)
    assert not (site.root / "pylock.cpu.toml").exists()


# --- downloads ---


def test_a_download_that_always_breaks_off_says_how_far_it_came(site: Any) -> None:
    site.lock()
    site.index.faults.append(Fault(path=WHEEL, times=99, truncate=100))
    error = site.refuse("build", str(site.root), code="unreachable", status=4, says=[WHEEL])
    assert re.search(r"broke off after 400 of \d+ bytes", error["message"])
    assert "goes on where it broke off" in error["hint"]


def test_a_server_that_never_answers_is_not_said_to_have_broken_off(site: Any) -> None:
    site.lock()
    site.index.faults.append(Fault(path=WHEEL, times=99, truncate=0))
    error = site.refuse("build", str(site.root), code="unreachable", status=4, says=[WHEEL])
    assert "broke off after" not in error["message"]
