# SPDX-License-Identifier: Apache-2.0
"""Who depends on whom, read from the packages (Debian Policy §7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.debian.dependency import control_fields, dependencies
from wheelship.debian.distribution import Cut
from wheelship.debian.errors import InvalidDeb
from wheelship.testing.deb import make_deb


def fields(depends: str = "", provides: str = "", version: str = "1.0-1") -> dict[str, str]:
    return {"Depends": depends, "Provides": provides, "Version": version}


def test_the_fields_come_from_the_package_itself(tmp_path: Path) -> None:
    made = make_deb("alpha", "2.0-1", fields={"Depends": "beta (>= 1), gamma | delta"})
    (tmp_path / "alpha.deb").write_bytes(made.data)
    found = control_fields(tmp_path / "alpha.deb", where="alpha.deb")
    assert found["Package"] == "alpha"
    assert found["Version"] == "2.0-1"
    assert found["Depends"] == "beta (>= 1), gamma | delta"


@pytest.mark.parametrize("at", [60, 200])
def test_a_damaged_package_is_named(tmp_path: Path, at: int) -> None:
    data = bytearray(make_deb("alpha").data)
    data[at : at + 8] = b"\xff" * 8
    (tmp_path / "alpha.deb").write_bytes(data)
    with pytest.raises(InvalidDeb) as caught:
        control_fields(tmp_path / "alpha.deb", where="alpha.deb")
    assert caught.value.where == "alpha.deb"


def test_what_is_needed_before_counts_as_what_is_needed() -> None:
    alpha = {"Pre-Depends": "beta", "Depends": "gamma", "Recommends": "delta"}
    packages = {"alpha": alpha, "beta": {}, "gamma": {}, "delta": {}}
    assert dependencies(packages)["alpha"] == ("beta", "gamma")


def test_of_alternatives_the_first_that_is_there_counts() -> None:
    packages = {"alpha": fields("absent | beta | gamma"), "beta": fields(), "gamma": fields()}
    assert dependencies(packages)["alpha"] == ("beta",)


def test_a_version_that_does_not_do_is_no_answer() -> None:
    packages = {
        "alpha": fields("beta (>= 2) | gamma"),
        "beta": fields(version="1.0-1"),
        "gamma": fields(),
    }
    assert dependencies(packages)["alpha"] == ("gamma",)


def test_a_name_that_another_package_provides_leads_to_that_package() -> None:
    packages = {"alpha": fields("awk"), "mawk": fields(provides="awk")}
    assert dependencies(packages) == {"alpha": ("mawk",), "mawk": ()}


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (Cut(None, "debconf", "asks"), ("beta",)),
        (Cut("alpha", "debconf", "asks"), ("beta",)),
        (Cut("other", "debconf", "asks"), ("beta", "debconf")),
    ],
)
def test_an_edge_that_was_cut_is_no_reason(cut: Cut, left: tuple[str, ...]) -> None:
    packages = {"alpha": fields("beta, debconf"), "beta": fields(), "debconf": fields()}
    assert dependencies(packages, [cut])["alpha"] == left
