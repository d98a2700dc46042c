# SPDX-License-Identifier: Apache-2.0
"""What the command line says to wrong projects, wrong arguments and machines that refuse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.services import native_platform
from wheelship.oci.validate import problems_of_layout

NATIVE = str(native_platform())
OTHER = "linux/arm64" if NATIVE == "linux/amd64" else "linux/amd64"
FOREIGN = f'platforms = ["{OTHER}"]'


def test_the_site_builds_when_nothing_is_wrong(site: Any) -> None:
    """The other half of every refusal below: without the one thing that is wrong, it works."""
    image = site.build()
    assert problems_of_layout(site.root / "dist" / "demo") == []
    assert [one["name"] for layer in image["layers"] for one in layer["packages"]] == [
        "base-files",
        "python3.11-minimal",
        "alpha",
        "demo",
    ]
    assert {path for path in site.index.paths() if path.startswith("http")} == set()


# --- the project ---


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('comand = ["demo"]', ["pyproject.toml:14", "comand", "unknown"]),
        ('budget = "340 XB"', ["pyproject.toml:14", "budget", "340 XB"]),
        ("prot = 80", ["pyproject.toml:14", "prot", "unknown"]),
    ],
)
def test_wrong_configuration_is_named_with_file_and_line(
    site: Any, table: str, says: list[str]
) -> None:
    site.project("alpha", table=table)
    site.refuse("build", str(site.root), code="configuration", status=3, says=says)
    assert not site.store.exists(), "nothing had to be looked up to know that"


def test_all_findings_come_at_once(site: Any) -> None:
    site.project("alpha", table='comand = ["demo"]\nbudget = "340 XB"')
    error = site.refuse(
        "build", str(site.root), code="configuration", status=3, says=["comand", "340 XB"]
    )
    assert [finding["key"] for finding in error["findings"]] == [
        "tool.wheelship.comand",
        "tool.wheelship.budget",
    ]


def test_a_project_that_is_no_toml_is_refused(site: Any) -> None:
    (site.root / "pyproject.toml").write_text('[project]\nname = "demo\n')
    site.refuse(
        *("build", str(site.root)),
        code="configuration",
        status=3,
        says=["pyproject.toml:2", "TOML"],
    )


def test_a_value_out_of_range_is_named_with_the_range(site: Any) -> None:
    site.project("alpha", table="port = 99999")
    site.refuse(
        *("build", str(site.root)),
        code="configuration",
        status=3,
        says=["pyproject.toml:14", "port", "99999 is not between 1 and 65535"],
    )


@pytest.mark.parametrize(
    ("table", "arguments", "code", "says"),
    [
        ("", ["--variant", "gpu"], "unknown-variant", ["'gpu'"]),
        ("", ["--platform", OTHER], "unlocked-platform", [OTHER]),
        (FOREIGN, ["--platform", NATIVE], "unlocked-platform", [NATIVE]),
        ("", ["--platform", "banana"], "invalid-platform", ["banana"]),
        ("", ["--output", "banana"], "invalid-output", ["'banana'"]),
        ("", ["--output", "oci:"], "invalid-output", ["'oci:'"]),
    ],
)
def test_what_cannot_be_built_is_said_before_anything_is_fetched(
    site: Any, table: str, arguments: list[str], code: str, says: list[str]
) -> None:
    site.project("alpha", table=table)
    site.refuse("build", str(site.root), *arguments, code=code, status=3, says=says)
    assert site.index.received == []


def test_a_link_out_of_the_project_is_refused(site: Any, tmp_path: Path) -> None:
    site.lock()
    (tmp_path / "secret.py").write_text("password = 'x'\n")
    (site.root / "demo.py").unlink()
    (site.root / "demo.py").symlink_to(tmp_path / "secret.py")
    site.refuse("build", str(site.root), code="application-files", status=3, says=["demo.py"])


# --- the output ---


@pytest.mark.parametrize("inside", ["pyproject.toml", "important/letter.txt"])
def test_a_directory_with_other_content_is_left_alone(
    site: Any, tmp_path: Path, inside: str
) -> None:
    precious = tmp_path / "precious" / inside
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    site.lock()
    site.refuse(
        "build",
        str(site.root),
        f"--output=oci:{tmp_path / 'precious'}",
        code="invalid-layout",
        status=3,
        says=[str(tmp_path / "precious")],
    )
    assert [path for path in (tmp_path / "precious").rglob("*") if path.is_file()] == [precious]
    assert precious.read_text() == "mine"


def test_checking_what_was_never_built_says_what_to_build(site: Any) -> None:
    error = site.refuse("check", str(site.root), code="no-image", status=3, says=["built"])
    assert "wheelship build" in error["hint"]


def test_checking_what_is_no_image_says_so(site: Any, tmp_path: Path) -> None:
    site.refuse("check", str(tmp_path / "home"), code="no-image", status=3, says=["home"])


# --- the budget ---


def test_a_broken_budget_fails_and_the_image_is_there(site: Any) -> None:
    site.project("alpha", table='budget = "1 kB"')
    ran = site.run("build", str(site.root), "--json", status=1)
    assert ran.image["budget"]["ok"] is False
    assert ran.image["budget"]["limit_bytes"] == 1000
    assert ran.image["transfer_bytes"] > 1000
    assert problems_of_layout(site.root / "dist" / "demo") == []


def test_a_broken_budget_is_said_in_words_with_what_is_large(site: Any) -> None:
    site.project("alpha", table='budget = "1 kB"')
    ran = site.run("build", str(site.root), status=1)
    assert "error[budget-broken]: demo:cpu:" in ran.err
    assert "above the budget of 1.0 kB" in ran.err
    assert "hint: largest layers: " in ran.err
    assert "BROKEN" in ran.out


def test_an_image_within_its_budget_passes(site: Any) -> None:
    site.project("alpha", table='budget = "90 kB"')
    assert site.build()["budget"]["ok"] is True


# --- the machine ---


@pytest.fixture
def unprivileged(tool: Callable[[str], str]) -> tuple[str, ...]:
    """What makes a program obey permissions: root as well, when it lacks the right to override."""
    if os.geteuid() != 0:
        return ("/usr/bin/env",)
    return (tool("setpriv"), "--bounding-set=-dac_override,-dac_read_search,-fowner")


def test_a_lock_that_cannot_be_written_is_an_error_of_the_machine(
    site: Any, unprivileged: tuple[str, ...]
) -> None:
    site.root.chmod(0o555)
    try:
        site.refuse(
            *("lock", str(site.root)),
            code="lock-not-writable",
            status=5,
            says=["pylock.cpu.toml"],
            prefix=unprivileged,
        )
    finally:
        site.root.chmod(0o755)
    assert site.build()["reference"] == "demo:cpu"


def test_a_project_that_cannot_take_the_image_is_named(
    site: Any, unprivileged: tuple[str, ...]
) -> None:
    site.lock()
    site.root.chmod(0o555)
    try:
        error = site.refuse(
            *("build", str(site.root)),
            code="not-writable",
            status=5,
            says=["dist"],
            prefix=unprivileged,
        )
    finally:
        site.root.chmod(0o755)
    assert "--output" in error["hint"]
    assert all(layer["reused"] for layer in site.build()["layers"])


def test_a_store_that_cannot_be_written_is_named(
    site: Any, unprivileged: tuple[str, ...], tmp_path: Path
) -> None:
    site.lock()
    shutil.rmtree(site.store)
    site.store.mkdir(mode=0o555)
    error = site.refuse(
        *("build", str(site.root)),
        code="not-writable",
        status=5,
        says=[str(site.store)],
        prefix=unprivileged,
    )
    assert "--store" in error["hint"]
    assert site.build("--store", str(tmp_path / "other"))["reference"] == "demo:cpu"


def test_a_full_disk_leaves_nothing_half_written(site: Any, tool: Callable[[str], str]) -> None:
    """A limit on the size of files is a full disk to those who write (EFBIG)."""
    site.lock()
    site.refuse(
        *("build", str(site.root)),
        code="disk-full",
        status=5,
        says=[str(site.store)],
        prefix=(tool("prlimit"), "--fsize=20000"),
    )
    assert not (site.root / "dist").exists()
    site.build()
    assert problems_of_layout(site.root / "dist" / "demo") == []
